package publish

import (
	"bytes"
	"context"
	"errors"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
)

// maxLost is how many swaps a reindex loses before it has the release for itself.
const maxLost = 2

// bringUp publishes what is rendered, unless it is published already. If others publish meanwhile, they may
// do so with segments that they keep from before, and their indexes are compared, too.
func (p *Publisher) bringUp(ctx context.Context, f format, old tree.Published, revision catalog.Revision, prepared *Prepared, res *Reindexed) error {
	before, r := old.Revision, old.Release
	m := mode{repair: true, once: true, prepared: prepared}
	for different, n := res.Different, 1; ; n++ {
		if different && old.Exists && revision == old.Revision {
			if err := p.raiseGeneration(ctx, r, revision, old, &m); err != nil {
				return err
			}
		}
		done, err := p.settleRelease(ctx, r, m)
		switch {
		case errors.Is(err, ErrConflict) && n < maxAttempts:
			if res.Lost++; res.Lost == maxLost {
				defer p.lockRelease(ctx, r)()
			}
			if err := wait(ctx, backoff(n)); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			res.Revision, res.Changed, res.Packages = done.Revision, done.Revision != before, max(done.Packages, res.Packages)
			if done.own || !different && !done.Changed {
				return nil
			}
		}
		if old, revision, different, err = p.compareAgain(ctx, f, r); err != nil {
			return err
		}
		if old.Revision == revision && !different {
			res.Revision, res.Changed = revision, revision != before
			return nil
		}
	}
}

// raiseGeneration raises the generation of a release, which issues its next revision. What is rendered, or prepared, is
// of the same rows, and gets that revision.
func (p *Publisher) raiseGeneration(ctx context.Context, r catalog.Release, at catalog.Revision, old tree.Published, m *mode) error {
	revision, raised, err := p.catalog.RaiseGeneration(ctx, r, at, old.Now)
	if err != nil || !raised {
		return err
	}
	if rd := p.renderings.Take(r); rd != nil {
		rd.Reissue(at, revision)
		p.renderings.Put(r, rd)
	}
	if m.prepared != nil {
		again := *m.prepared
		again.Revision, again.Nonce = revision.Number, revision.Nonce
		m.prepared = &again
	}
	return nil
}

// compareAgain reports whether what others published is not what the rows make.
func (p *Publisher) compareAgain(ctx context.Context, f format, r catalog.Release) (old tree.Published, revision catalog.Revision, different bool, err error) {
	if old, err = p.read(ctx, r); err != nil {
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
	defer p.renderings.Put(r, rd)
	return old, snap.Revision, !bytes.Equal(tree.SignedText(old.Release, old.Body), f.pointer(snap, rd, old.Revision, old.Date, old.Hints)), nil
}

// lockRelease acquires the advisory lock on a release, and returns what ends it. Without the lock, swaps may be lost again.
func (p *Publisher) lockRelease(ctx context.Context, r catalog.Release) (unlock func()) {
	if _, err := p.catalog.LockRelease(ctx, r, p.name, lockLength, p.now()); err != nil {
		p.log.Warn("release not held", "release", r.String(), "error", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
		defer cancel()
		if err := p.catalog.UnlockRelease(ctx, r, p.name); err != nil {
			p.log.Warn("hold not given up; it ends by itself", "release", r.String(), "error", err)
		}
	}
}
