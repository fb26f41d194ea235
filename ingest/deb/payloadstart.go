package deb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
)

// How much of the start of data.tar is looked at.
const (
	maxStart    = 1 << 20 // bytes, as they lie in the file and unpacked
	startWindow = 2 << 20 // bytes: no distance within the first MiB is longer, even where a stream asks for a longer window
)

var errUnknownForm = errors.New("a form that only dpkg may know")

// maxWholeGzip is how many bytes come out at most of a gzip member of which the lead is all, to find its end: gzip is fast.
const maxWholeGzip = 64 << 20

// checkStart unpacks the first bytes of a data member, all of it if whole, and says what would stop dpkg in them. exact
// reports whether it came to the end of all, and to nothing wrong there.
func checkStart(name string, lead []byte, whole bool, files *fileTree) (exact bool, err error) {
	if name == "data.tar.zst" {
		var w zstdWalker
		if w.write(lead); 0 < w.end && w.end <= int64(len(lead)) {
			lead, whole = lead[:w.end], true
		}
	}
	limit := int64(maxStart)
	if whole && name == "data.tar.gz" {
		limit = maxWholeGzip
	}
	r, done, err := startReader(name, lead, whole)
	if err == nil {
		if err = checkTar(input.LimitReader(r, limit), files); err == nil && whole {
			exact, err = checkGzipEnd(r)
		}
		done()
	}
	switch {
	case errors.Is(err, input.ErrLimit), errors.Is(err, errUnknownForm), errors.Is(err, xz.ErrUnsupportedCheck), errors.Is(err, xz.ErrMemlimit), errors.Is(err, io.ErrUnexpectedEOF) && !whole:
		return false, nil
	default:
		return exact, dataRejection(name, err)
	}
}

// checkGzipEnd reads the rest of a gzip member.
func checkGzipEnd(r io.Reader) (exact bool, err error) {
	g, ok := r.(*gzipStream)
	if !ok {
		return false, nil
	}
	if _, err := io.Copy(io.Discard, input.LimitReader(g, maxWholeGzip)); err != nil {
		return false, err
	}
	return true, checkTrailing(g.in)
}

// startReader unpacks lead with a small window.
func startReader(name string, lead []byte, whole bool) (r io.Reader, done func(), err error) {
	in := partialReader(lead, whole)
	done = func() {}
	switch name {
	case "data.tar.gz":
		z := gunzips.Get().(*gzip.Reader)
		done = func() { gunzips.Put(z) }
		if r, err = newGzipStream(in, z); err != nil {
			done()
		}
	case "data.tar.bz2":
		r = newBzip2Stream(in)
	case "data.tar.lzma":
		if len(lead) < 13 {
			return nil, done, io.ErrUnexpectedEOF
		}
		small := bytes.Clone(lead)
		binary.LittleEndian.PutUint32(small[1:], startWindow) // the dictionary (LZMA SDK, lzma.txt)
		if r, err = lzma.NewReader(partialReader(small, whole)); err == nil {
			r = &readAhead{r: r}
		}
	case "data.tar.xz":
		var free func()
		if r, free, err = xzStart(lead, whole); err == nil {
			done = free
		}
	case "data.tar.zst":
		var z *zstd.Decoder
		if z, err = zstdStart(lead, whole); err == nil {
			r, done = z, z.Close
		}
	default:
		r = in
	}
	return r, done, err
}

// partialReader reads a part of a stream, or all of it.
func partialReader(b []byte, whole bool) io.Reader {
	if whole {
		return bytes.NewReader(b)
	}
	return io.MultiReader(bytes.NewReader(b), limitedEnd{})
}

type limitedEnd struct{}

func (limitedEnd) Read([]byte) (int, error) { return 0, input.ErrLimit }

// An readAhead reader is one that unpacks more than it is asked for, a window ahead of it, where distances may be longer
// than the window: its errors behind the first bytes say nothing.
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

// xzStart reads a stream whose first block asks for a small dictionary: the header of the block is written again (The
// .xz File Format, sections 2.1.1 and 3.1). The reader unpacks no more than it is asked for, so that no distance is
// longer than the dictionary.
func xzStart(lead []byte, whole bool) (r io.Reader, done func(), err error) {
	const streamHeader = 12
	if len(lead) <= streamHeader {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size := 4 * (int(lead[streamHeader]) + 1)
	if lead[streamHeader] == 0 { // the index: there is no block
		size = 0
	}
	if len(lead) < streamHeader+size {
		return nil, nil, io.ErrUnexpectedEOF
	}
	start := bytes.Clone(lead[:streamHeader+size])
	if err := shrinkDictionary(start[streamHeader:]); err != nil {
		return nil, nil, err
	}
	z := xzReaders.Get().(*xz.Reader)
	done = func() { xzReaders.Put(z) }
	if err := z.Reset(io.MultiReader(bytes.NewReader(start), partialReader(lead[len(start):], whole))); err != nil {
		done()
		return nil, nil, err
	}
	z.Multistream(false) // as dpkg
	return z, done, nil
}

// shrinkDictionary writes a block header again, for a dictionary of no more than startWindow.
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
	if flags&0x3f != 0 { // several filters, of which one is for machine code
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

// zstdStart reads frames of which the first has a small window: its header is written again (RFC 8878, section 3.1.1.1).
func zstdStart(lead []byte, whole bool) (*zstd.Decoder, error) {
	var h zstd.Header
	if err := h.Decode(lead); err != nil {
		return nil, err
	}
	if h.Skippable || h.DictionaryID != 0 || len(lead) < h.HeaderSize {
		return nil, errUnknownForm
	}
	header := []byte("\x28\xb5\x2f\xfd\x00\x58") // no size, no dictionary, a window of 2^21
	if h.HasCheckSum {
		header[4] |= 4
	}
	in := io.MultiReader(bytes.NewReader(header), partialReader(lead[h.HeaderSize:], whole))
	return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(startWindow))
}
