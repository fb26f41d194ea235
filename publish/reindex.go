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

// Reindexing has the options of [Publisher.Reindex].
type Reindexing struct {
	DryRun   bool                  // write nothing, and report what would change
	Repair   bool                  // write missing or damaged published index files again, instead of returning an error
	Progress func(done, total int) // called with the number of rendered packages for each one, by one goroutine; may be nil
	Prepared *Prepared             // index files that a job has prepared; ignored if the rows have changed since
}

// Reindexed is the result of a reindex of one release.
type Reindexed struct {
	Release   catalog.Release
	Revision  catalog.Revision // that clients see now
	Packages  int
	Different bool     // the rows render to other indexes than the published ones
	Changed   bool     // clients see another revision now; never after a dry run
	Added     int      // packages that the published indexes did not have; -1 if the indexes cannot be read
	Removed   int      // packages that only the published indexes had; -1 if the indexes cannot be read
	Files     []string // names of the index files that differ
	Bytes     int64    // size of these, compressed
	Repaired  int      // missing or damaged published index files that were written again
	Lost      int      // swaps that other publishers won
}

// Reindex renders the indexes of a release in whole from its rows, compares them with the published ones and, if they differ,
// publishes them. Clients see the old indexes until the new ones are complete. Uploads continue: it publishes the rows at the time
// of its swap. It writes nothing to a release whose indexes do not differ.
//
// It returns an error, and changes nothing, if the file of an active package is missing or has another size, if a row is corrupt, or
// if the published release does not verify. It retries lost swaps; the caller retries other errors. Concurrent calls for one release
// wait for each other.
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
		err = p.withoutFailedKey(ctx, err)
		if err == nil || !retryable(err) || how.DryRun || n == maxAttempts {
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
	if damaged { // the prepared files may be the damaged ones
		how.Prepared = nil
	}
	open := p.snapshot // it imports settings that the catalog lacks
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
	if err := p.checkReindex(ctx, old, snap, how); err != nil {
		return res, err
	}
	rd, seen, err := p.renderWhole(ctx, f, snap, how)
	if err != nil {
		return res, err
	}
	p.compare(ctx, f, old, snap, rd, seen, &res)
	list, err := p.compareWithdrawn(ctx, snap, old, &res)
	if err != nil {
		rd.Close()
		return res, err
	}
	defer list.close()
	if how.DryRun { // the rendering is not kept: new directories did not get their copies
		rd.Close()
		return res, nil
	}
	snap.Close() //nolint:errcheck // the catalog is about to be written to
	if damaged {
		res.Repaired, err = p.restoreIndexes(ctx, r, rd, list)
	}
	if p.renderings.Put(r, rd); err != nil {
		return res, err
	}
	return res, p.publishRebuilt(ctx, f, old, snap.Revision, how.Prepared, &res)
}

// checkReindex recovers lost history first. For a dry run it returns an error instead.
func (p *Publisher) checkReindex(ctx context.Context, old tree.Published, snap *catalogdb.Snapshot, how Reindexing) error {
	if how.DryRun && old.Exists && old.Revision != snap.Revision {
		known, err := p.catalog.KnowsRevision(ctx, snap.Release, old.Revision)
		if err == nil && !known {
			err = errors.New("the catalog has lost history: it never issued the published revision; without --dry-run, the published rows are imported first")
		}
		return err
	}
	if how.DryRun {
		return nil
	}
	return p.checkReplace(ctx, old, snap, options{})
}

// renderWhole renders the rows of a snapshot without cached segments. It returns an error if the file of a package is missing.
func (p *Publisher) renderWhole(ctx context.Context, f format, snap *catalogdb.Snapshot, how Reindexing) (*render.Rendering, identities, error) {
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
		p.renderings.Leave(old)
	}
	spread, wait := ensureCopies(ctx, p.bucket, snap)
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
		case !how.DryRun: // a new directory gets its copy
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
		rd, err = p.renderings.Whole(ctx, plan, snap, see)
	}
	if copyErr := wait(); copyErr != nil {
		err = copyErr
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

// seeAll calls see for every entry.
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
