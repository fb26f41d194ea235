package render

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
)

// A description is a rendering without the bytes of its segments, as it is saved. All of it is authenticated, so that what a folder is
// trusted with is nothing: the bytes of segments are compared with its digests before they are used.
type description struct {
	Version    int // [Cache.Version]
	Release    string
	Revision   catalog.Revision
	Generation int64
	Shape      string
	Packages   int
	Segments   string // name of the file of segments
	Size       int64  // of that file, as far as the rendering needs it
	Indexes    []describedIndex
}

type describedIndex struct {
	Name          string
	Plain, Packed Digest
	Head, Tail    *describedSegment
	Rows          []describedSegment
}

type describedSegment struct {
	Start                  []byte
	Fixed, Oversized       bool
	Rows                   int
	Text, Member           [2]int64 // offset and size
	TextState, MemberState []byte
}

// describe returns the description of a rendering whose bytes all lie in a file of a folder, authenticated with a secret.
func (rd *Rendering) describe(secret []byte, version int) ([]byte, error) {
	d := description{
		Version: version, Release: rd.release, Revision: rd.revision, Generation: rd.generation, Shape: rd.shape, Packages: rd.Packages,
		Segments: filepath.Base(rd.scratch.path), Size: rd.scratch.size.Load(),
	}
	for _, x := range rd.Indexes {
		in := describedIndex{Name: x.Name, Plain: x.Plain, Packed: x.Packed, Head: x.head.describe(), Tail: x.tail.describe(), Rows: make([]describedSegment, len(x.rows))}
		for i, s := range x.rows {
			in.Rows[i] = *s.describe()
		}
		d.Indexes = append(d.Indexes, in)
	}
	var b bytes.Buffer
	b.Write(make([]byte, sha256.Size))
	if err := gob.NewEncoder(&b).Encode(d); err != nil {
		return nil, fmt.Errorf("save a rendering: %w", err)
	}
	copy(b.Bytes(), authenticate(secret, b.Bytes()[sha256.Size:]))
	return b.Bytes(), nil
}

func authenticate(secret, b []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(b)
	return h.Sum(nil)
}

func (s *segment) describe() *describedSegment {
	if s == nil {
		return nil
	}
	return &describedSegment{
		Start: s.start, Fixed: s.fixed, Oversized: s.oversized, Rows: s.rows, TextState: s.textState, MemberState: s.memberState,
		Text: [2]int64{s.text.offset, s.text.size}, Member: [2]int64{s.member.offset, s.member.size},
	}
}

var (
	// errOtherVersion is returned for a rendering of a version of the program that renders other bytes.
	errOtherVersion = errors.New("another version of the program rendered it")
	// errDamaged is returned for a rendering that is not as it was saved here.
	errDamaged = errors.New("it is damaged, or was not saved with this catalog")
)

// load reads a saved rendering of a release, and verifies its description and the members of its indexes. Texts are verified when they
// are read ([Index.digest]). The error wraps [os.ErrNotExist] if there is none. The caller closes the rendering.
func (f *folder) load(name, release string, secret []byte, version int) (*Rendering, error) {
	b, err := os.ReadFile(f.description(name))
	if err != nil {
		return nil, err
	}
	if len(b) < sha256.Size || !hmac.Equal(b[:sha256.Size], authenticate(secret, b[sha256.Size:])) {
		return nil, errDamaged
	}
	var d description
	if err := gob.NewDecoder(bytes.NewReader(b[sha256.Size:])).Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: %w", errOtherVersion, err)
	}
	if d.Version != version {
		return nil, errOtherVersion
	}
	if d.Release != release {
		return nil, errDamaged
	}
	path := filepath.Join(f.dir, d.Segments)
	x, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	rd := &Rendering{
		Packages: d.Packages, release: d.Release, revision: d.Revision, generation: d.Generation, shape: d.Shape,
		scratch: &scratch{file: x, path: path, named: true},
	}
	rd.scratch.size.Store(d.Size)
	for _, in := range d.Indexes {
		rd.Indexes = append(rd.Indexes, in.index(rd.scratch))
	}
	if err := rd.verifyMembers(); err != nil {
		rd.Close()
		return nil, err
	}
	return rd, nil
}

// index returns an index whose texts are not proven yet.
func (in describedIndex) index(from *scratch) *Index {
	x := &Index{Name: in.Name, Plain: in.Plain, Packed: in.Packed, scratch: from, head: in.Head.segment(), tail: in.Tail.segment()}
	for i := range in.Rows {
		x.rows = append(x.rows, in.Rows[i].segment())
	}
	x.summed = x.segments()
	var before []byte
	for _, s := range x.summed {
		s.unproven = &stateChange{before: before, after: s.textState}
		before, s.textState = s.textState, bytes.Clone(s.textState)
	}
	return x
}

func (d *describedSegment) segment() *segment {
	if d == nil {
		return nil
	}
	return &segment{
		start: d.Start, fixed: d.Fixed, oversized: d.Oversized, rows: d.Rows, textState: d.TextState, memberState: d.MemberState,
		text: extent{offset: d.Text[0], size: d.Text[1]}, member: extent{offset: d.Member[0], size: d.Member[1]},
	}
}

// verifyMembers reads the index files and compares their digests.
func (rd *Rendering) verifyMembers() error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, x := range rd.Indexes {
		g.Go(func() error {
			if d, err := DigestOf(x.Body()); err != nil || d != x.Packed {
				return errDamaged
			}
			return nil
		})
	}
	return g.Wait()
}
