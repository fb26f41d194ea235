package deb

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"

	"repomill/schemas/catalog"
)

// How much of the start of data.tar is looked at.
const (
	maxLead    = 1 << 20 // bytes, as they lie in the file and unpacked
	leadWindow = 2 << 20 // bytes: no distance within the first MiB is longer, whatever window a stream asks for
)

var (
	errCut     = errors.New("what is looked at ends here")
	errUnknown = errors.New("a form that only dpkg may know")
)

// checkLead unpacks the first bytes of a data member, all of it if whole, and says what would stop dpkg in them.
func checkLead(name string, lead []byte, whole bool) error {
	r, done, err := leadReader(name, lead, whole)
	if err == nil {
		err = walkTar(&cut{r: r, left: maxLead})
		done()
	}
	switch {
	case errors.Is(err, errCut), errors.Is(err, errUnknown), errors.Is(err, io.ErrUnexpectedEOF) && !whole:
		return nil
	default:
		return dataFault(name, err)
	}
}

// leadReader unpacks lead with a small window.
func leadReader(name string, lead []byte, whole bool) (r io.Reader, done func(), err error) {
	in := leadOf(lead, whole)
	done = func() {}
	switch name {
	case "data.tar.gz":
		z := gunzips.Get().(*gzip.Reader)
		done = func() { gunzips.Put(z) }
		err = z.Reset(in)
		z.Multistream(true)
		r = z
	case "data.tar.bz2":
		r = bzip2.NewReader(in)
	case "data.tar.lzma":
		if len(lead) < 13 {
			return nil, done, io.ErrUnexpectedEOF
		}
		small := bytes.Clone(lead)
		binary.LittleEndian.PutUint32(small[1:], leadWindow) // the dictionary (LZMA SDK, lzma.txt)
		r, err = lzma.NewReader(leadOf(small, whole))
	case "data.tar.xz":
		r, err = xzLead(lead, whole)
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

func (cutReader) Read([]byte) (int, error) { return 0, errCut }

// A cut reader ends with errCut.
type cut struct {
	r    io.Reader
	left int64 // bytes
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errCut
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// xzLead reads the first block of a longer stream without its integrity check (The .xz File Format, sections 2 and 3).
func xzLead(lead []byte, whole bool) (io.Reader, error) {
	const streamHeader = 12
	if len(lead) <= streamHeader {
		return nil, io.ErrUnexpectedEOF
	}
	if whole { // with its checks, if not too much comes out
		r, _, err := unpackXZ("data.tar.xz", lead, maxLead)
		rej := (*catalog.Rejection)(nil)
		if err == nil || errors.As(err, &rej) && rej.Reason == catalog.Malformed {
			return r, err
		}
	}
	if lead[streamHeader] == 0 {
		return bytes.NewReader(nil), nil // the index: there is no block
	}
	size := 4 * (int(lead[streamHeader]) + 1)
	if len(lead) < streamHeader+size {
		return nil, io.ErrUnexpectedEOF
	}
	header := lead[streamHeader : streamHeader+size]
	if !crcOf(header[:size-4], header[size-4:]) {
		return nil, errXZ
	}
	if header[1]&0x3f != 0 { // several filters, of which one is for machine code
		return nil, errUnknown
	}
	r, err := lzma.Reader2Config{DictCap: leadWindow}.NewReader2(leadOf(lead[streamHeader+size:], whole))
	if err != nil {
		return nil, err
	}
	return io.MultiReader(r, cutReader{}), nil // another block may follow
}

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
