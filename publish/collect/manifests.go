package collect

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
)

// DefaultRemembered bounds what a collector remembers of manifests, in bytes.
const DefaultRemembered = 64 << 20

// manifests remembers what manifests and lists of withdrawn packages name, so that a sweep reads those alone that no earlier one has read.
// Neither ever changes. What two sweeps did not ask for is forgotten, and what has no room is read each time. Its methods may be called
// concurrently.
type manifests struct {
	limit int64 // bytes

	mu            sync.Mutex
	recent, older remembered
}

// A remembered is what was asked for in a sweep.
type remembered struct {
	size      int64
	manifests map[storedManifest]tree.Manifest
	lists     map[string][]string // keys of chunks, by the key of the list
	texts     map[string]string   // each string once
}

func newRemembered() remembered {
	return remembered{manifests: map[storedManifest]tree.Manifest{}, lists: map[string][]string{}, texts: map[string]string{}}
}

// nextSweep forgets what neither this sweep nor the one before has asked for.
func (m *manifests) nextSweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.older, m.recent = m.recent, newRemembered()
}

// once returns one string of equal ones.
func (r *remembered) once(s string) string {
	if same, ok := r.texts[s]; ok {
		return same
	}
	r.texts[s] = s
	r.size += int64(len(s)) + 48
	return s
}

// object is once for an object.
func (r *remembered) object(o tree.Object) tree.Object {
	o.Key, o.SHA256 = r.once(o.Key), r.once(o.SHA256)
	r.size += 40
	return o
}

// keep remembers a manifest, as far as collection needs it.
func (m *manifests) keep(at storedManifest, x tree.Manifest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recent.manifests == nil {
		m.recent = newRemembered()
	}
	r := &m.recent
	if r.size >= m.limit {
		return
	}
	kept := tree.Manifest{Release: x.Release, Previous: r.once(x.Previous), WithdrawnFormat: x.WithdrawnFormat, Generation: x.Generation}
	kept.Release = r.once(x.Release)
	for _, o := range x.Indexes {
		kept.Indexes = append(kept.Indexes, r.object(o))
	}
	if x.Withdrawn != nil {
		o := r.object(*x.Withdrawn)
		kept.Withdrawn = &o
	}
	if x.Yanked != nil {
		o := r.object(*x.Yanked)
		kept.Yanked = &o
	}
	at.key = r.once(at.key)
	r.manifests[at] = kept
	r.size += 200
}

// find returns a manifest that is remembered.
func (m *manifests) find(at storedManifest) (x tree.Manifest, ok bool) {
	m.mu.Lock()
	x, ok = m.recent.manifests[at]
	older, again := m.older.manifests[at]
	m.mu.Unlock()
	if !ok && again {
		m.keep(at, older)
		return older, true
	}
	return x, ok
}

// keepList remembers the chunks of a list of withdrawn packages.
func (m *manifests) keepList(key string, chunks []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recent.manifests == nil {
		m.recent = newRemembered()
	}
	r := &m.recent
	if r.size >= m.limit {
		return
	}
	kept := make([]string, len(chunks))
	for i, c := range chunks {
		kept[i] = r.once(c)
	}
	r.lists[r.once(key)] = kept
	r.size += 100 + 16*int64(len(kept))
}

// findList returns the chunks of a list that is remembered.
func (m *manifests) findList(key string) (chunks []string, ok bool) {
	m.mu.Lock()
	chunks, ok = m.recent.lists[key]
	older, again := m.older.lists[key]
	m.mu.Unlock()
	if !ok && again {
		m.keepList(key, older)
		return older, true
	}
	return chunks, ok
}

// manifest returns what a manifest names: the objects and the pointer before. It reads it unless it is remembered.
func (c *Collector) manifest(ctx context.Context, r catalog.Release, at storedManifest) (tree.Manifest, error) {
	if m, ok := c.manifests.find(at); ok && m.Release == r.String() {
		return m, nil
	}
	m, err := tree.ReadManifest(ctx, c.bucket, r, at.key)
	if err == nil && !at.at.IsZero() {
		c.manifests.keep(at, m)
	}
	return m, err
}

// manifestsSince returns the manifests of a release that are not older than a time, by the SHA-256 of their pointers. It reads several
// at a time.
func (c *Collector) manifestsSince(ctx context.Context, h history, after time.Time) (map[string]tree.Manifest, error) {
	all := map[string]tree.Manifest{}
	var mu sync.Mutex
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	for sum, at := range h.manifests {
		if at.at.Before(after) {
			continue
		}
		g.Go(func() error {
			m, err := c.manifest(reading, h.release, at)
			mu.Lock()
			defer mu.Unlock()
			all[sum] = m
			return err
		})
	}
	return all, g.Wait()
}
