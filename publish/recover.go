package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"repomill/publish/restore"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// recover imports the rows of a published release whose revision the catalog never issued, because it lost history (a restored
// backup, a fail-over). Packages that clients can install stay installable, withdrawn ones stay withdrawn, and the next attempt
// publishes a revision after the one that clients have seen. It returns errRecovered when it has imported them.
func (p *Publisher) recover(ctx context.Context, old tree.Published) error {
	key := layout.PointerKey(old.Release)
	defer p.lockRelease(ctx, old.Release)() // another process would read and write the same
	recovered, err := p.importRows(ctx, old, true, p.catalog.Recover)
	if errors.Is(err, tree.ErrForeign) {
		// The signature was read after the pointer, and may be that of a newer one.
		if v, err := tree.VersionOf(ctx, p.bucket, key); err != nil || v != old.Versions[key] {
			return errors.Join(err, fmt.Errorf("%s: %w", key, ErrConflict))
		}
		err = p.repairSignature(ctx, old, err)
	}
	if err != nil {
		return err
	}
	p.log.Error("ALARM: the catalog had lost history: rows of a release imported from the bucket",
		"release", old.Release.String(), "revision", old.Revision.String(),
		"inserted", recovered.Inserted, "replaced", recovered.Replaced, "yanked", recovered.Yanked)
	return errRecovered
}

// pass has a release go on beside another one whose recovery has failed, and returns errRecovered then. Else it is not to be published yet.
func (p *Publisher) pass(ctx context.Context, r catalog.Release, other catalogdb.OtherRecovery, now time.Time) error {
	if !other.Failed(now) {
		return fmt.Errorf("not published before the packages of %s are recovered from its published indexes: it shows a part of them, too", other.Release)
	}
	if err := p.catalog.PassRecovery(ctx, other.Release, now); err != nil {
		return err
	}
	p.log.Error("a release cannot be recovered; others of its distribution go on with those of its packages that were", "release", other.Release.String(), "fault", other.Fault, "publishing", r.String())
	return errRecovered
}

// A rowImporter is a method of [Recovery].
type rowImporter func(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (catalogdb.Recovered, error)

// importRows imports the rows of a published release into the catalog. locked: this publisher has the lock on the release, and keeps it.
func (p *Publisher) importRows(ctx context.Context, old tree.Published, locked bool, take rowImporter) (catalogdb.Recovered, error) {
	rd, err := restore.Open(ctx, p.bucket, p.keys.Load().trusted, p.rows, old.Release, old.Body)
	if err != nil {
		return catalogdb.Recovered{}, err
	}
	if err := p.importSnapshots(ctx, old.Release, rd.Revision, old.Now); err != nil {
		return catalogdb.Recovered{}, err
	}
	w := &recoveryWatch{p: p, release: old.Release, locked: locked, due: p.now().Add(recoveryLog)}
	return take(ctx, old.Release, w.watch(ctx, rd.All(ctx)), rd.Revision, old.Now)
}

// importSnapshots imports the snapshots of the bucket that have a release.
func (p *Publisher) importSnapshots(ctx context.Context, r catalog.Release, foreign catalog.Revision, now time.Time) error {
	records, err := tree.Snapshots(ctx, p.bucket, r.Repository)
	if err != nil {
		return err
	}
	var kept []catalog.Snapshot
	for _, one := range records {
		if _, has := one.Find(r); !has || one.Deleting {
			continue
		}
		s, err := one.Kept()
		if err != nil {
			return err
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		return nil
	}
	return p.catalog.ImportSnapshots(ctx, r, kept, foreign, now)
}

// repairSignature repairs the pair of a pointer without a valid signature, if its manifest proves that a publish of this instance
// was interrupted between the two writes. It returns [errRepaired] joined with why then, and why otherwise.
func (p *Publisher) repairSignature(ctx context.Context, old tree.Published, why error) error {
	f := formatOf(old.Release)
	if !f.inseparable() || !recorded(ctx, p.bucket, p.keys.Load().trusted, old) {
		return why
	}
	return errors.Join(p.repair(ctx, f, old, false), why)
}

// recorded reports whether the manifest of a pointer exists, in a repository with a public key of this instance.
func recorded(ctx context.Context, b tree.Reader, keys sign.Keyring, old tree.Published) bool {
	_, err := tree.ReadManifest(ctx, b, old.Release, tree.ManifestKey(old.Release, old.Revision, tree.Sum(old.Body)))
	v, keyErr := tree.VersionOf(ctx, b, layout.GPGKeyKey(old.Release.Repository))
	return err == nil && keyErr == nil && v != "" && tree.CheckOurs(ctx, b, keys, old.Release.Repository) == nil
}

// maxRebuilds bounds the attempts of a rebuild. Each failed one means that another publisher has published.
const maxRebuilds = 5

// Rebuild imports the rows of a release from its published indexes and their manifest, also if the catalog has rows of it. Rows that
// the indexes do not have, such as uploads that are not published yet, stay. It publishes nothing: [Publisher.Reindex] and
// [Publisher.Release] do. The catalog must have the settings of the repository ([Publisher.Settings]). If the release is not
// published, the error is [ErrNotExist]. It retries when another publisher is faster; the caller retries other errors.
func (p *Publisher) Rebuild(ctx context.Context, r catalog.Release) (catalogdb.Recovered, error) {
	unlock, err := p.lock(ctx, r)
	if err != nil {
		return catalogdb.Recovered{}, err
	}
	defer unlock()
	for n := 1; ; n++ {
		old, err := p.read(ctx, r)
		if err == nil && !old.Exists {
			err = fmt.Errorf("read %s: %w", layout.PointerKey(r), ErrNotExist)
		}
		var done catalogdb.Recovered
		if err == nil {
			done, err = p.importRows(ctx, old, false, p.catalog.Rebuild)
		}
		if errors.Is(err, tree.ErrForeign) {
			err = p.repairSignature(ctx, old, err)
		}
		switch {
		case err == nil:
			return done, nil
		case n == maxRebuilds || !errors.Is(err, errRepaired) && !errors.Is(err, catalogdb.ErrOutdated): // another publisher has just published, or the bucket was restored from an old copy
			return catalogdb.Recovered{}, fmt.Errorf("rebuild %s: %w", r, err)
		}
		if err := wait(ctx, backoff(n)); err != nil {
			return catalogdb.Recovered{}, err
		}
	}
}
