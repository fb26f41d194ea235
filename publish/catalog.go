package publish

import (
	"context"
	"iter"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A Catalog has the rows and settings that a publisher reads, and the records of what is published. Its methods may be called
// concurrently, and repeated after an error.
type Catalog interface {
	Snapshots
	Releases
	ReleaseLocks
	Recovery
	Repositories
}

// Snapshots are consistent views of releases. A [Preparer] needs no other part of a catalog.
type Snapshots interface {
	// Snapshot opens a view of a release, or returns [catalogdb.ErrNotFound].
	Snapshot(ctx context.Context, r catalog.Release) (*catalogdb.Snapshot, error)

	// CacheSecret returns the secret that authenticates what processes keep of the rows outside of the catalog. It stays the same.
	CacheSecret(ctx context.Context) ([]byte, error)
}

// Releases are the revisions of releases, and the records of what is published.
type Releases interface {
	// Publish records that a revision of a release is published.
	Publish(ctx context.Context, r catalog.Release, revision int64, now time.Time) error

	// RecordSignedBy records the signers of the published pointer of a release, in the form of [Keys.SignedBy].
	RecordSignedBy(ctx context.Context, r catalog.Release, by string) error

	// KnowsRevision reports whether this catalog issued a revision of a release, or imported the rows published under it.
	KnowsRevision(ctx context.Context, r catalog.Release, revision catalog.Revision) (bool, error)

	// RaiseGeneration issues the next revision of a release whose latest one is at, although its rows are unchanged. It
	// returns false if the release is at another revision.
	RaiseGeneration(ctx context.Context, r catalog.Release, at catalog.Revision, now time.Time) (revision catalog.Revision, raised bool, err error)
}

// ReleaseLocks are advisory locks. They save lost swaps; correctness does not depend on them.
type ReleaseLocks interface {
	// LockRelease asks other publishers to leave a release to holder until length after now, and reports whether holder
	// has the lock.
	LockRelease(ctx context.Context, r catalog.Release, holder string, length time.Duration, now time.Time) (held bool, err error)

	// UnlockRelease ends the lock of holder, if it has one.
	UnlockRelease(ctx context.Context, r catalog.Release, holder string) error
}

// Recovery imports rows from published releases.
type Recovery interface {
	// Recover imports the rows of a published release whose revision this catalog did not issue, and issues a revision
	// after it. It changes nothing unless rows ends without an error; it may read them more than once.
	Recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], foreign catalog.Revision, now time.Time) (catalogdb.Recovered, error)

	// AbandonRecovery ends an interrupted Recover of a release whose pointer is one that this catalog knows.
	AbandonRecovery(ctx context.Context, r catalog.Release, now time.Time) error

	// PassRecovery has other releases go on that show a part of the packages of one whose recovery has failed.
	PassRecovery(ctx context.Context, r catalog.Release, now time.Time) error

	// ImportSnapshots takes over snapshots that have a release whose rows are recovered next, so that what they hold is held then.
	ImportSnapshots(ctx context.Context, r catalog.Release, kept []catalog.Snapshot, foreign catalog.Revision, now time.Time) error

	// Rebuild is Recover for the rows of a revision that this catalog issued, too.
	Rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (catalogdb.Recovered, error)
}

// Repositories are the settings of repositories in a catalog.
type Repositories interface {
	// Settings returns the settings of a repository, or [catalogdb.ErrNotFound].
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)

	// PublishSettings records that the settings of a revision are published.
	PublishSettings(ctx context.Context, r catalog.Repository, revision int64) error

	// RecordGivenKeys records the keys that a repository gives to clients, in the form of [Keys.Given].
	RecordGivenKeys(ctx context.Context, r catalog.Repository, keys string) error

	// KnowsSettingsRevision reports whether this catalog issued a revision of a repository's settings, or imported those
	// published under it.
	KnowsSettingsRevision(ctx context.Context, r catalog.Repository, revision catalog.Revision) (bool, error)

	// ImportSettings imports published settings whose revision this catalog did not issue, and issues a revision after it. It creates
	// the repository if necessary.
	ImportSettings(ctx context.Context, published catalog.Settings, now time.Time) error
}
