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

// recover takes over a published release that this catalog never made, because it lost history (a
// restored backup, a fail-over). What clients can install stays installable, what was withdrawn stays
// so, and the next attempt publishes beyond the revision that clients have seen.
func (p *Publisher) recover(ctx context.Context, old tree.Published) error {
	key := layout.PointerKey(old.Release)
	recovered, err := p.takeOver(ctx, old, p.catalog.Recover)
	if errors.Is(err, tree.ErrForeign) {
		// The signature was read after the pointer, and may be that of a newer one.
		if v, err := tree.VersionOf(ctx, p.bucket, key); err != nil || v != old.Versions[key] {
			return errors.Join(err, fmt.Errorf("%s: %w", key, ErrConflict))
		}
		err = p.mend(ctx, old, err)
	}
	if err != nil {
		return err
	}
	p.log.Error("ALARM: the catalog had lost history: it takes over the rows of a published release from the bucket",
		"release", old.Release.String(), "revision", old.Revision.String(),
		"inserted", recovered.Inserted, "replaced", recovered.Replaced, "yanked", recovered.Yanked)
	return errRecovered
}

// A recoverer is a method of a catalog that takes over rows.
type recoverer func(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (catalogdb.Recovered, error)

// takeOver gives the catalog the rows of a release as it was read.
func (p *Publisher) takeOver(ctx context.Context, old tree.Published, take recoverer) (catalogdb.Recovered, error) {
	rd, err := restore.Open(ctx, p.bucket, p.keys.Load().trusted, p.rows, old.Release, old.Body)
	if err != nil {
		return catalogdb.Recovered{}, err
	}
	return take(ctx, old.Release, rd.All(ctx), rd.Revision, old.Now)
}

// mend puts right the pair of a pointer that is foreign for the want of a signature, if a publish of ours died between
// its two halves: there is the record of this very pointer. The error is [errRepaired] then, among others, and why otherwise.
func (p *Publisher) mend(ctx context.Context, old tree.Published, why error) error {
	f := formatOf(old.Release)
	if !f.inseparable() || !recorded(ctx, p.bucket, p.keys.Load().trusted, old) {
		return why
	}
	return errors.Join(p.repair(ctx, f, old, false), why)
}

// recorded reports whether the manifest of a pointer is there, beside a public key of ours.
func recorded(ctx context.Context, b tree.Reader, keys sign.Keyring, old tree.Published) bool {
	_, err := tree.ReadManifest(ctx, b, old.Release, tree.ManifestKey(old.Release, old.Revision, tree.Sum(old.Body)))
	v, keyErr := tree.VersionOf(ctx, b, layout.GPGKeyKey(old.Release.Repository))
	return err == nil && keyErr == nil && v != "" && tree.CheckOurs(ctx, b, keys, old.Release.Repository) == nil
}

// maxRebuilds bounds how often a rebuild begins again because somebody published meanwhile.
const maxRebuilds = 5

// Rebuild takes the rows of a release over from its published indexes and their manifest, also if the catalog
// believes to have them: what it has beyond, such as uploads that are not published yet, stays. Publishing
// is left to [Publisher.Reindex] or [Publisher.Release]. The release's settings have to be known
// ([Publisher.Settings]). If nothing is published, the error is [ErrNotExist].
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
			done, err = p.takeOver(ctx, old, p.catalog.Rebuild)
		}
		if errors.Is(err, tree.ErrForeign) {
			err = p.mend(ctx, old, err)
		}
		switch {
		case err == nil:
			return done, nil
		case n == maxRebuilds || !errors.Is(err, errRepaired) && !errors.Is(err, catalogdb.ErrOutdated): // somebody has just published, or the bucket was restored from an old copy
			return catalogdb.Recovered{}, fmt.Errorf("rebuild %s: %w", r, err)
		}
		if err := wait(ctx, backoff(n)); err != nil {
			return catalogdb.Recovered{}, err
		}
	}
}
