package deb

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// maxTrailing is the number of bytes that may follow the compressed stream in data.tar. dpkg ignores them. But if
// there are more than a pipe holds (64 KiB), the process that feeds its decompressor dies, and the installation
// fails.
const maxTrailing = 32 << 10

var (
	errTrailing       = errors.New("too much behind the compressed stream")
	errSeveralStreams = errors.New("several compressed streams")
)

// checkTrailing reads what follows a compressed stream, and returns errTrailing if that is too much.
func checkTrailing(r io.Reader) error {
	switch n, err := io.CopyN(io.Discard, r, maxTrailing+1); {
	case n > maxTrailing:
		return errTrailing
	case err == io.EOF:
		return nil
	default:
		return err
	}
}

// A gzipStream reads gzip members as gzread of zlib does: one after the other, up to the first bytes that do not
// begin a member.
type gzipStream struct {
	in *bufio.Reader
	z  *gzip.Reader
}

// gzipStreams hold streams between two packages: each has a window of 32 KiB.
var gzipStreams = sync.Pool{New: func() any { return &gzipStream{bufio.NewReader(nil), new(gzip.Reader)} }}

// newGzipStream returns a stream of which the caller calls done, also after an error.
func newGzipStream(r io.Reader) (*gzipStream, error) {
	g := gzipStreams.Get().(*gzipStream)
	g.in.Reset(r)
	return g, g.next()
}

// done ends the use of the stream.
func (g *gzipStream) done() {
	g.in.Reset(nil)
	gzipStreams.Put(g)
}

func (g *gzipStream) next() error {
	if err := g.z.Reset(g.in); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	g.z.Multistream(false)
	return nil
}

func (g *gzipStream) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if n > 0 && err == io.EOF {
			err = nil // the next read returns it again
		}
		if n > 0 || err != io.EOF {
			return n, err
		}
		magic, err := g.in.Peek(2)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if string(magic) != dataMagic["data.tar.gz"] {
			return 0, io.EOF
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// A bzip2Stream reads one bzip2 stream, as BZ2_bzread of libbz2 does. The reader of Go continues with a second
// stream, and fails if there is none; the bytes before its error show whether the first stream was complete.
type bzip2Stream struct {
	in   *lastBytes
	out  io.Reader
	done bool
}

// bzip2End is the number of bytes that hold the end of a bzip2 stream: a mark, a checksum, and up to seven bits.
const bzip2End = 11

// lastBytes keeps the last bytes that were read one by one. The decompressor reads so, and no more than it needs.
type lastBytes struct {
	*bufio.Reader
	last [bzip2End + 2]byte
}

func (l *lastBytes) ReadByte() (byte, error) {
	c, err := l.Reader.ReadByte()
	if err == nil {
		copy(l.last[:], l.last[1:])
		l.last[len(l.last)-1] = c
	}
	return c, err
}

func newBzip2Stream(r io.Reader) *bzip2Stream {
	in := &lastBytes{Reader: bufio.NewReader(r)}
	return &bzip2Stream{in: in, out: bzip2.NewReader(in)}
}

func (b *bzip2Stream) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.out.Read(p)
	damage, last := bzip2.StructuralError(""), b.in.last[:]
	if err == io.ErrUnexpectedEOF && endsAsBzip2(last[:len(last)-1]) || errors.As(err, &damage) && endsAsBzip2(last[:len(last)-2]) {
		b.done, err = true, io.EOF
	}
	return n, err
}

// endsAsBzip2 reports whether b ends with the mark of the end and four bytes of a checksum, at any bit.
func endsAsBzip2(b []byte) bool {
	if len(b) < bzip2End {
		return false
	}
	last := b[len(b)-bzip2End:]
	for shift := range 8 {
		bits := uint64(0)
		for i := range 7 { // 56 bits, of which 48 count
			bits = bits<<8 | uint64(last[i])
		}
		if bits>>(8-shift)&(1<<48-1) == bzip2Mark {
			return true
		}
	}
	return bytes.Equal(last[1:7], []byte("\x17\x72\x45\x38\x50\x90"))
}

const bzip2Mark = 0x177245385090 // the square root of pi

// A firstFrame reads the first frame of a zstd stream, and ends there.
type firstFrame struct {
	r io.Reader
	w zstdWalker
	n int64 // bytes that were returned
}

func (f *firstFrame) Read(p []byte) (int, error) {
	if f.w.end > 0 && f.n >= f.w.end {
		return 0, io.EOF
	}
	n, err := f.r.Read(p)
	f.w.write(p[:n])
	if f.w.end > 0 && f.n+int64(n) > f.w.end {
		n = int(f.w.end - f.n)
	}
	f.n += int64(n)
	return n, err
}
