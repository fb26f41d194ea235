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

// markHistory adds to named the keys that must stay of a release: those that the live pointer, any manifest since after,
// and the last minPublishes publishes name. A manifest counts whether its swap succeeded or not.
func (c *Collector) markHistory(ctx context.Context, h history, after time.Time, named map[string]bool) error {
	for _, x := range h.indexes {
		named[x.Packed.Key] = true
	}
	read := map[string]string{} // manifests that were read: what each of them replaced
	visit := func(sum string) (previous string, err error) {
		m, ok := h.manifests[sum]
		previous, seen := read[sum]
		if !ok || seen {
			return previous, nil
		}
		read[sum], err = c.markManifest(ctx, h.release, m.key, named)
		return read[sum], err
	}
	for sum, m := range h.manifests {
		if m.at.Before(after) {
			continue
		}
		previous, err := visit(sum)
		if err == nil {
			_, err = visit(previous) // was live when that one was written
		}
		if err != nil {
			return err
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

// markManifest adds a manifest and the keys that it names to named. It returns the SHA-256 of the previous pointer.
func (c *Collector) markManifest(ctx context.Context, r catalog.Release, key string, named map[string]bool) (previous string, err error) {
	m, err := tree.ReadManifest(ctx, c.bucket, r, key)
	if err != nil {
		return "", err
	}
	named[key] = true
	for _, x := range m.Indexes {
		named[x.Key] = true
	}
	if m.Yanked != nil {
		named[m.Yanked.Key] = true
	}
	return m.Previous, nil
}
