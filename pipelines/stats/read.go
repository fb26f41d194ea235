package stats

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
)

// The bounds of reading: a line that is longer than maxLine is malformed.
const (
	blockSize = 1 << 20
	maxLine   = 64 << 10
)

// decompress returns the bytes of a log, which may be compressed with gzip, by its first bytes and not by its name.
func decompress(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	magic, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(z, maxLine+1), nil
}

// newFormat returns the reader of the format of a log, by its first line.
func newFormat(first []byte) format {
	switch {
	case bytes.HasPrefix(first, []byte("#")):
		return &w3c{}
	case bytes.HasPrefix(first, []byte("{")):
		return &jsonLines{}
	default:
		return &combined{}
	}
}

// A result is what a log has, from some byte on.
type result struct {
	rows  map[row]*ends
	lines catalog.LogLines
	end   int64 // byte behind the last line, after decompression
}

// A block is a part of a log that ends with a line.
type block struct {
	bytes  []byte
	format format // a new one
}

// read counts the lines of a log from byte from on. Unless the log is closed, lines may be added to it: a line without an end is
// left for the next time. Blocks are counted by several goroutines.
func read(ctx context.Context, r io.Reader, from int64, closed bool) (result, error) {
	b, err := decompress(r)
	if err != nil {
		return result{}, err
	}
	blocks, free := make(chan block, 2), make(chan []byte, 16)
	g, ctx := errgroup.WithContext(ctx)
	counters := make([]*counter, runtime.GOMAXPROCS(0))
	for i := range counters {
		c := newCounter()
		counters[i] = c
		g.Go(func() error {
			for next := range blocks {
				c.block(next.format, next.bytes)
				select {
				case free <- next.bytes[:0]:
				default:
				}
			}
			return nil
		})
	}
	res := result{rows: map[row]*ends{}}
	g.Go(func() error {
		defer close(blocks)
		s := splitter{r: b, from: from, closed: closed, free: free}
		err := s.split(ctx, blocks)
		res.end, res.lines = s.at, s.overlong
		return err
	})
	if err := g.Wait(); err != nil {
		return result{}, err
	}
	for _, c := range counters {
		res.lines.Add(c.lines)
		c.rows(res.rows)
	}
	return res, nil
}

// A splitter cuts a log into blocks.
type splitter struct {
	r        io.Reader
	from     int64
	closed   bool
	free     <-chan []byte
	at       int64 // byte behind the last line that was sent
	overlong catalog.LogLines

	fields []byte // the last "#Fields:" line
	kind   []byte // the first line, which shows the format
}

var errShorter = errors.New("the log is shorter than what was counted of it before: it was overwritten; move it aside, and name the new one")

// split sends blocks until the log ends.
func (s *splitter) split(ctx context.Context, to chan<- block) error {
	var rest []byte // the begin of a line
	skipping := false
	for {
		buffer := append(s.buffer(), rest...)
		begin := len(buffer)
		buffer = buffer[:cap(buffer)]
		n, ended, err := fill(s.r, buffer[begin:])
		if err != nil {
			return err
		}
		buffer = buffer[:begin+n]
		cut := bytes.LastIndexByte(buffer, '\n') + 1
		if ended && s.closed {
			cut = len(buffer)
		}
		rest = bytes.Clone(buffer[cut:])
		if cut == 0 && !ended { // a line of a whole block: its bytes are dropped
			s.at, rest = s.at+int64(len(buffer)), nil
			if !skipping && s.at > s.from {
				s.overlong.Lines, s.overlong.Malformed = s.overlong.Lines+1, s.overlong.Malformed+1
			}
			skipping = true
			continue
		}
		whole := buffer[:cut]
		if skipping && cut > 0 {
			end := bytes.IndexByte(whole, '\n') + 1
			if end == 0 {
				end = len(whole)
			}
			s.at, whole, skipping = s.at+int64(end), whole[end:], false
		}
		if err := s.send(ctx, to, whole); err != nil {
			return err
		}
		if ended {
			if s.at < s.from {
				return errShorter
			}
			return nil
		}
	}
}

// fill reads until buffer is full or the log has ended. A compressed log that ends early is an error.
func fill(r io.Reader, buffer []byte) (n int, ended bool, err error) {
	for n < len(buffer) {
		m, err := r.Read(buffer[n:])
		n += m
		if err == io.EOF { //nolint:errorlint // a log that ends early has another error
			return n, true, nil
		}
		if err != nil {
			return n, false, fmt.Errorf("read the log: %w", err)
		}
	}
	return n, false, nil
}

// send sends lines, without those before from.
func (s *splitter) send(ctx context.Context, to chan<- block, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if s.kind == nil {
		s.kind = bytes.Clone(lines[:min(len(lines), 8)])
	}
	f := newFormat(s.kind)
	if w, ok := f.(*w3c); ok && s.fields != nil {
		if err := w.setFields(s.fields); err != nil {
			return err
		}
	}
	if isW3C := s.kind[0] == '#'; isW3C {
		if err := s.note(lines); err != nil {
			return err
		}
	}
	before := s.at
	s.at += int64(len(lines))
	if s.at <= s.from {
		return nil
	}
	if before < s.from {
		lines = lines[s.from-before:]
		if w, ok := f.(*w3c); ok && s.fields != nil {
			if err := w.setFields(s.fields); err != nil {
				return err
			}
		}
	}
	select {
	case to <- block{lines, f}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note keeps the last line of a block that sets the order of fields, and checks all of them.
func (s *splitter) note(lines []byte) error {
	for {
		i := bytes.Index(lines, []byte(fieldsLine))
		if i < 0 {
			return nil
		}
		line, rest, _ := bytes.Cut(lines[i:], []byte("\n"))
		if i == 0 || lines[i-1] == '\n' {
			s.fields = bytes.Clone(bytes.TrimSuffix(line, []byte("\r")))
			if err := new(w3c).setFields(s.fields); err != nil {
				return err
			}
		}
		lines = rest
	}
}

// buffer returns an empty buffer of a block.
func (s *splitter) buffer() []byte {
	select {
	case b := <-s.free:
		if cap(b) >= blockSize {
			return b[:0]
		}
	default:
	}
	return make([]byte, 0, blockSize)
}
