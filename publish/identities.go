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

// identities is a set of packages of one release, as hashes, so that a million fit into memory.
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

// remove removes a package, and reports whether the set had it.
func (s identities) remove(parts ...string) bool {
	id := s.hash(parts...)
	_, there := s.set[id]
	delete(s.set, id)
	return there
}

// A fileListing has the sizes of the package files of a release in the bucket, by hashes of their keys.
type fileListing struct {
	ids   identities
	sizes map[uint64]int64 // bytes

	faults int
	first  []string // of the faults
}

// maxSpelled is the number of faults that an error names.
const maxSpelled = 10

// packageFiles lists the package files of a release.
func packageFiles(ctx context.Context, b tree.Lister, r catalog.Release) (*fileListing, error) {
	s := &fileListing{ids: newIdentities(), sizes: map[uint64]int64{}}
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

// check counts a fault if the file of an entry is missing or has another size.
func (s *fileListing) check(key string, e *catalogdb.Entry) {
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

// problem returns an error that names the faults; nil if there are none.
func (s *fileListing) problem() error {
	if s.faults == 0 {
		return nil
	}
	more := ""
	if s.faults > len(s.first) {
		more = fmt.Sprintf(", and %d more", s.faults-len(s.first))
	}
	return fmt.Errorf("rows and files disagree: %s%s: restore the files from a backup of the bucket, or withdraw the packages with repomill yank", strings.Join(s.first, "; "), more)
}
