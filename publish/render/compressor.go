package render

import (
	"bytes"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/gzipmember"
)

// A compressor compresses segments concurrently and appends them to a scratch file.
type compressor struct {
	scratch *scratch
	running errgroup.Group
}

func newCompressor(s *scratch) *compressor {
	p := &compressor{scratch: s}
	p.running.SetLimit(runtime.GOMAXPROCS(0))
	return p
}

// buffers hold text until it is in a scratch file.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// put compresses text asynchronously and records its extents in s. It takes ownership of text. packed is the gzip member
// of text if the caller has it already. put blocks while all workers are busy.
func (p *compressor) put(s *segment, text *bytes.Buffer, packed []byte) {
	p.running.Go(func() (err error) {
		if packed == nil {
			packed = gzipmember.Append(nil, text.Bytes())
		}
		if s.text, err = p.scratch.append(text.Bytes()); err == nil {
			s.member, err = p.scratch.append(packed)
		}
		if text.Reset(); text.Cap() < 8*gzipmember.Oversized {
			buffers.Put(text)
		}
		return err
	})
}

// wait returns when the extents of all segments are recorded, with the first error.
func (p *compressor) wait() error { return p.running.Wait() }

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
