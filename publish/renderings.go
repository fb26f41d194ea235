package publish

import (
	"context"
	"sync"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// DefaultCache is how many bytes of rendered indexes a publisher keeps, unless configured otherwise.
const DefaultCache = 8 << 30

// renderings are those that a publisher keeps for the next revision of their releases. Losing one costs
// time only. Whoever renders has one for himself: take it, and put it back.
type renderings struct {
	dir   string // of the spools
	limit int64  // bytes

	mu    sync.Mutex
	kept  map[catalog.Release]*rendering
	order []catalog.Release // the one that was of use last at the end
}

// take removes what is kept of a release, if anything, and returns it.
func (k *renderings) take(r catalog.Release) *rendering {
	k.mu.Lock()
	defer k.mu.Unlock()
	rd := k.kept[r]
	k.forget(r)
	return rd
}

// put keeps a rendering, and closes others that there is no room for beside it.
func (k *renderings) put(r catalog.Release, rd *rendering) {
	if rd.closed || rd.spool.broken.Load() {
		rd.close()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[r] = rd
	k.order = append(k.order, r)
	size := int64(0)
	for i := len(k.order) - 1; i >= 0; i-- {
		old := k.order[i]
		if size += k.kept[old].spool.size.Load(); size > k.limit {
			k.kept[old].close()
			k.forget(old)
		}
	}
}

func (k *renderings) forget(r catalog.Release) {
	delete(k.kept, r)
	for i, other := range k.order {
		if other == r {
			k.order = append(k.order[:i], k.order[i+1:]...)
			return
		}
	}
}

// render returns the indexes of a snapshot, made of what is kept as far as that goes. The caller puts the
// rendering back, or closes it.
func (k *renderings) render(ctx context.Context, p plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) (*rendering, error) {
	if rd := k.take(snap.Release); rd != nil {
		followed, err := rd.follow(ctx, k.dir, p, snap)
		if followed && err == nil {
			return rd, nil
		}
		rd.close()
		if err != nil {
			return nil, err
		}
	}
	return renderWhole(ctx, k.dir, p, snap, see)
}
