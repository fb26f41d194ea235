package render

import (
	"bytes"

	"repomill/schemas/gzipmember"
)

// A segmenter cuts the rows of an index into segments.
type segmenter struct {
	compressor *compressor
	segments   []*segment
	open       *segment      // the last one, until it is closed
	text       *bytes.Buffer // of it
}

// A row is the text of one package in an index.
type row struct {
	key      []byte // sort key
	boundary bool   // the row starts a segment: [gzipmember.Boundary]
	text     []byte
	ending   string // after the text
	packed   []byte // the gzip member of text, if there is one
}

// add appends a row, of which it keeps a copy.
func (c *segmenter) add(r row) {
	oversized := len(r.text) > gzipmember.Oversized
	if oversized || r.boundary {
		c.close()
	}
	if c.open == nil {
		c.open = &segment{start: bytes.Clone(r.key), fixed: oversized || r.boundary, oversized: oversized}
		c.segments = append(c.segments, c.open)
		c.text = buffers.Get().(*bytes.Buffer)
	}
	c.open.rows++
	c.text.Write(r.text)
	c.text.WriteString(r.ending)
	if oversized {
		packed := r.packed
		if r.ending != "" {
			packed = nil
		}
		c.compressor.put(c.open, c.text, packed)
		c.open = nil
	}
}

// close ends the open segment.
func (c *segmenter) close() {
	if c.open != nil {
		c.compressor.put(c.open, c.text, nil)
		c.open = nil
	}
}
