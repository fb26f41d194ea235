package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"runtime"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/gzipmember"
)

// A Line is one entry of a list.
type Line struct {
	Key  []byte // sort key; lines may share one
	Text []byte // without its newline
}

// A Chunk is some lines of a list, as a gzip file.
type Chunk struct {
	Start []byte // sort key of the first line
	Lines int
	File  *Index
}

// startsChunk reports whether lines with a sort key start a chunk. It is true for one key in 512, so that a chunk has 512 lines on
// average, some 50 KB, and what names the chunks of a list of 1,000,000 lines has some 100 KB.
func startsChunk(key []byte) bool {
	sum := sha256.Sum256(key)
	return sum[0] == 0 && sum[1]&1 == 0
}

// A List makes the files of a list that is stored in chunks. Boundaries of chunks depend on the set of sort keys alone, and lines that
// share a sort key are in one chunk. So equal lines give equal chunks, and each chunk but the first starts at a key that starts one in
// any list that has it. The files are kept in a temporary file until Close. One goroutine at a time uses it.
type List struct{ scratch *scratch }

// NewList returns a list whose temporary file is in folder dir; empty for the system's. The caller closes it.
func NewList(dir string) (*List, error) {
	s, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	return &List{s}, nil
}

// Close releases the bytes of all files.
func (l *List) Close() { l.scratch.close() }

// File makes a gzip file of one member. The text is not kept.
func (l *List) File(text []byte) (*Index, error) {
	packed := gzipmember.Append(nil, text)
	e, err := l.scratch.append(packed)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packed)
	return &Index{scratch: l.scratch, head: &segment{member: e}, Packed: Digest{int64(len(packed)), hex.EncodeToString(sum[:])}}, nil
}

// Chunks makes the chunks of a run of lines that come in the order of their sort keys. Memory use depends on the size of chunks, and not
// on their number. The first error of lines, or of ctx, ends it.
func (l *List) Chunks(ctx context.Context, lines iter.Seq2[Line, error]) (all []*Chunk, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var text *bytes.Buffer
	var last []byte
	flush := func() {
		if text == nil {
			return
		}
		c, full := all[len(all)-1], text
		text = nil
		g.Go(func() (err error) {
			c.File, err = l.File(full.Bytes())
			full.Reset()
			buffers.Put(full)
			return err
		})
	}
	for line, lineErr := range lines {
		if err = lineErr; err == nil {
			err = ctx.Err()
		}
		if err != nil {
			break
		}
		if text == nil || !bytes.Equal(line.Key, last) && startsChunk(line.Key) {
			flush()
			text = buffers.Get().(*bytes.Buffer)
			all = append(all, &Chunk{Start: bytes.Clone(line.Key)})
		}
		last = append(last[:0], line.Key...)
		all[len(all)-1].Lines++
		text.Write(line.Text)
		text.WriteByte('\n')
	}
	flush()
	if waitErr := g.Wait(); waitErr != nil { // it is the cause of an ended context
		err = waitErr
	}
	return all, err
}
