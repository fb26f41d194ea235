package publish

import (
	"context"
	"errors"
	"fmt"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// Reindexing is how to reindex a release.
type Reindexing struct {
	DryRun   bool                  // write nothing, and say what would change
	Repair   bool                  // write published index files that are missing or damaged anew, instead of refusing
	Progress func(done, total int) // packages rendered; may be nil; called for each of them, by one goroutine
	Prepared *Prepared             // the index files, if others made them; of no use once the rows have changed
}

// Reindexed is what a reindex of one release came to.
type Reindexed struct {
	Release   catalog.Release
	Revision  catalog.Revision // what clients see now
	Packages  int
	Different bool     // the rows make other indexes than those that were published
	Changed   bool     // clients see another revision now; never after a dry run
	Added     int      // packages that the published indexes did not have; -1 if these cannot be read back
	Removed   int      // and those that they had beyond; likewise
	Files     []string // names of the index files that are other ones
	Bytes     int64    // of these, compressed
	Repaired  int      // published index files that were missing or damaged, and were written anew
	Lost      int      // swaps that other publishers won meanwhile
}

// Reindex renders the whole indexes of a release from its rows, compares them with what is published and, if
// they are others, publishes them. What clients see stays until all of it is there; uploads are not held
// back: it is the rows at its swap that are published. A release whose indexes are as they should be is not
// written to.
//
// It refuses, and changes nothing, if an active package's file is missing or has another size, if a row is
// corrupt, or if what is published does not verify.
func (p *Publisher) Reindex(ctx context.Context, r catalog.Release, how Reindexing) (Reindexed, error) {
	unlock, err := p.lock(ctx, r)
	if err != nil {
		return Reindexed{Release: r}, err
	}
	defer unlock()
	if p.keys.Load().signer == nil {
		return Reindexed{Release: r}, errNoKey
	}
	var res Reindexed
	repaired := 0
	for n := 1; ; n++ {
		res, err = p.reindex(ctx, r, how)
		repaired += res.Repaired
		err = p.without(ctx, err)
		if err == nil || !again(err) || how.DryRun || n == maxAttempts {
			break
		}
		if err = wait(ctx, backoff(n)); err != nil {
			break
		}
	}
	if err != nil {
		return Reindexed{Release: r}, fmt.Errorf("reindex %s: %w", r, err)
	}
	res.Repaired = repaired
	return res, nil
}

func (p *Publisher) reindex(ctx context.Context, r catalog.Release, how Reindexing) (res Reindexed, err error) {
	f := formatOf(r)
	res.Release = r
	old, err := p.read(ctx, r)
	if err != nil {
		return res, err
	}
	damaged, err := p.verify(ctx, f, old, how.Repair && !how.DryRun)
	if err != nil {
		return res, err
	}
	if damaged { // what others made may be what is damaged
		how.Prepared = nil
	}
	open := p.snapshot // which takes over settings that the catalog lacks
	if how.DryRun {
		open = func(ctx context.Context, old tree.Published) (*catalogdb.Snapshot, error) {
			return p.catalog.Snapshot(ctx, r)
		}
	}
	snap, err := open(ctx, old)
	if err != nil {
		return res, err
	}
	defer snap.Close() //nolint:errcheck // a read
	if err := p.mayReindex(ctx, old, snap, how); err != nil {
		return res, err
	}
	rd, seen, err := p.renderAnew(ctx, f, snap, how)
	if err != nil {
		return res, err
	}
	p.compare(ctx, f, old, snap, rd, seen, &res)
	if how.DryRun { // which has not given a new directory its files
		rd.Close()
		return res, nil
	}
	snap.Close() //nolint:errcheck // the catalog is about to be written to
	if damaged {
		res.Repaired, err = p.restore(ctx, r, rd)
	}
	if p.renderings.Put(r, rd); err != nil {
		return res, err
	}
	return res, p.bringUp(ctx, f, old, snap.Revision, how.Prepared, &res)
}

// mayReindex has lost history recovered first. A dry run cannot.
func (p *Publisher) mayReindex(ctx context.Context, old tree.Published, snap *catalogdb.Snapshot, how Reindexing) error {
	if how.DryRun && old.Exists && old.Revision != snap.Revision {
		known, err := p.catalog.KnowsRevision(ctx, snap.Release, old.Revision)
		if err == nil && !known {
			err = errors.New("the catalog has lost history: it never made what is published; without --dry-run, the published rows are taken over first")
		}
		return err
	}
	if how.DryRun {
		return nil
	}
	return p.mayPublish(ctx, old, snap, mode{})
}

// renderAnew makes a rendering of a snapshot's rows alone, and makes sure that the file of each package is there.
func (p *Publisher) renderAnew(ctx context.Context, f format, snap *catalogdb.Snapshot, how Reindexing) (*render.Rendering, identities, error) {
	seen := newIdentities()
	plan, err := f.plan(snap)
	if err != nil {
		return nil, seen, err
	}
	total, err := snap.Count(ctx)
	if err != nil {
		return nil, seen, err
	}
	files, err := packageFiles(ctx, p.bucket, snap.Release)
	if err != nil {
		return nil, seen, err
	}
	if old := p.renderings.Take(snap.Release); old != nil {
		old.Close()
	}
	spread := ensureCopies(ctx, p.bucket, snap)
	see := func(e *catalogdb.Entry) error {
		seen.add(string(e.Component), string(e.Name), string(e.Version), string(e.Arch))
		if how.Progress != nil {
			how.Progress(len(seen.set), total)
		}
		switch {
		case !plan.Shows(string(e.Component), string(e.Arch)):
			return render.Unshown(snap, e)
		case spread == nil || string(e.Key) == fileKey(snap.Release, e):
			files.check(fileKey(snap.Release, e), e)
		case !how.DryRun: // the directory is new, and gets its copy
			return spread(e)
		}
		return nil
	}
	rd, err := p.prepared(ctx, f, snap, how.Prepared)
	switch {
	case err != nil:
	case rd != nil:
		err = seeAll(ctx, snap, see)
	default:
		rd, err = render.Whole(ctx, p.renderings.Dir, plan, snap, see)
	}
	if err == nil {
		err = files.problem()
	}
	if err != nil {
		if rd != nil {
			rd.Close()
		}
		return nil, seen, err
	}
	return rd, seen, nil
}

// seeAll shows every entry to see.
func seeAll(ctx context.Context, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) error {
	for e, err := range snap.Entries(ctx, catalogdb.Range{Bare: true}) {
		if err == nil {
			err = see(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
