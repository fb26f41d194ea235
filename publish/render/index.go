// Package render makes the index files of a release from the rows of a snapshot, and updates them at the cost of a change.
package render

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
)

// An Index is one index file: a sequence of segments, each of which is one gzip member of the file. Segment boundaries
// depend on the set of rows alone, so equal rows give equal bytes, independent of earlier renderings.
type Index struct {
	Name   string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	Plain  Digest // of the text
	Packed Digest // of the file

	head    *segment
	rows    []*segment // of rows, in order
	tail    *segment
	scratch *scratch         // holds their bytes
	stored  func() io.Reader // returns the file; set by Stored and Fetch alone, and then no segments are
	summed  []*segment       // the segments that the digests cover
}

// A segment is one gzip member of an index, and the rows in it.
type segment struct {
	start        []byte // sort key of the first row; nil for head and tail
	fixed        bool   // the first row starts a segment, independent of the rows before it
	oversized    bool   // it is one row, whose text is large
	rows         int
	text, member extent

	// The states of both digests at its end. After a change further down, hashing resumes from here.
	textState, memberState []byte

	unproven *stateChange // what its text, which was read from a folder, has to do to the state of a digest; nil if that is proven
}

// A stateChange is the state of a digest before and after some bytes; before is nil at the begin.
type stateChange struct{ before, after []byte }

// A Digest is the size and the SHA-256 of some bytes.
type Digest struct {
	Size   int64
	SHA256 string // lower-case hex
}

// DigestOf reads r to its end and returns the digest of its bytes.
func DigestOf(r io.Reader) (Digest, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, 256<<10))
	return Digest{n, hex.EncodeToString(h.Sum(nil))}, err
}

// segments returns all segments of an index, in order.
func (x *Index) segments() []*segment {
	all := slices.Concat([]*segment{x.head}, x.rows, []*segment{x.tail})
	return slices.DeleteFunc(all, func(s *segment) bool { return s == nil })
}

// count returns how many rows an index shows.
func (x *Index) count() (n int) {
	for _, s := range x.rows {
		n += s.rows
	}
	return n
}

// live returns how many bytes of its scratch file an index needs.
func (x *Index) live() (n int64) {
	for _, s := range x.segments() {
		n += s.text.size + s.member.size
	}
	return n
}

func (x *Index) extents(of func(*segment) extent) []extent {
	var all []extent
	for _, s := range x.segments() {
		all = append(all, of(s))
	}
	return all
}

// Body returns the bytes of the file. It may be called several times, as long as the rendering is not closed.
func (x *Index) Body() io.Reader {
	if x.stored != nil {
		return x.stored()
	}
	return x.scratch.read(x.extents(func(s *segment) extent { return s.member }))
}

// digest computes the digests of a finished index, in g. Segments before the first one that is new since the last call
// are not read again.
func (x *Index) digest(g *errgroup.Group) {
	segments := x.segments()
	same := 0
	for same < min(len(segments), len(x.summed)) && segments[same] == x.summed[same] {
		same++
	}
	x.summed = segments
	g.Go(func() (err error) {
		x.Plain, err = x.sum(segments, same, func(s *segment) (extent, *[]byte) { return s.text, &s.textState })
		return err
	})
	g.Go(func() (err error) {
		x.Packed, err = x.sum(segments, same, func(s *segment) (extent, *[]byte) { return s.member, &s.memberState })
		return err
	})
}

// sum returns the digest of one extent of each segment. The first same segments keep the state of an earlier sum.
func (x *Index) sum(segments []*segment, same int, of func(*segment) (extent, *[]byte)) (d Digest, err error) {
	h := sha256.New()
	if same > 0 {
		_, state := of(segments[same-1])
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(*state); err != nil {
			return d, fmt.Errorf("resume a digest: %w", err)
		}
	}
	buf := make([]byte, 256<<10)
	for i, s := range segments {
		e, state := of(s)
		if d.Size += e.size; i < same {
			continue
		}
		var to io.Writer = h
		prove := func() error { return nil }
		if state == &s.textState && s.unproven != nil {
			to, prove = s.prove(h)
		}
		_, err := io.CopyBuffer(struct{ io.Writer }{to}, x.scratch.read([]extent{e}), buf)
		if err == nil {
			err = prove()
		}
		if err != nil {
			x.scratch.broken.Store(true)
			return d, err
		}
		if *state, err = h.(encoding.BinaryAppender).AppendBinary((*state)[:0]); err != nil {
			return d, fmt.Errorf("keep a digest: %w", err)
		}
	}
	d.SHA256 = hex.EncodeToString(h.Sum(nil))
	return d, nil
}

// prove returns a writer to h for the text of a segment. done is called at its end, and returns [errDamaged] for another text than the one
// that was saved.
func (s *segment) prove(h io.Writer) (to io.Writer, done func() error) {
	saved := sha256.New()
	err := error(nil)
	if s.unproven.before != nil {
		err = saved.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.unproven.before)
	}
	return io.MultiWriter(h, saved), func() error {
		if err != nil {
			return errDamaged
		}
		state, err := saved.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil || !bytes.Equal(state, s.unproven.after) {
			return errDamaged
		}
		s.unproven = nil
		return nil
	}
}

// moveTo copies the live extents of an index to another scratch file.
func (x *Index) moveTo(to *scratch) error {
	for _, s := range x.segments() {
		for _, e := range []*extent{&s.text, &s.member} {
			b := make([]byte, e.size)
			if _, err := io.ReadFull(x.scratch.read([]extent{*e}), b); err != nil {
				return err
			}
			moved, err := to.append(b)
			if err != nil {
				return err
			}
			*e = moved
		}
	}
	x.scratch = to
	return nil
}

// Empty reports whether an index has no rows.
func (x *Index) Empty() bool { return len(x.rows) == 0 }
