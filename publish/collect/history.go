package collect

import (
	"context"
	"fmt"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// minPublishes is how many publishes of a release keep their indexes, however old.
const minPublishes = 3

// A history is the manifests of a release, by the SHA-256 of their pointers.
type history struct {
	release   catalog.Release
	manifests map[string]storedManifest
	live      string // SHA-256 of the live pointer; empty if there is none
	revision  catalog.Revision
	indexes   []tree.Index
}

// A storedManifest is a manifest as the bucket lists it.
type storedManifest struct {
	key string
	at  time.Time // just before the swap
}

// live returns the pointer of a release and its SHA-256, which is empty if there is no pointer.
func (c *Collector) live(ctx context.Context, r catalog.Release) (ptr tree.Pointer, sum string, err error) {
	key := layout.PointerKey(r)
	body, meta, err := tree.ReadSmall(ctx, c.bucket, key)
	if err != nil || meta.Version == "" {
		return ptr, "", err
	}
	if ptr, err = tree.ParsePointer(r, body); err != nil {
		return ptr, "", fmt.Errorf("%s: %w", key, err)
	}
	return ptr, tree.Sum(body), nil
}

// history reads the pointer of a release and then lists its manifests, so that the pointer's manifest is among them.
func (c *Collector) history(ctx context.Context, r catalog.Release) (history, error) {
	h := history{release: r, manifests: map[string]storedManifest{}}
	ptr, sum, err := c.live(ctx, r)
	if err != nil {
		return h, err
	}
	h.live, h.revision, h.indexes = sum, ptr.Revision, ptr.Indexes
	return h, c.bucket.List(ctx, layout.HistoryPrefix(r), func(key string, meta layout.Meta) error {
		if pointer, ok := tree.PointerOf(r, key); ok {
			h.manifests[pointer] = storedManifest{key, meta.Modified}
		}
		return nil
	})
}

// packed returns the keys of index files.
func packed(indexes []tree.Index) (keys []string) {
	for _, x := range indexes {
		keys = append(keys, x.Packed.Key)
	}
	return keys
}

// markHistory marks the keys that must stay of a release: those that the live pointer, any manifest since after,
// and the last minPublishes publishes name. A manifest counts whether its swap succeeded or not.
func (s *repositorySweep) markHistory(ctx context.Context, h history, after time.Time) error {
	s.mark(packed(h.indexes)...)
	recent, err := s.collector.manifestsSince(ctx, h, after)
	if err != nil {
		return err
	}
	read := map[string]string{} // manifests that were marked: what each of them replaced
	visit := func(sum string) (previous string, err error) {
		at, ok := h.manifests[sum]
		previous, seen := read[sum]
		if !ok || seen {
			return previous, nil
		}
		m, ok := recent[sum]
		if !ok {
			if m, err = s.collector.manifest(ctx, h.release, at); err != nil {
				return "", err
			}
		}
		s.markRead(ctx, h.release, at.key, m)
		read[sum] = m.Previous
		return m.Previous, nil
	}
	for sum, m := range recent {
		for _, sum := range []string{sum, m.Previous} { // what was replaced was live when this one was written
			if _, err := visit(sum); err != nil {
				return err
			}
		}
	}
	for n, sum := 0, h.live; n < minPublishes && sum != ""; n++ {
		var err error
		if sum, err = visit(sum); err != nil {
			return err
		}
	}
	return nil
}

// markManifest marks a manifest and the keys that it names. It returns the SHA-256 of the previous pointer.
func (s *repositorySweep) markManifest(ctx context.Context, r catalog.Release, key string) (previous string, err error) {
	m, err := tree.ReadManifest(ctx, s.collector.bucket, r, key)
	if err != nil {
		return "", err
	}
	s.markRead(ctx, r, key, m)
	return m.Previous, nil
}

// markRead marks a manifest that was read and the keys that it names.
func (s *repositorySweep) markRead(ctx context.Context, r catalog.Release, key string, m tree.Manifest) {
	keys := []string{key}
	for _, x := range m.Indexes {
		keys = append(keys, x.Key)
	}
	s.markWithdrawn(ctx, r, m)
	s.mark(keys...)
}

// markWithdrawn marks the list of withdrawn packages that a manifest names, and its chunks, which it reads once. If they cannot be
// read, all chunks of the release stay.
func (s *repositorySweep) markWithdrawn(ctx context.Context, r catalog.Release, m tree.Manifest) {
	if m.Yanked != nil {
		s.mark(m.Yanked.Key)
	}
	if m.Withdrawn == nil {
		return
	}
	s.lists.Do(m.Withdrawn.Key, func() (any, error) { //nolint:errcheck // it returns none
		if s.marked(m.Withdrawn.Key) {
			return nil, nil
		}
		keys := []string{m.Withdrawn.Key}
		if chunks, ok := s.collector.manifests.findList(m.Withdrawn.Key); ok {
			s.mark(append(keys, chunks...)...)
			return nil, nil
		}
		l, err := tree.ReadWithdrawnList(ctx, s.collector.bucket, r, m)
		if err != nil {
			s.collector.log.Warn("list of withdrawn packages not read: all parts of such lists of its release stay", "key", m.Withdrawn.Key, "error", err)
			keys = append(keys, tree.WithdrawnChunkKey(r, unread))
		}
		for _, c := range l.Chunks {
			keys = append(keys, c.Object.Key)
		}
		if err == nil {
			s.collector.manifests.keepList(m.Withdrawn.Key, keys[1:])
		}
		s.mark(keys...)
		return nil, nil
	})
}

// unread is marked in place of the digests of chunks whose list was not read.
const unread = "unread"
