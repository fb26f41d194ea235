package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
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
	if p.signer == nil {
		return Reindexed{Release: r}, errNoKey
	}
	var res Reindexed
	for n := 1; ; n++ {
		res, err = p.reindex(ctx, r, how)
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
	return res, nil
}

func (p *Publisher) reindex(ctx context.Context, r catalog.Release, how Reindexing) (res Reindexed, err error) {
	f := formatOf(r)
	res.Release = r
	old, err := p.read(ctx, f, r)
	if err != nil {
		return res, err
	}
	damaged, err := p.verify(ctx, f, old, how.Repair)
	if err != nil {
		return res, err
	}
	if damaged { // what others made may be what is damaged
		how.Prepared = nil
	}
	open := p.snapshot // which takes over settings that the catalog lacks
	if how.DryRun {
		open = func(ctx context.Context, old published) (*catalogdb.Snapshot, error) {
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
	p.renderings.put(r, rd)
	if how.DryRun {
		return res, nil
	}
	snap.Close() //nolint:errcheck // the catalog is about to be written to
	if damaged {
		if err := p.restore(ctx, r, rd); err != nil {
			return res, err
		}
	}
	return res, p.bringUp(ctx, f, old, snap.Revision, mode{repair: true, prepared: how.Prepared}, &res)
}

// mayReindex has lost history recovered first. A dry run cannot.
func (p *Publisher) mayReindex(ctx context.Context, old published, snap *catalogdb.Snapshot, how Reindexing) error {
	if how.DryRun && old.exists && old.revision != snap.Revision {
		drew, err := p.catalog.Drew(ctx, snap.Release, old.revision)
		if err == nil && !drew {
			err = errors.New("the catalog has lost history: it never made what is published; without --dry-run, the published rows are taken over first")
		}
		return err
	}
	if how.DryRun {
		return nil
	}
	return p.mayPublish(ctx, old, snap, mode{})
}

// maxLost is how many swaps a reindex loses before it has the release for itself.
const maxLost = 2

// bringUp publishes what is rendered, unless it is published already. If others publish meanwhile, they may
// do so with segments that they keep from before, and their indexes are compared, too.
func (p *Publisher) bringUp(ctx context.Context, f format, old published, revision catalog.Revision, m mode, res *Reindexed) error {
	before := old.revision
	for different := res.Different; ; {
		if different && old.exists && revision == old.revision {
			if err := p.catalog.Redraw(ctx, old.release, revision, old.now); err != nil {
				return err
			}
		}
		if res.Lost >= maxLost {
			defer p.hold(ctx, old.release)()
		}
		done, err := p.settleRelease(ctx, old.release, m)
		if err != nil {
			return err
		}
		res.Revision, res.Changed, res.Packages = done.Revision, done.Revision != before, max(done.Packages, res.Packages)
		res.Lost += done.Again
		if done.own || !different && !done.Changed {
			return nil
		}
		if old, revision, different, err = p.compareAgain(ctx, f, old.release); err != nil || !different {
			return err
		}
	}
}

// compareAgain reports whether what others published is not what the rows make.
func (p *Publisher) compareAgain(ctx context.Context, f format, r catalog.Release) (old published, revision catalog.Revision, different bool, err error) {
	if old, err = p.read(ctx, f, r); err != nil {
		return old, revision, false, err
	}
	snap, err := p.snapshot(ctx, old)
	if err != nil {
		return old, revision, false, err
	}
	defer snap.Close() //nolint:errcheck // a read
	rd, err := p.render(ctx, f, snap)
	if err != nil {
		return old, revision, false, err
	}
	defer p.renderings.put(r, rd)
	return old, snap.Revision, !bytes.Equal(f.text(old.body), f.pointer(snap, rd, old.revision, old.date)), nil
}

// hold asks other publishers to wait, and returns what lets them go on. Without it, swaps may be lost again.
func (p *Publisher) hold(ctx context.Context, r catalog.Release) (letGo func()) {
	if _, err := p.catalog.Hold(ctx, r, p.name, holdLength, p.now()); err != nil {
		p.log.Warn("release not held", "release", r.String(), "error", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
		defer cancel()
		if err := p.catalog.LetGo(ctx, r, p.name); err != nil {
			p.log.Warn("hold not given up; it ends by itself", "release", r.String(), "error", err)
		}
	}
}

// verify checks what is published as a client would: the signature of the pointer, and the digests of all
// index files. It reports whether index files are missing or damaged, if that is to be repaired.
func (p *Publisher) verify(ctx context.Context, f format, old published, repair bool) (damaged bool, err error) {
	if !old.exists {
		return false, nil
	}
	key := layout.PointerKey(old.release)
	if _, err := f.open(ctx, p.bucket, p.keyring, old.release, old.body); err != nil {
		if errors.Is(err, ErrForeign) && p.recorded(ctx, old) { // a torn pair of ours, which is repaired as any
			err = nil
		}
		switch {
		case errors.Is(err, ErrForeign):
			return false, fmt.Errorf("what is published does not verify: %s has no good signature by a key of --signing-key: it was changed or damaged, or another instance published it", key)
		case err != nil:
			return false, fmt.Errorf("what is published does not verify: %s: %w", key, err)
		}
	}
	for _, x := range old.indexes {
		problem, err := p.problemOf(ctx, x.packed)
		switch {
		case err != nil:
			return false, err
		case problem == "":
		case !repair:
			return false, fmt.Errorf("what is published does not verify: %s, which %s names, %s: look what happened to it; --repair writes it anew from the rows", x.packed.Key, key, problem)
		default:
			damaged = true
		}
	}
	return damaged, nil
}

// problemOf says what is wrong with a stored object, if anything.
func (p *Publisher) problemOf(ctx context.Context, o ManifestObject) (string, error) {
	body, _, err := p.bucket.Get(ctx, o.Key)
	if errors.Is(err, ErrNotExist) {
		return "is missing", nil
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	d, err := digestOf(io.LimitReader(body, o.Size+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", o.Key, err)
	case d.size != o.Size:
		return fmt.Sprintf("has not its %d bytes", o.Size), nil
	case d.sha256 != o.SHA256:
		return fmt.Sprintf("has other bytes than its SHA-256 %s", o.SHA256), nil
	}
	return "", nil
}

// restore writes those index files anew that are missing or damaged, as far as the rows make them still.
func (p *Publisher) restore(ctx context.Context, r catalog.Release, rd *rendering) error {
	for _, x := range rd.indexes {
		file := formatOf(r).file(r, x)
		problem, err := p.problemOf(ctx, file.object())
		if err != nil {
			return err
		}
		if problem == "" {
			continue
		}
		v, err := versionOf(ctx, p.bucket, file.key)
		if err != nil {
			return err
		}
		if _, err = p.bucket.Swap(ctx, v, layout.ObjectOf(file.key), x.body()); err != nil {
			return err
		}
		p.log.Warn("wrote an index file anew", "key", file.key, "problem", problem)
	}
	return nil
}

// compare says how a rendering differs from what is published.
func (p *Publisher) compare(ctx context.Context, f format, old published, snap *catalogdb.Snapshot, rd *rendering, seen identities, res *Reindexed) {
	res.Packages, res.Revision = rd.packages, old.revision
	published := map[string]ManifestObject{}
	for _, x := range old.indexes {
		published[x.name] = x.packed
	}
	for _, x := range rd.indexes {
		if was := published[x.name]; was.SHA256 != x.packed.sha256 || was.Size != x.packed.size {
			res.Files = append(res.Files, x.name)
			res.Bytes += x.packed.size
		}
	}
	res.Different = !old.exists || !bytes.Equal(f.text(old.body), f.pointer(snap, rd, old.revision, old.date))
	switch {
	case !old.exists:
		res.Added = rd.packages
	case len(res.Files) > 0:
		var err error
		if res.Added, res.Removed, err = p.difference(ctx, old, seen); err != nil {
			res.Added, res.Removed = -1, -1 // the published indexes cannot be read back, for which there is --repair
			p.log.Warn("packages not compared with the published ones", "release", snap.Release.String(), "error", err)
		}
	}
}

// difference compares packages with those in the published indexes.
func (p *Publisher) difference(ctx context.Context, old published, seen identities) (added, removed int, err error) {
	rd, err := openRelease(ctx, p.bucket, p.keyring, p.rows, old.release, old.body)
	if err != nil {
		return 0, 0, err
	}
	for k, err := range rd.format.rows(ctx, rd) {
		if err != nil {
			return 0, 0, err
		}
		if !seen.remove(k.Component, k.Name, k.Version, k.Arch) {
			removed++
		}
	}
	return len(seen.set), removed, nil
}

// renderAnew makes a rendering of a snapshot's rows alone, and makes sure that the file of each package is there.
func (p *Publisher) renderAnew(ctx context.Context, f format, snap *catalogdb.Snapshot, how Reindexing) (*rendering, identities, error) {
	seen := newIdentities()
	plan, err := f.plan(snap)
	if err != nil {
		return nil, seen, err
	}
	total, err := snap.Count(ctx)
	if err != nil {
		return nil, seen, err
	}
	files, err := p.files(ctx, snap.Release)
	if err != nil {
		return nil, seen, err
	}
	if old := p.renderings.take(snap.Release); old != nil {
		old.close()
	}
	spread := p.ensureNoarch(ctx, snap)
	see := func(e *catalogdb.Entry) error {
		seen.add(string(e.Component), string(e.Name), string(e.Version), string(e.Arch))
		if how.Progress != nil {
			how.Progress(len(seen.set), total)
		}
		switch {
		case spread == nil:
			files.check(fileKey(snap.Release, e), e)
		case !how.DryRun:
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
		rd, err = renderWhole(ctx, p.renderings.dir, plan, snap, see)
	}
	if err == nil {
		err = files.problem()
	}
	if err != nil {
		if rd != nil {
			rd.close()
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
	old, err := p.read(ctx, formatOf(r), r)
	if err == nil && !old.exists {
		err = fmt.Errorf("read %s: %w", layout.PointerKey(r), ErrNotExist)
	}
	var done catalogdb.Recovered
	if err == nil {
		done, err = p.takeOver(ctx, old, p.catalog.Rebuild)
	}
	if err != nil {
		return catalogdb.Recovered{}, fmt.Errorf("rebuild %s: %w", r, err)
	}
	return done, nil
}
