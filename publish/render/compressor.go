package render

import (
	"bytes"
	"crypto/sha256"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/gzipmember"
)

// A compressor compresses segments concurrently and appends them to a scratch file. One goroutine uses it.
type compressor struct {
	scratch *scratch
	running errgroup.Group
	texts   map[[sha256.Size]byte]*segment // by digest of the text; nil if equal texts are not expected
	equal   []equalSegments
}

// equalSegments are two segments with one text: the second one lies where the first one does.
type equalSegments struct{ first, second *segment }

func newCompressor(s *scratch) *compressor {
	p := &compressor{scratch: s}
	p.running.SetLimit(runtime.GOMAXPROCS(0))
	return p
}

// buffers hold text until it is in a scratch file.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// members hold a gzip member until it is in a scratch file.
var members = sync.Pool{New: func() any { return new([]byte) }}

// share has equal texts compressed and stored once: packages for all architectures are in the index of each.
func (p *compressor) share() *compressor {
	p.texts = map[[sha256.Size]byte]*segment{}
	return p
}

// put compresses text asynchronously and records its extents in s. It takes ownership of text. packed is the gzip member
// of text if the caller has it already. put blocks while all workers are busy.
func (p *compressor) put(s *segment, text *bytes.Buffer, packed []byte) {
	if p.texts != nil {
		sum := sha256.Sum256(text.Bytes())
		if first := p.texts[sum]; first != nil {
			p.equal = append(p.equal, equalSegments{first, s})
			recycle(text)
			return
		}
		p.texts[sum] = s
	}
	p.running.Go(func() (err error) {
		if packed == nil {
			room := members.Get().(*[]byte)
			defer members.Put(room)
			packed = gzipmember.Append((*room)[:0], text.Bytes())
			if cap(packed) < 8*gzipmember.Oversized {
				*room = packed
			}
		}
		if s.text, err = p.scratch.append(text.Bytes()); err == nil {
			s.member, err = p.scratch.append(packed)
		}
		recycle(text)
		return err
	})
}

// recycle keeps the memory of a text for another one.
func recycle(text *bytes.Buffer) {
	if text.Reset(); text.Cap() < 8*gzipmember.Oversized {
		buffers.Put(text)
	}
}

// wait returns when the extents of all segments are recorded, with the first error.
func (p *compressor) wait() error {
	err := p.running.Wait()
	for _, e := range p.equal {
		e.second.text, e.second.member = e.first.text, e.first.member
	}
	p.equal = nil
	return err
}

// one returns a segment of a text without rows; nil for a nil text. Its extents are recorded when wait returns.
func (p *compressor) one(text []byte) *segment {
	if text == nil {
		return nil
	}
	s, b := &segment{}, buffers.Get().(*bytes.Buffer)
	b.Write(text)
	p.put(s, b, nil)
	return s
}
