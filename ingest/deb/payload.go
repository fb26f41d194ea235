package deb

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A payload checks data.tar while it is read, for what would stop dpkg. It unpacks the first MiB, where archives of
// other tools and forms of tar show, and checks the last bytes for the end of the compressed stream. It reads a plain
// archive and a small one whole. Damage between start and end is found by an [input.Verification] alone, which
// unpacks everything and costs more than the rest of an intake.
type payload struct {
	name         string
	size         int64
	written      int64
	start        []byte
	startPending bool // start was not checked yet
	tail         []byte
	zstd         zstdWalker
	bzip2        bzip2Walker
	readWhole    bool // start was the whole member, and was unpacked to its end
	files        *fileTree
	verification *input.Verification // nil if the member is not unpacked whole
}

// newPayload returns a payload for member m. If ratio is not 0, it unpacks the member whole: up to ratio bytes for
// each byte, beyond [input.FreeOutput].
func newPayload(m arMember, ratio int64, c conffiles) *payload {
	p := &payload{name: m.name, size: m.size, startPending: true, files: newFileTree(c)}
	if m.name == "data.tar" { // unpacking it is cheap
		ratio = input.WholeRatio
	}
	if ratio > 0 {
		p.verification = startVerification(m.name, m.size, ratio, p.files)
	}
	return p
}

// write checks the next bytes of the member.
func (p *payload) write(b []byte) error {
	if b = b[:min(int64(len(b)), p.size-p.written)]; len(b) == 0 { // the rest is padding
		return nil
	}
	begin := p.written
	p.written += int64(len(b))
	switch p.name {
	case "data.tar.zst":
		p.zstd.write(b)
	case "data.tar.bz2":
		p.bzip2.write(b)
	}
	if from := max(0, p.size-maxTail-begin); from < int64(len(b)) {
		if p.tail == nil {
			p.tail = takeRoom()
		}
		p.tail = append(p.tail, b[from:]...)
	}
	if p.verification != nil {
		p.verification.Write(b) //nolint:errcheck // never fails
		return nil
	}
	if !p.startPending {
		return nil
	}
	if p.start == nil {
		p.start = takeRoom()
	}
	p.start = append(p.start, b[:min(len(b), maxStart-len(p.start))]...)
	if len(p.start) < maxStart && p.written < p.size {
		return nil
	}
	lead := p.start
	p.start, p.startPending = nil, false
	defer putRoom(lead)
	return input.Guard("the reader of payloads", func() (err error) {
		p.readWhole, err = checkStart(p.name, lead, p.written == p.size && len(lead) == int(p.size), p.files)
		return err
	})
}

// rooms hold the starts and tails of small members, of which nothing is kept.
var rooms = sync.Pool{New: func() any { return new(make([]byte, 0, 16<<10)) }}

func takeRoom() []byte { return (*rooms.Get().(*[]byte))[:0] }

func putRoom(b []byte) {
	if 0 < cap(b) && cap(b) <= maxTail {
		rooms.Put(&b)
	}
}

// end checks the end of the member, after all of its bytes were written.
func (p *payload) end() error {
	defer func() {
		putRoom(p.tail)
		p.tail = nil
	}()
	if p.verification != nil {
		if err := p.verification.Result(); err != nil {
			return err
		}
	}
	if err := p.bzip2.err; err != nil {
		return dataRejection(p.name, err)
	}
	if p.name == "data.tar.zst" {
		return dataRejection(p.name, p.zstd.finish())
	}
	if p.name == "data.tar.gz" && (p.verification != nil || p.readWhole) { // the stream was unpacked to its end
		return nil
	}
	if err := checkTail(p.name, p.tail, p.size); err != nil {
		return dataRejection(p.name, err)
	}
	return nil
}

// dataRejection turns an error of a data member into a rejection that names its cause. It returns nil for nil.
func dataRejection(name string, err error) error {
	problem, rej := tarProblem(""), (*catalog.Rejection)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &rej):
		return err
	case errors.As(err, &problem):
		return input.Reject(catalog.Malformed, "dpkg cannot unpack %s: it %s", name, problem)
	case errors.Is(err, errSeveralStreams):
		return input.Reject(catalog.Malformed, "%s has several compressed streams, and dpkg reads the first one only; compress it in one", name)
	case errors.Is(err, errTrailing):
		return input.Reject(catalog.Malformed, "%s has more than %d bytes behind the end of its compressed stream, and dpkg fails where they are more than a pipe holds; leave them out", name, maxTrailing)
	}
	return input.Reject(catalog.Malformed, "dpkg cannot unpack %s: it %s; rebuild the package, and upload it again", name, streamProblem(err))
}

// streamProblem describes an error of a decompressor, as a predicate of the member. The errors of libraries are not
// for users.
func streamProblem(err error) string {
	switch {
	case errors.Is(err, errCutShort), errors.Is(err, io.ErrUnexpectedEOF):
		return errCutShort.Error()
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Sprintf("needs a zstd window of more than %d bytes", maxWindow)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return "needs a zstd dictionary"
	case errors.Is(err, xz.ErrOptions):
		return "needs an xz filter that is not known"
	}
	return "has a damaged compressed stream"
}

// retryRatio is the [input.WholeRatio] of a second reading ([Package.VerifyClosely]). gzip seldom reaches 10.
const retryRatio = 16

// startVerification starts to unpack a data member with this name and size to the end of its stream, and to check its
// tar archive as dpkg does. ratio is the most unpacked bytes for each byte of it, beyond [input.FreeOutput].
func startVerification(name string, size, ratio int64, files *fileTree) *input.Verification {
	return input.Verify(func(r io.Reader) error { return dataRejection(name, unpackWhole(name, r, size, ratio, files)) })
}

// unpackWhole reads a data member with this size, and the archive in it, to their ends. ratio is that of
// startVerification.
func unpackWhole(name string, r io.Reader, size, ratio int64, files *fileTree) error {
	limit := input.FreeOutput + ratio*size
	unpacked, behind, done, err := decompress(name, r)
	if err != nil {
		return err
	}
	defer done()
	out := input.LimitReader(unpacked, limit)
	err = checkTar(out, files)
	if err == nil {
		_, err = io.Copy(io.Discard, out) // to the end of the stream and its checksum
	}
	if errors.Is(err, input.ErrLimit) {
		return input.Reject(catalog.TooLarge, "%s unpacks to more than %d bytes, more than %d for each of its own", name, limit, ratio)
	}
	if err == nil {
		err = checkTrailing(behind)
	}
	return err
}

// decompress returns a reader of what dpkg unpacks of a data member. behind reads what follows the compressed stream;
// done frees resources.
func decompress(name string, r io.Reader) (out, behind io.Reader, done func(), err error) {
	behind, done = r, func() {}
	switch name {
	case "data.tar.gz":
		var g *gzipStream
		if g, err = newGzipStream(r); err == nil {
			out, behind, done = g, g.in, g.done
		} else {
			g.done()
		}
	case "data.tar.bz2":
		b := newBzip2Stream(r)
		out, behind = b, b.in
	case "data.tar.lzma":
		out, err = lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(r)
	case "data.tar.xz":
		var z *xz.Reader
		if z, err = xz.NewReader(r, maxDictionary); err == nil {
			z.Multistream(false) // dpkg reads one stream
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
