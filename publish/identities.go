package publish

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// identities is a set of packages of one release, by hashes: a million of them fit into memory.
type identities struct {
	seed maphash.Seed
	set  map[uint64]struct{}
}

func newIdentities() identities {
	return identities{maphash.MakeSeed(), map[uint64]struct{}{}}
}

func (s identities) hash(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, part := range parts {
		h.WriteString(part) //nolint:errcheck // a hash
		h.WriteByte(0)      //nolint:errcheck // a hash
	}
	return h.Sum64()
}

func (s identities) add(parts ...string) { s.set[s.hash(parts...)] = struct{}{} }

// remove reports whether it was there.
func (s identities) remove(parts ...string) bool {
	id := s.hash(parts...)
	_, there := s.set[id]
	delete(s.set, id)
	return there
}

// stock is the package files of a release as the bucket lists them, by hashes of their keys.
type stock struct {
	ids   identities
	sizes map[uint64]int64 // bytes

	faults int
	first  []string // of the faults
}

// maxSpelled is how many faults are spelled out.
const maxSpelled = 10

// packageFiles lists the package files of a release.
func packageFiles(ctx context.Context, b tree.Lister, r catalog.Release) (*stock, error) {
	s := &stock{ids: newIdentities(), sizes: map[uint64]int64{}}
	prefix := layout.PackagesPrefix(r)
	err := b.List(ctx, prefix, func(key string, meta layout.Meta) error {
		s.sizes[s.ids.hash(key)] = meta.Size
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	return s, nil
}

// check notes whether the file of an entry is not as it should be.
func (s *stock) check(key string, e *catalogdb.Entry) {
	size, there := s.sizes[s.ids.hash(key)]
	if there && size == e.Size {
		return
	}
	if s.faults++; s.faults > maxSpelled {
		return
	}
	what := "is missing"
	if there {
		what = fmt.Sprintf("has %d bytes, and its row %d", size, e.Size)
	}
	s.first = append(s.first, fmt.Sprintf("%s (package %s) %s", key, e, what))
}

// problem says which files are not as they should be.
func (s *stock) problem() error {
	if s.faults == 0 {
		return nil
	}
	more := ""
	if s.faults > len(s.first) {
		more = fmt.Sprintf(", and %d more", s.faults-len(s.first))
	}
	return fmt.Errorf("rows and files disagree: %s%s: restore the files from a backup of the bucket, or withdraw the packages with repomill yank", strings.Join(s.first, "; "), more)
}
