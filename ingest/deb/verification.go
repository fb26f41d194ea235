package deb

import (
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// closeRatio is [input.WholeRatio] where a verification was not asked for: gzip seldom reaches 10.
const closeRatio = 16

// verify starts to unpack a data member of this name and size, to the end of its stream, and to read the tar archive in it
// as dpkg does.
func verify(name string, size, ratio int64, files *tree) *input.Verification {
	return input.Verify(func(r io.Reader) error { return dataFault(name, unpackWhole(name, r, size, ratio, files)) })
}

// unpackWhole reads a member of this size, and the archive in it, to their ends. ratio says how long that may be.
func unpackWhole(name string, r io.Reader, size, ratio int64, files *tree) error {
	limit := input.FreeOutput + ratio*size
	unpacked, behind, done, err := wholeReader(name, r)
	if err != nil {
		return err
	}
	defer done()
	out := input.LimitReader(unpacked, limit)
	err = walkTar(out, files)
	if err == nil {
		_, err = io.Copy(io.Discard, out) // to the end of the stream, and to its check
	}
	if errors.Is(err, input.ErrLimit) {
		return input.Reject(catalog.TooLarge, "%s unpacks to more than %d bytes, more than %d for each of its own", name, limit, ratio)
	}
	if err == nil {
		err = checkBehind(behind)
	}
	return err
}

// wholeReader unpacks all of r. What it leaves of r, behind reads.
func wholeReader(name string, r io.Reader) (out, behind io.Reader, done func(), err error) {
	behind, done = r, func() {}
	switch name {
	case "data.tar.gz":
		var g *gzipStream
		if g, err = newGzipStream(r, new(gzip.Reader)); err == nil {
			out, behind = g, g.in
		}
	case "data.tar.bz2":
		b := newBzip2Stream(r)
		out, behind = b, b.in
	case "data.tar.lzma":
		out, err = lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(r)
	case "data.tar.xz":
		var z *xz.Reader
		if z, err = xz.NewReader(r, maxDictionary); err == nil {
			z.Multistream(false) // as dpkg
			out = z
		}
	case "data.tar.zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(&firstFrame{r: r}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			out, done = z, z.Close
		}
	default:
		out = r
	}
	if errors.Is(err, xz.ErrMemlimit) {
		err = input.Reject(catalog.TooLarge, "%s needs an xz dictionary of more than %d bytes, which is not unpacked here; use a lower compression level", name, maxDictionary)
	}
	return out, behind, done, err
}
