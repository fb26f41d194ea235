package publish

import (
	"bytes"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/member"
)

// A press compresses segments, several at a time, and puts them into a spool.
type press struct {
	spool   *spool
	running errgroup.Group
}

func newPress(s *spool) *press {
	p := &press{spool: s}
	p.running.SetLimit(runtime.GOMAXPROCS(0))
	return p
}

// buffers hold text on its way to the spool.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// put gives a segment its bytes, sooner or later. text is the press's from now on. packed is the member
// if it was made before. It waits while there is enough to do.
func (p *press) put(s *segment, text *bytes.Buffer, packed []byte) {
	p.running.Go(func() (err error) {
		if packed == nil {
			packed = member.Append(nil, text.Bytes())
		}
		if s.text, err = p.spool.append(text.Bytes()); err == nil {
			s.member, err = p.spool.append(packed)
		}
		if text.Reset(); text.Cap() < 8*member.Alone {
			buffers.Put(text)
		}
		return err
	})
}

// wait returns when all segments have their bytes.
func (p *press) wait() error { return p.running.Wait() }

// one makes a segment that has no row.
func (p *press) one(text []byte) *segment {
	if text == nil {
		return nil
	}
	s, b := &segment{}, buffers.Get().(*bytes.Buffer)
	b.Write(text)
	p.put(s, b, nil)
	return s
}

// A cutter cuts the rows of an index into segments.
type cutter struct {
	press    *press
	segments []*segment
	open     *segment // the last one, unless it is closed
	text     *bytes.Buffer
}

// A row is what an index has of a package.
type row struct {
	key    []byte // sort key
	border bool   // [member.Border]
	text   []byte
	ending string // after the text
	packed []byte // the member that holds text, if there is one
}

// add appends a row. Nothing of it is kept but a copy.
func (c *cutter) add(r row) {
	alone := len(r.text) > member.Alone
	if alone || r.border {
		c.close()
	}
	if c.open == nil {
		c.open = &segment{start: bytes.Clone(r.key), hard: alone || r.border, alone: alone}
		c.segments = append(c.segments, c.open)
		c.text = buffers.Get().(*bytes.Buffer)
	}
	c.open.rows++
	c.text.Write(r.text)
	c.text.WriteString(r.ending)
	if alone {
		packed := r.packed
		if r.ending != "" {
			packed = nil
		}
		c.press.put(c.open, c.text, packed)
		c.open = nil
	}
}

// close ends the segment at hand.
func (c *cutter) close() {
	if c.open != nil {
		c.press.put(c.open, c.text, nil)
		c.open = nil
	}
}
