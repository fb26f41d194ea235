package publish

import (
	"context"
	"iter"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A Catalog is where a publisher reads rows and settings, and records what clients see of them. Methods
// may be called concurrently; all of them may be repeated.
type Catalog interface {
	Releases
	Repositories
}

// Releases are the rows of a catalog, as releases show them.
type Releases interface {
	// Snapshot opens a view of a release, or returns [catalogdb.ErrNotFound].
	Snapshot(ctx context.Context, r catalog.Release) (*catalogdb.Snapshot, error)

	// RaiseGeneration draws the next revision of a release that is at one, although its rows are as they were.
	RaiseGeneration(ctx context.Context, r catalog.Release, at catalog.Revision, now time.Time) (pair catalog.Revision, drawn bool, err error)

	// LockRelease asks other publishers to leave a release to holder for a while, and UnlockRelease ends that.
	LockRelease(ctx context.Context, r catalog.Release, holder string, length time.Duration, now time.Time) (held bool, err error)
	UnlockRelease(ctx context.Context, r catalog.Release, holder string) error

	// Publish records that clients see a revision of a release.
	Publish(ctx context.Context, r catalog.Release, revision int64, now time.Time) error

	// RecordSignedBy records how a release is signed ([Keys.SignedBy]).
	RecordSignedBy(ctx context.Context, r catalog.Release, by string) error

	// KnowsRevision reports whether this catalog ever drew a pair for a release.
	KnowsRevision(ctx context.Context, r catalog.Release, pair catalog.Revision) (bool, error)

	// Recover takes over the rows of a published release whose pair this catalog never drew, and draws a
	// pair beyond it. It changes nothing unless rows ends without an error; it may read them more than once.
	Recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], foreign catalog.Revision, now time.Time) (catalogdb.Recovered, error)

	// Rebuild is Recover that takes over the rows of a pair which this catalog drew, too.
	Rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (catalogdb.Recovered, error)
}

// Repositories are the settings in a catalog.
type Repositories interface {
	// Settings returns what a repository was declared with, or [catalogdb.ErrNotFound].
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)

	// PublishSettings records that the settings of a revision are published.
	PublishSettings(ctx context.Context, r catalog.Repository, revision int64) error

	// RecordGivenKeys records which keys the published objects of a repository give to clients ([Keys.Given]).
	RecordGivenKeys(ctx context.Context, r catalog.Repository, keys string) error

	// KnowsSettingsRevision reports whether this catalog ever drew a pair for the settings of a repository.
	KnowsSettingsRevision(ctx context.Context, r catalog.Repository, pair catalog.Revision) (bool, error)

	// ImportSettings takes over published settings whose pair this catalog never drew, and draws a pair
	// beyond it. The repository need not exist before.
	ImportSettings(ctx context.Context, published catalog.Settings, now time.Time) error
}
