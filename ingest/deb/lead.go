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
	maxLead    = 1 << 20 // bytes, as they lie in the file and unpacked
	leadWindow = 2 << 20 // bytes: no distance within the first MiB is longer, even where a stream asks for a longer window
)

var errUnknown = errors.New("a form that only dpkg may know")

// maxExact is how many bytes come out at most of a gzip member of which the lead is all, to find its end: gzip is fast.
const maxExact = 64 << 20

// checkLead unpacks the first bytes of a data member, all of it if whole, and says what would stop dpkg in them. exact
// reports whether it came to the end of all, and to nothing wrong there.
func checkLead(name string, lead []byte, whole bool, files *tree) (exact bool, err error) {
	if name == "data.tar.zst" {
		var w zstdWalker
		if w.write(lead); 0 < w.end && w.end <= int64(len(lead)) {
			lead, whole = lead[:w.end], true
		}
	}
	limit := int64(maxLead)
	if whole && name == "data.tar.gz" {
		limit = maxExact
	}
	r, done, err := leadReader(name, lead, whole)
	if err == nil {
		if err = walkTar(input.LimitReader(r, limit), files); err == nil && whole {
			exact, err = checkGzipEnd(r)
		}
		done()
	}
	switch {
	case errors.Is(err, input.ErrLimit), errors.Is(err, errUnknown), errors.Is(err, xz.ErrUnsupportedCheck), errors.Is(err, xz.ErrMemlimit), errors.Is(err, io.ErrUnexpectedEOF) && !whole:
		return false, nil
	default:
		return exact, dataFault(name, err)
	}
}

// checkGzipEnd reads the rest of a gzip member.
func checkGzipEnd(r io.Reader) (exact bool, err error) {
	g, ok := r.(*gzipStream)
	if !ok {
		return false, nil
	}
	if _, err := io.Copy(io.Discard, input.LimitReader(g, maxExact)); err != nil {
		return false, err
	}
	return true, checkBehind(g.in)
}

// leadReader unpacks lead with a small window.
func leadReader(name string, lead []byte, whole bool) (r io.Reader, done func(), err error) {
	in := leadOf(lead, whole)
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
		binary.LittleEndian.PutUint32(small[1:], leadWindow) // the dictionary (LZMA SDK, lzma.txt)
		if r, err = lzma.NewReader(leadOf(small, whole)); err == nil {
			r = &ahead{r: r}
		}
	case "data.tar.xz":
		var free func()
		if r, free, err = xzLead(lead, whole); err == nil {
			done = free
		}
	case "data.tar.zst":
		var z *zstd.Decoder
		if z, err = zstdLead(lead, whole); err == nil {
			r, done = z, z.Close
		}
	default:
		r = in
	}
	return r, done, err
}

// leadOf reads a part of a stream, or all of it.
func leadOf(b []byte, whole bool) io.Reader {
	if whole {
		return bytes.NewReader(b)
	}
	return io.MultiReader(bytes.NewReader(b), cutReader{})
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, input.ErrLimit }

// An ahead reader is one that unpacks more than it is asked for, a window ahead of it, where distances may be longer
// than the window: its errors behind the first bytes say nothing.
type ahead struct {
	r     io.Reader
	begun bool
}

func (a *ahead) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if err != nil && err != io.EOF && a.begun {
		err = input.ErrLimit
	}
	a.begun = a.begun || n > 0
	return n, err
}

// xzLead reads a stream whose first block asks for a small dictionary: the header of the block is written again (The
// .xz File Format, sections 2.1.1 and 3.1). The reader unpacks no more than it is asked for, so that no distance is
// longer than the dictionary.
func xzLead(lead []byte, whole bool) (r io.Reader, done func(), err error) {
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
	if err := z.Reset(io.MultiReader(bytes.NewReader(start), leadOf(lead[len(start):], whole))); err != nil {
		done()
		return nil, nil, err
	}
	z.Multistream(false) // as dpkg
	return z, done, nil
}

// shrinkDictionary writes a block header again, for a dictionary of no more than leadWindow.
func shrinkDictionary(header []byte) error {
	const lzma2, properties = 0x21, 18 // of lzma2: a dictionary of 2 MiB
	if len(header) == 0 {
		return nil
	}
	body := header[:len(header)-4]
	if !crcOf(body, header[len(body):]) {
		return errXZ
	}
	flags := body[1]
	if flags&0x3f != 0 { // several filters, of which one is for machine code
		return errUnknown
	}
	s := xzStream{rest: body[2:]}
	for _, there := range []byte{0x40, 0x80} { // the sizes of the block
		if flags&there != 0 {
			s.number()
		}
	}
	if len(s.rest) < 3 || s.rest[0] != lzma2 || s.rest[1] != 1 {
		return errUnknown
	}
	s.rest[2] = min(s.rest[2], properties)
	binary.LittleEndian.PutUint32(header[len(body):], crc32.ChecksumIEEE(body))
	return nil
}

var xzReaders = sync.Pool{New: func() any {
	z, _ := xz.NewReader(nil, leadWindow) //nolint:errcheck // there is nothing to read
	return z
}}

// zstdLead reads frames of which the first has a small window: its header is written again (RFC 8878, section 3.1.1.1).
func zstdLead(lead []byte, whole bool) (*zstd.Decoder, error) {
	var h zstd.Header
	if err := h.Decode(lead); err != nil {
		return nil, err
	}
	if h.Skippable || h.DictionaryID != 0 || len(lead) < h.HeaderSize {
		return nil, errUnknown
	}
	header := []byte("\x28\xb5\x2f\xfd\x00\x58") // no size, no dictionary, a window of 2^21
	if h.HasCheckSum {
		header[4] |= 4
	}
	in := io.MultiReader(bytes.NewReader(header), leadOf(lead[h.HeaderSize:], whole))
	return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(leadWindow))
}
