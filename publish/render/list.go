package render

import (
	"iter"

	"golang.org/x/sync/errgroup"
)

// A Line is one entry of a list.
type Line struct {
	Key      []byte // sort key
	Boundary bool   // the line starts a segment: [gzipmember.Boundary]
	Text     []byte // without its newline
}

// List renders an index of lines that are not rows of the catalog, segmented as other indexes are. It is the only index
// of the rendering. The caller closes the rendering.
func List(dir string, lines iter.Seq2[Line, error]) (*Rendering, error) {
	to, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	x := &Index{scratch: to}
	rd := &Rendering{Indexes: []*Index{x}, scratch: to}
	work := newCompressor(to)
	c := &segmenter{compressor: work}
	for line, lineErr := range lines {
		if err = lineErr; err != nil {
			break
		}
		c.add(row{key: line.Key, boundary: line.Boundary, text: line.Text, ending: "\n"})
	}
	c.close()
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	if err == nil {
		x.rows = c.segments
		var g errgroup.Group
		x.digest(&g)
		err = g.Wait()
	}
	if err != nil {
		rd.Close()
		return nil, err
	}
	return rd, nil
}
