package rpm

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// The largest dictionary and window of a decompressor. rpm accepts 100 MiB for xz, and a window of 128 MiB for zstd.
const (
	maxDictionary = 64 << 20  // bytes, of xz and lzma
	maxWindow     = 128 << 20 // bytes, of zstd
)

// compressors are the decompressors that rpm uses, by the value of PAYLOADCOMPRESSOR (lib/rpmte.c: rpmtePayload,
// rpmio/rpmio.c: findIOT). rpm uses gzip if there is no such tag, and reads the payload as it is if it does not know
// the value.
var compressors = map[string]string{
	"": "gzip", "gzip": "gzip", "gzdio": "gzip", "bzip2": "bzip2", "bzdio": "bzip2",
	"xz": "xz", "xzdio": "xz", "lzma": "lzma", "lzdio": "lzma", "zstd": "zstd", "zstdio": "zstd",
}

// PayloadCompressor returns the decompressor that rpm uses for the payload: gzip, bzip2, xz, lzma, zstd, or none.
func (p *Package) PayloadCompressor() string { return compressorOf(p.compressor) }

func compressorOf(tag string) string {
	if c, ok := compressors[tag]; ok {
		return c
	}
	return "none"
}

// magics are the first bytes of compressed streams.
var magics = []struct{ name, magic string }{
	{"gzip", "\x1f\x8b"}, {"bzip2", "BZh"}, {"xz", "\xfd7zXZ\x00"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"lzma", "\x5d\x00\x00"},
}

// compressionOf returns the compression that the first bytes of a payload show, or "".
func compressionOf(lead []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(lead, []byte(m.magic)) {
			return m.name
		}
	}
	return ""
}

// decompress returns a reader of what rpm unpacks (rpmio/rpmio.c). done frees its resources.
func decompress(compressor string, r *bufio.Reader) (out io.Reader, done func(), err error) {
	done = func() {}
	start, _ := r.Peek(6) // the next read returns an error again
	switch compressorOf(compressor) {
	case "gzip": // zlib returns data that is not compressed unchanged
		if out = r; compressionOf(start) == "gzip" {
			out, err = gzip.NewReader(r)
		}
	case "bzip2":
		out = bzip2.NewReader(&firstBzip2{r: r})
	case "xz", "lzma": // liblzma accepts either for the other
		out, err = decompressXZ(start, r)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			out, done = z, z.Close
		}
	default:
		out = r
	}
	return out, done, err
}

func decompressXZ(start []byte, r io.Reader) (io.Reader, error) {
	if compressionOf(start) == "xz" {
		z, err := xz.NewReader(r, maxDictionary)
		if err == nil {
			z.Multistream(false)
		}
		return z, err
	}
	z, err := lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(r)
	return z, err
}

// A firstBzip2 ends where a second bzip2 stream begins. rpm reads the first stream alone; bzip2.NewReader would read
// all.
type firstBzip2 struct {
	r    *bufio.Reader
	read bool // a byte was read
}

func (f *firstBzip2) Read(p []byte) (int, error) {
	const header = 4 + 6 // "BZh9", and pi for the first block
	ahead, err := f.r.Peek(min(len(p)+header-1, f.r.Size()))
	from := 0
	if !f.read {
		from = min(1, len(ahead))
	}
	n := min(len(p), len(ahead))
	for at := from; ; at++ {
		i := bytes.Index(ahead[at:], []byte("BZh"))
		if i < 0 {
			break
		}
		if at += i; len(ahead) >= at+header && bytes.Equal(ahead[at+4:at+header], []byte("\x31\x41\x59\x26\x53\x59")) {
			n = min(n, at)
			break
		}
	}
	if n == 0 {
		if len(ahead) > 0 {
			err = io.EOF
		}
		return 0, err
	}
	f.read = true
	return f.r.Read(p[:n])
}

// gzipEndFault checks the gzip stream behind the archive as far as zlib does, which unpacks some 16 KiB ahead and
// compares the checksum if the stream ends there. It accepts a stream that is cut, or goes on.
func gzipEndFault(out io.Reader) error {
	if _, ok := out.(*gzip.Reader); !ok {
		return nil
	}
	damage := flate.CorruptInputError(0)
	if _, err := io.CopyN(io.Discard, out, 16<<10); errors.Is(err, gzip.ErrChecksum) || errors.As(err, &damage) {
		return err
	}
	return nil
}

// compressorPhrase describes how rpm unpacks a payload with this value of PAYLOADCOMPRESSOR.
func compressorPhrase(compressor string) string {
	switch name := compressorOf(compressor); {
	case compressor == "":
		return fmt.Sprintf("takes it for gzip, since the header does not name a compressor (tag %d)", tagPayloadCompressor)
	case name == "none":
		return fmt.Sprintf("does not know the compressor %s that the header names (tag %d), and reads it as it is", input.Quote(compressor), tagPayloadCompressor)
	default:
		return fmt.Sprintf("unpacks it with %s, which the header names (tag %d)", name, tagPayloadCompressor)
	}
}

// payloadRejection turns an error of a payload into a rejection that names its cause. start has the first bytes of
// the payload. It returns nil for nil.
func payloadRejection(compressor string, start []byte, err error) error {
	name := compressorOf(compressor)
	problem, rej, dictionary := cpioProblem(""), (*catalog.Rejection)(nil), (*lzma.ErrDictSize)(nil)
	const build = "build the package again"
	form := compressionOf(start)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &rej):
		return rej
	case errors.Is(err, xz.ErrMemlimit) || form == "lzma" && errors.As(err, &dictionary):
		return input.Reject(catalog.TooLarge, "the payload needs an %s dictionary of more than %d bytes, which is not unpacked here; use a lower compression level", name, maxDictionary)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return wideWindow()
	case form != "" && form != name && !(form == "xz" && name == "lzma") && !(form == "lzma" && name == "xz"):
		return wrongCompression(compressor, form)
	case errors.As(err, &problem):
		return input.Reject(catalog.Malformed, "rpm cannot unpack the payload: its cpio archive %s; %s", problem, build)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return input.Reject(catalog.Malformed, "rpm cannot unpack the payload: it ends before its cpio archive does; %s", build)
	}
	return input.Reject(catalog.Malformed, "rpm cannot unpack the payload with %s (%s); %s", name, input.Quote(fmt.Sprint(err)), build)
}

// verify starts to unpack a payload, as far as rpm reads it, and to compare it with the header. size is the size of
// the payload in bytes, or negative if the headers do not say it.
func verify(compressor string, size int64, c *payloadFiles) *input.Verification {
	limit := input.FreeOutput + input.WholeRatio*max(0, size)
	return input.Verify(func(r io.Reader) error { return unpackWhole(compressor, r, limit, c) })
}

// unpackWhole reads a payload up to the end of its archive: rpm does not read on. limit is the most bytes that may be
// unpacked.
func unpackWhole(compressor string, r io.Reader, limit int64, c *payloadFiles) error {
	in := bufio.NewReaderSize(r, 64<<10)
	peeked, _ := in.Peek(6) // the next read returns an error again
	start := bytes.Clone(peeked)
	out, done, err := decompress(compressor, in)
	if err != nil {
		return payloadRejection(compressor, start, err)
	}
	defer done()
	err = c.compare(&cpioArchive{r: bufio.NewReaderSize(input.LimitReader(out, limit), 64<<10)})
	if err == nil {
		err = gzipEndFault(out)
	}
	if errors.Is(err, input.ErrLimit) {
		return input.Reject(catalog.TooLarge, "the payload unpacks to more than %d bytes, more than %d for each of its own", limit, input.WholeRatio)
	}
	return payloadRejection(compressor, start, err)
}
