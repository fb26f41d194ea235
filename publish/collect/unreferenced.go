package collect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sort"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
)

// pastLists are the lists of withdrawn packages of the last retention period, by release.
type pastLists map[catalog.Release]*pastList

// A pastList has the lists that the publishes of a release named in the last retention period.
type pastList struct {
	unpublished bool                 // clients see no package of the release
	complete    bool                 // the manifests reach back so far
	lists       []tree.WithdrawnList // each once
	chunks      map[string]digests   // those that were read, by digest
}

// digests are packages of a release, each by the first half of a digest of its identity.
type digests map[[16]byte]bool

func identityOf(k catalog.Package) [16]byte {
	sum := sha256.Sum256([]byte(k.Component + "\x00" + k.Name + "\x00" + k.Canonical + "\x00" + k.Arch + "\x00" + k.Variant))
	return [16]byte(sum[:])
}

// unreferenced reports whether no pointer of the last retention period names a withdrawn package. The row alone
// cannot decide it: the withdrawal may have been published long after it was recorded, or taken back in a catalog that
// was lost since.
func (c *Collector) unreferenced(ctx context.Context, k catalog.Package, now time.Time, seen pastLists) (bool, error) {
	ds, err := c.distribution(ctx, k)
	if err != nil {
		return false, err
	}
	for _, r := range releasesOf(k, ds) {
		p := seen[r]
		if p == nil {
			if p, err = c.listsSince(ctx, r, now.Add(-c.retention-slack)); err != nil {
				return false, err
			}
			seen[r] = p
		}
		if ok, err := c.withdrawn(ctx, p, k); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// listsSince follows the manifests of a release back from the live pointer to the one that was live at a time, and reads what names the
// chunks of their lists. A publish without withdrawn packages ends it: then no package is in all lists.
func (c *Collector) listsSince(ctx context.Context, r catalog.Release, at time.Time) (*pastList, error) {
	p := &pastList{chunks: map[string]digests{}}
	h, err := c.history(ctx, r)
	if err != nil || h.live == "" {
		p.unpublished = true
		return p, err
	}
	recent, err := c.manifestsSince(ctx, h, at)
	if err != nil {
		return p, err
	}
	read := map[string]bool{} // lists, by digest
	seen := map[string]bool{} // pointers: one that is published again leads back to itself
	for sum := h.live; ; {
		w, ok := h.manifests[sum]
		if !ok || seen[sum] {
			return p, nil
		}
		seen[sum] = true
		m, ok := recent[sum]
		if !ok {
			if m, err = c.manifest(ctx, r, w); err != nil {
				return p, err
			}
		}
		list := m.Withdrawn
		if list == nil {
			list = m.Yanked
		}
		if list == nil {
			return p, nil
		}
		if sum = m.Previous; !read[list.SHA256] {
			read[list.SHA256] = true
			l, err := tree.ReadWithdrawnList(ctx, c.bucket, r, m)
			if err != nil {
				return p, err
			}
			p.lists = append(p.lists, l)
		}
		if !w.at.After(at) {
			p.complete = true
			return p, nil
		}
	}
}

// withdrawn reports whether all lists have a package. It reads the chunks in which the package has to be, each once.
func (c *Collector) withdrawn(ctx context.Context, p *pastList, k catalog.Package) (bool, error) {
	if p.unpublished || !p.complete {
		return p.unpublished, nil
	}
	for _, l := range p.lists {
		at := sort.Search(len(l.Chunks), func(i int) bool { return bytes.Compare(l.Chunks[i].Start, k.SortKey) > 0 }) - 1
		if at < 0 {
			return false, nil
		}
		in, err := c.packagesIn(ctx, p, l.Chunks[at])
		if err != nil || !in[identityOf(k)] {
			return false, err
		}
	}
	return true, nil
}

// packagesIn returns the packages in a chunk.
func (c *Collector) packagesIn(ctx context.Context, p *pastList, chunk tree.WithdrawnChunk) (digests, error) {
	if in, ok := p.chunks[chunk.SHA256]; ok {
		return in, nil
	}
	in := digests{}
	for k, err := range chunk.Packages(ctx, c.bucket) {
		if err != nil {
			return nil, err
		}
		in[identityOf(k)] = true
	}
	p.chunks[chunk.SHA256] = in
	return in, nil
}
