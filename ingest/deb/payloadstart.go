package deb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
)

// How much of the start of data.tar is unpacked, if the member is not unpacked whole.
const (
	maxStart    = 1 << 20 // bytes, compressed and unpacked
	startWindow = 2 << 20 // bytes; no distance within the first MiB is longer, even if a stream declares a larger window
)

var errUnknownForm = errors.New("a form that only dpkg may know")

// maxWholeGzip is the most bytes that are unpacked of a gzip member of at most maxStart bytes, to check its end. gzip
// is fast.
const maxWholeGzip = 64 << 20

// checkStart unpacks the first bytes of a data member, or all of it if whole, and rejects what would stop dpkg in
// them. readWhole reports that it reached the end of the member and accepted it.
func checkStart(name string, start []byte, whole bool, files *fileTree) (readWhole bool, err error) {
	if name == "data.tar.zst" {
		var w zstdWalker
		if w.write(start); 0 < w.end && w.end <= int64(len(start)) {
			start, whole = start[:w.end], true
		}
	}
	limit := int64(maxStart)
	if whole && name == "data.tar.gz" {
		limit = maxWholeGzip
	}
	r, done, err := startReader(name, start, whole)
	if err == nil {
		if err = checkTar(input.LimitReader(r, limit), files); err == nil && whole {
			readWhole, err = checkGzipEnd(r)
		}
		done()
	}
	switch {
	case errors.Is(err, input.ErrLimit), errors.Is(err, errUnknownForm), errors.Is(err, xz.ErrUnsupportedCheck), errors.Is(err, xz.ErrMemlimit), errors.Is(err, io.ErrUnexpectedEOF) && !whole:
		return false, nil
	default:
		return readWhole, dataRejection(name, err)
	}
}

// checkGzipEnd reads a gzip member to its end and checks what follows.
func checkGzipEnd(r io.Reader) (readWhole bool, err error) {
	g, ok := r.(*gzipStream)
	if !ok {
		return false, nil
	}
	if _, err := io.Copy(io.Discard, input.LimitReader(g, maxWholeGzip)); err != nil {
		return false, err
	}
	return true, checkTrailing(g.in)
}

// startReader returns a reader that unpacks start with a small window. done frees its resources.
func startReader(name string, start []byte, whole bool) (r io.Reader, done func(), err error) {
	in := partialReader(start, whole)
	done = func() {}
	switch name {
	case "data.tar.gz":
		var g *gzipStream
		g, err = newGzipStream(in)
		if r, done = g, g.done; err != nil {
			done()
		}
	case "data.tar.bz2":
		r = newBzip2Stream(in)
	case "data.tar.lzma":
		if len(start) < 13 {
			return nil, done, io.ErrUnexpectedEOF
		}
		small := bytes.Clone(start)
		binary.LittleEndian.PutUint32(small[1:], startWindow) // the dictionary (LZMA SDK, lzma.txt)
		if r, err = lzma.NewReader(partialReader(small, whole)); err == nil {
			r = &readAhead{r: r}
		}
	case "data.tar.xz":
		var free func()
		if r, free, err = xzStart(start, whole); err == nil {
			done = free
		}
	case "data.tar.zst":
		var z *zstd.Decoder
		if z, err = zstdStart(start, whole); err == nil {
			r, done = z, z.Close
		}
	default:
		r = in
	}
	return r, done, err
}

// partialReader returns a reader of b. If b is not the whole stream, its end is [input.ErrLimit].
func partialReader(b []byte, whole bool) io.Reader {
	if whole {
		return bytes.NewReader(b)
	}
	return io.MultiReader(bytes.NewReader(b), limitedEnd{})
}

type limitedEnd struct{}

func (limitedEnd) Read([]byte) (int, error) { return 0, input.ErrLimit }

// A readAhead reader is a decompressor that unpacks up to a window more than it is asked for. Distances there may be
// longer than the small window, so its errors behind the first bytes are replaced by [input.ErrLimit].
type readAhead struct {
	r       io.Reader
	started bool
}

func (a *readAhead) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if err != nil && err != io.EOF && a.started {
		err = input.ErrLimit
	}
	a.started = a.started || n > 0
	return n, err
}

// xzStart returns a reader of an xz stream with a small dictionary in the header of its first block (The .xz File
// Format, sections 2.1.1 and 3.1). The reader unpacks no more than it is asked for, so that no distance is longer
// than the dictionary.
func xzStart(start []byte, whole bool) (r io.Reader, done func(), err error) {
	const streamHeader = 12
	if len(start) <= streamHeader {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size := 4 * (int(start[streamHeader]) + 1)
	if start[streamHeader] == 0 { // the index begins: the stream has no block
		size = 0
	}
	if len(start) < streamHeader+size {
		return nil, nil, io.ErrUnexpectedEOF
	}
	head := bytes.Clone(start[:streamHeader+size])
	if err := shrinkDictionary(head[streamHeader:]); err != nil {
		return nil, nil, err
	}
	z := xzReaders.Get().(*xz.Reader)
	done = func() { xzReaders.Put(z) }
	if err := z.Reset(io.MultiReader(bytes.NewReader(head), partialReader(start[len(head):], whole))); err != nil {
		done()
		return nil, nil, err
	}
	z.Multistream(false) // dpkg reads one stream
	return z, done, nil
}

// shrinkDictionary limits the dictionary in a block header to startWindow.
func shrinkDictionary(header []byte) error {
	const lzma2, properties = 0x21, 18 // of lzma2: a dictionary of 2 MiB
	if len(header) == 0 {
		return nil
	}
	body := header[:len(header)-4]
	if !crcMatches(body, header[len(body):]) {
		return errXZ
	}
	flags := body[1]
	if flags&0x3f != 0 { // several filters, such as one for machine code
		return errUnknownForm
	}
	s := xzStream{rest: body[2:]}
	for _, there := range []byte{0x40, 0x80} { // the sizes of the block
		if flags&there != 0 {
			s.number()
		}
	}
	if len(s.rest) < 3 || s.rest[0] != lzma2 || s.rest[1] != 1 {
		return errUnknownForm
	}
	s.rest[2] = min(s.rest[2], properties)
	binary.LittleEndian.PutUint32(header[len(body):], crc32.ChecksumIEEE(body))
	return nil
}

var xzReaders = sync.Pool{New: func() any {
	z, _ := xz.NewReader(nil, startWindow) //nolint:errcheck // there is nothing to read
	return z
}}

// zstdStart returns a reader of zstd frames with a small window in the header of the first (RFC 8878, section
// 3.1.1.1).
func zstdStart(start []byte, whole bool) (*zstd.Decoder, error) {
	var h zstd.Header
	if err := h.Decode(start); err != nil {
		return nil, err
	}
	if h.Skippable || h.DictionaryID != 0 || len(start) < h.HeaderSize {
		return nil, errUnknownForm
	}
	header := []byte("\x28\xb5\x2f\xfd\x00\x58") // no size, no dictionary, a window of 2^21
	if h.HasCheckSum {
		header[4] |= 4
	}
	in := io.MultiReader(bytes.NewReader(header), partialReader(start[h.HeaderSize:], whole))
	return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(startWindow))
}
