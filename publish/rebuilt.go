package publish

import (
	"bytes"
	"context"
	"errors"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
)

// maxLost is the number of swaps that a reindex loses before it locks the release.
const maxLost = 2

// publishRebuilt publishes a rebuilt release unless its indexes are published already. Other publishers may publish at the same
// time with cached segments, so it compares their indexes, too.
func (p *Publisher) publishRebuilt(ctx context.Context, f format, old tree.Published, revision catalog.Revision, prepared *Prepared, res *Reindexed) error {
	before, r := old.Revision, old.Release
	opt := options{repair: true, once: true, whole: true, prepared: prepared}
	for different, n := res.Different, 1; ; n++ {
		if different && old.Exists && revision == old.Revision {
			if err := p.raiseGeneration(ctx, r, revision, old, &opt); err != nil {
				return err
			}
		}
		done, err := p.publishRelease(ctx, r, opt)
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
		if old, revision, different, err = p.recheck(ctx, f, r); err != nil {
			return err
		}
		if old.Revision == revision && !different {
			res.Revision, res.Changed = revision, revision != before
			return nil
		}
	}
}

// raiseGeneration raises the generation of a release, which issues its next revision. The cached rendering and the prepared
// indexes are of the same rows, and get that revision.
func (p *Publisher) raiseGeneration(ctx context.Context, r catalog.Release, at catalog.Revision, old tree.Published, opt *options) error {
	revision, raised, err := p.catalog.RaiseGeneration(ctx, r, at, old.Now)
	if err != nil || !raised {
		return err
	}
	if rd := p.renderings.Take(r); rd != nil {
		rd.Reissue(at, revision)
		p.renderings.Put(r, rd)
	}
	if opt.prepared != nil {
		reissued := *opt.prepared
		reissued.Revision, reissued.Nonce = revision.Number, revision.Nonce
		opt.prepared = &reissued
	}
	return nil
}

// recheck reads what other publishers have published, and reports whether it differs from what the rows render to.
func (p *Publisher) recheck(ctx context.Context, f format, r catalog.Release) (old tree.Published, revision catalog.Revision, different bool, err error) {
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
	return old, snap.Revision, !bytes.Equal(tree.SignedText(old.Release, old.Body), f.pointer(snap, rd, old.Revision, old.Date, extras{old.Hints, p.publicURL})), nil
}

// lockRelease acquires the advisory lock on a release, and returns the function that releases it. It only logs a failure: without
// the lock, more swaps may be lost, and nothing else.
func (p *Publisher) lockRelease(ctx context.Context, r catalog.Release) (unlock func()) {
	if _, err := p.catalog.LockRelease(ctx, r, p.name, lockLength, p.now()); err != nil {
		p.log.Warn("release not locked", "release", r.String(), "error", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
		defer cancel()
		if err := p.catalog.UnlockRelease(ctx, r, p.name); err != nil {
			p.log.Warn("release not unlocked; the lock expires", "release", r.String(), "error", err)
		}
	}
}
