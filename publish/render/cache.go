package render

import (
	"cmp"
	"context"
	"sync"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// DefaultCache is how many bytes of renderings a cache keeps, unless configured otherwise.
const DefaultCache = 8 << 30

// DefaultSlack is how many bytes of garbage a scratch file may have beyond its live bytes, unless configured otherwise.
const DefaultSlack = 16 << 20

// A Cache keeps the last rendering of each release for its next revision. Losing one costs time only. A rendering has one
// user: [Cache.Take] removes it from the cache, and [Cache.Put] gives it back. Methods may be called concurrently.
type Cache struct {
	Dir   string // for scratch files; empty for the system's temporary folder
	Limit int64  // bytes of renderings that are kept; 0 for [DefaultCache]
	Slack int64  // bytes; 0 for [DefaultSlack]

	mu    sync.Mutex
	kept  map[catalog.Release]*Rendering
	order []catalog.Release // least recently used first
}

// Take removes and returns the rendering of a release; nil if there is none.
func (k *Cache) Take(r catalog.Release) *Rendering {
	k.mu.Lock()
	defer k.mu.Unlock()
	rd := k.kept[r]
	k.forget(r)
	return rd
}

// Put stores a rendering, of which the caller gives up ownership. It closes the least recently used renderings beyond Limit,
// and one that cannot be updated: a fetched one, or one whose scratch file has failed.
func (k *Cache) Put(r catalog.Release, rd *Rendering) {
	if rd.fetched || rd.scratch.broken.Load() {
		rd.Close()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[catalog.Release]*Rendering{}
	}
	k.kept[r] = rd
	k.order = append(k.order, r)
	size := int64(0)
	for i := len(k.order) - 1; i >= 0; i-- {
		old := k.order[i]
		if size += k.kept[old].scratch.size.Load(); size > cmp.Or(k.Limit, DefaultCache) {
			k.kept[old].Close()
			k.forget(old)
		}
	}
}

func (k *Cache) forget(r catalog.Release) {
	delete(k.kept, r)
	for i, other := range k.order {
		if other == r {
			k.order = append(k.order[:i], k.order[i+1:]...)
			return
		}
	}
}

// Render returns the rendering of a snapshot: the cached one, updated, or a new one ([Whole]). The caller returns it with
// Put, or closes it. see is called for the entries of a new one alone.
func (k *Cache) Render(ctx context.Context, p Plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) (*Rendering, error) {
	if rd := k.Take(snap.Release); rd != nil {
		updated, err := rd.update(ctx, p, snap)
		if updated && err == nil {
			err = rd.compact(k.Dir, cmp.Or(k.Slack, DefaultSlack))
		}
		if updated && err == nil {
			return rd, nil
		}
		rd.Close()
		if err != nil {
			return nil, err
		}
	}
	return Whole(ctx, k.Dir, p, snap, see)
}
