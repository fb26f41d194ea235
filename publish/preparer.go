package publish

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A Preparer renders releases, or parts of them, and stores the index files. It has no signing key and writes no pointer. Workers of
// an engine use it, and the process with the keys publishes its files ([Publisher.ReleasePrepared]). Each [Publisher] contains one.
// Its methods may be called concurrently.
type Preparer struct {
	bucket     Bucket
	snapshots  Snapshots
	now        func() time.Time
	log        *slog.Logger
	renderings render.Cache
	locks      sync.Map // catalog.Release -> chan struct{}: one publish of a release at a time in this process
}

// lock waits until no other publish of the release runs in this process, and keeps others out until unlock is called.
func (p *Preparer) lock(ctx context.Context, r catalog.Release) (unlock func(), err error) {
	l, _ := p.locks.LoadOrStore(r, make(chan struct{}, 1))
	held := l.(chan struct{})
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read reads the published release.
func (p *Preparer) read(ctx context.Context, r catalog.Release) (tree.Published, error) {
	return tree.Read(ctx, p.bucket, p.now, r)
}

// render renders the indexes of a snapshot. The caller puts the rendering back into p.renderings.
func (p *Preparer) render(ctx context.Context, f format, snap *catalogdb.Snapshot) (*render.Rendering, error) {
	plan, err := f.plan(snap)
	if err != nil {
		return nil, err
	}
	see, wait := ensureCopies(ctx, p.bucket, snap)
	rd, err := p.renderings.Render(ctx, plan, snap, see)
	if copyErr := wait(); copyErr != nil { // it is also the cause of a rendering that ended early
		if err == nil {
			p.renderings.Leave(rd)
		}
		return nil, copyErr
	}
	return rd, err
}
