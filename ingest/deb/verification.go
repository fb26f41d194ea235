package deb

import (
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/schemas/catalog"
)

// How much a payload may unpack to, in bytes: more than any package in the wild, and little enough that a few hundred
// kilobytes of a bomb cost seconds, not hours.
const (
	verifyFree  = 1 << 30
	verifyRatio = 256 // beyond verifyFree, for each byte of the member
	closeRatio  = 16  // likewise, where verification was not asked for: gzip seldom reaches 10
)

// A verification unpacks a data member on a goroutine of its own, to the end of its stream, and reads the tar archive in
// it as dpkg does. Its own panic is a rejection.
type verification struct {
	in   *io.PipeWriter
	done chan struct{} // closed when
	err  error         // is known
}

var errAbandoned = errors.New("the package is not read any more")

// verify starts one for a member of name and size.
func verify(name string, size, ratio int64, files *tree) *verification {
	r, w := io.Pipe()
	v := &verification{in: w, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		v.err = guard(func() error {
			return dataFault(name, unpackWhole(name, r, size, ratio, files))
		})
		r.CloseWithError(errAbandoned) //nolint:errcheck // never fails
	}()
	return v
}

// write hands on bytes. What is wrong with them, end says.
func (v *verification) write(p []byte) { v.in.Write(p) } //nolint:errcheck // it ends early where something is wrong

// end says what is wrong with the member, when all is written.
func (v *verification) end() error {
	v.in.Close() //nolint:errcheck // never fails
	<-v.done
	return v.err
}

// close ends a verification that gets no more bytes. After end it does nothing.
func (v *verification) close() {
	v.in.CloseWithError(errAbandoned) //nolint:errcheck // never fails
	<-v.done
}

// unpackWhole reads a member of this size, and the archive in it, to their ends. ratio says how long that may be.
func unpackWhole(name string, r io.Reader, size, ratio int64, files *tree) error {
	limit := verifyFree + ratio*size
	unpacked, behind, done, err := wholeReader(name, r)
	if err != nil {
		return err
	}
	defer done()
	out := &cut{r: unpacked, left: limit}
	err = walkTar(out, files)
	if err == nil {
		_, err = io.Copy(io.Discard, out) // to the end of the stream, and to its check
	}
	if errors.Is(err, errCut) {
		return reject(catalog.TooLarge, "%s unpacks to more than %d bytes, more than %d for each of its own", name, limit, ratio)
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
		err = reject(catalog.TooLarge, "%s needs an xz dictionary of more than %d bytes, which is not unpacked here; use a lower compression level", name, maxDictionary)
	}
	return out, behind, done, err
}
