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
	manifests map[string]written
	live      string // SHA-256 of the live pointer; empty if there is none
	revision  catalog.Revision
	indexes   []tree.Index
}

// written is a manifest that is there.
type written struct {
	key string
	at  time.Time // just before the swap
}

// live returns what the pointer of a release says, and its SHA-256; none if there is no pointer.
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

// history lists the manifests of a release after it has read its pointer, so that the pointer's is among them.
func (c *Collector) history(ctx context.Context, r catalog.Release) (history, error) {
	h := history{release: r, manifests: map[string]written{}}
	ptr, sum, err := c.live(ctx, r)
	if err != nil {
		return h, err
	}
	h.live, h.revision, h.indexes = sum, ptr.Revision, ptr.Indexes
	return h, c.bucket.List(ctx, layout.HistoryPrefix(r), func(key string, meta layout.Meta) error {
		if pointer, ok := tree.PointerOf(r, key); ok {
			h.manifests[pointer] = written{key, meta.Modified}
		}
		return nil
	})
}

// mark adds to named what has to stay of a release: all that a pointer after a time named, whether its
// swap won or not, and all that the last publishes named.
func (c *Collector) mark(ctx context.Context, h history, after time.Time, named map[string]bool) error {
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

// markManifest adds to named what a manifest names, and itself.
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

// pasts are, for some releases, the packages that no pointer of the last retention period named.
type pasts map[catalog.Release]past

type past struct {
	unpublished bool
	withdrawn   map[string]bool // by identity
}

func identityOf(k catalog.Package) string {
	return k.Component + "\x00" + k.Name + "\x00" + k.Canonical + "\x00" + k.Arch + "\x00" + k.Variant
}

// isOut reports whether no pointer of the last retention period names a withdrawn package. The catalog's
// word is not enough: a withdrawal may have been published long after it was asked for, or taken back by
// a catalog that is lost.
func (c *Collector) isOut(ctx context.Context, k catalog.Package, now time.Time, seen pasts) (bool, error) {
	ds, err := c.distribution(ctx, k)
	if err != nil {
		return false, err
	}
	for _, r := range releasesOf(k, ds) {
		p, ok := seen[r]
		if !ok {
			if p, err = c.past(ctx, r, now.Add(-c.retention-slack)); err != nil {
				return false, err
			}
			seen[r] = p
		}
		if !p.unpublished && !p.withdrawn[identityOf(k)] {
			return false, nil
		}
	}
	return true, nil
}

// past follows the manifests of a release back from the live pointer to the one that was live at a time,
// and returns what was withdrawn by all of them. If the chain does not reach that far, that is nothing.
func (c *Collector) past(ctx context.Context, r catalog.Release, at time.Time) (past, error) {
	h, err := c.history(ctx, r)
	if err != nil || h.live == "" {
		return past{unpublished: true}, err
	}
	var withdrawn map[string]bool
	lists := map[string]bool{} // that were read
	seen := map[string]bool{}  // pointers: one that is published again leads back to itself
	for sum := h.live; ; {
		w, ok := h.manifests[sum]
		if !ok || seen[sum] {
			return past{}, nil
		}
		seen[sum] = true
		m, err := tree.ReadManifest(ctx, c.bucket, r, w.key)
		if err != nil || m.Yanked == nil {
			return past{}, err
		}
		if sum = m.Previous; !lists[m.Yanked.SHA256] {
			lists[m.Yanked.SHA256] = true
			if withdrawn, err = c.intersect(ctx, m, withdrawn); err != nil {
				return past{}, err
			}
		}
		if !w.at.After(at) {
			return past{withdrawn: withdrawn}, nil
		}
	}
}

// intersect returns the identities in a manifest's list that are in a set, too; nil is the set of all.
func (c *Collector) intersect(ctx context.Context, m tree.Manifest, set map[string]bool) (map[string]bool, error) {
	both := map[string]bool{}
	for k, err := range tree.Withdrawn(ctx, c.bucket, m) {
		if err != nil {
			return nil, err
		}
		if id := identityOf(k); set == nil || set[id] {
			both[id] = true
		}
	}
	return both, nil
}
