package publish

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
)

// An index is an index file: a row of segments, each of which is one gzip member of the file. Where one
// ends depends on the set of rows alone, so that equal rows give equal bytes, whatever was there before.
type index struct {
	name   string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	head   *segment
	rows   []*segment // of rows, in order
	tail   *segment
	spool  *spool           // has their bytes
	stored func() io.Reader // instead of all these: the file as the bucket has it
	plain  digest           // of the text
	packed digest           // of the file
	summed []*segment       // the segments of which these are the digests
}

// A segment is one gzip member of an index, with the rows that are in it.
type segment struct {
	start        []byte // sort key of the first row; nil for head and tail
	hard         bool   // the first row starts a segment whatever comes before it
	alone        bool   // it is one row, whose text is large
	rows         int
	text, member extent

	// The state of the digests behind it, from which one goes on after a change further down.
	textState, memberState []byte
}

// A digest is the size and SHA-256 of some bytes.
type digest struct {
	size   int64
	sha256 string
}

func digestOf(r io.Reader) (digest, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, 256<<10))
	return digest{n, hex.EncodeToString(h.Sum(nil))}, err
}

// segments returns all segments of an index, in order.
func (x *index) segments() []*segment {
	all := slices.Concat([]*segment{x.head}, x.rows, []*segment{x.tail})
	return slices.DeleteFunc(all, func(s *segment) bool { return s == nil })
}

// count returns how many rows an index shows.
func (x *index) count() (n int) {
	for _, s := range x.rows {
		n += s.rows
	}
	return n
}

// live returns how many bytes of its spool an index needs.
func (x *index) live() (n int64) {
	for _, s := range x.segments() {
		n += s.text.size + s.member.size
	}
	return n
}

func (x *index) extents(of func(*segment) extent) []extent {
	var all []extent
	for _, s := range x.segments() {
		all = append(all, of(s))
	}
	return all
}

// body returns the bytes of the file.
func (x *index) body() io.Reader {
	if x.stored != nil {
		return x.stored()
	}
	return x.spool.read(x.extents(func(s *segment) extent { return s.member }))
}

// digest takes the digests of a finished index. What stands before the first segment that is new since the
// last time need not be read again.
func (x *index) digest(g *errgroup.Group) {
	segments := x.segments()
	same := 0
	for same < min(len(segments), len(x.summed)) && segments[same] == x.summed[same] {
		same++
	}
	x.summed = segments
	g.Go(func() (err error) {
		x.plain, err = x.sum(segments, same, func(s *segment) (extent, *[]byte) { return s.text, &s.textState })
		return err
	})
	g.Go(func() (err error) {
		x.packed, err = x.sum(segments, same, func(s *segment) (extent, *[]byte) { return s.member, &s.memberState })
		return err
	})
}

// sum returns the digest of a piece of each segment, of which the first ones were summed before.
func (x *index) sum(segments []*segment, same int, of func(*segment) (extent, *[]byte)) (d digest, err error) {
	h := sha256.New()
	if same > 0 {
		_, state := of(segments[same-1])
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(*state); err != nil {
			return d, fmt.Errorf("take up a digest: %w", err)
		}
	}
	buf := make([]byte, 256<<10)
	for i, s := range segments {
		e, state := of(s)
		if d.size += e.size; i < same {
			continue
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, x.spool.read([]extent{e}), buf); err != nil {
			return d, err
		}
		if *state, err = h.(encoding.BinaryAppender).AppendBinary((*state)[:0]); err != nil {
			return d, fmt.Errorf("keep a digest: %w", err)
		}
	}
	d.sha256 = hex.EncodeToString(h.Sum(nil))
	return d, nil
}

// moveTo copies what is live of an index to another spool.
func (x *index) moveTo(to *spool) error {
	for _, s := range x.segments() {
		for _, e := range []*extent{&s.text, &s.member} {
			b := make([]byte, e.size)
			if _, err := io.ReadFull(x.spool.read([]extent{*e}), b); err != nil {
				return err
			}
			moved, err := to.append(b)
			if err != nil {
				return err
			}
			*e = moved
		}
	}
	x.spool = to
	return nil
}
