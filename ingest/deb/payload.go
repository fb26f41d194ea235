package deb

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A payload looks at data.tar while its bytes go by: what would stop dpkg there makes a package that cannot be
// installed. It unpacks the first MiB, where the headers of other tools and forms of tar are, and looks for the
// end of the compressed stream at the end; a plain archive, and a small one, it reads whole. Damage in between is found
// only by an [input.Verification], which unpacks everything and costs more than all else of an intake.
type payload struct {
	name         string
	size         int64
	written      int64
	start        []byte
	startPending bool // the lead was not looked at yet
	tail         []byte
	zstd         zstdWalker
	bzip2        bzip2Walker
	readWhole    bool // the lead was all, and was read to the end of its stream
	files        *fileTree
	verification *input.Verification // nil unless that was asked for, or costs nothing
}

// newPayload returns one for a member of name and size. A ratio makes it unpack everything, up to that many bytes for each
// of the member.
func newPayload(m arMember, ratio int64, c conffiles) *payload {
	p := &payload{name: m.name, size: m.size, startPending: true, files: newFileTree(c)}
	if m.name == "data.tar" { // which costs nothing to unpack
		ratio = input.WholeRatio
	}
	if ratio > 0 {
		p.verification = startVerification(m.name, m.size, ratio, p.files)
	}
	return p
}

// write takes the next bytes of the member.
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
		p.tail = append(p.tail, b[from:]...)
	}
	if p.verification != nil {
		p.verification.Write(b) //nolint:errcheck // never fails
		return nil
	}
	if !p.startPending {
		return nil
	}
	p.start = append(p.start, b[:min(len(b), maxStart-len(p.start))]...)
	if len(p.start) < maxStart && p.written < p.size {
		return nil
	}
	lead := p.start
	p.start, p.startPending = nil, false
	return input.Guard("the reader of payloads", func() (err error) {
		p.readWhole, err = checkStart(p.name, lead, p.written == p.size && len(lead) == int(p.size), p.files)
		return err
	})
}

// end says what is wrong with the member, all of whose bytes were written.
func (p *payload) end() error {
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
	if p.name == "data.tar.gz" && (p.verification != nil || p.readWhole) { // that knew more than its end shows
		return nil
	}
	if err := checkTail(p.name, p.tail, p.size); err != nil {
		return dataRejection(p.name, err)
	}
	return nil
}

// dataRejection is the rejection of a data member, or nil.
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

// streamProblem says, without its subject, what an error of a decompressor means: its own words are those of a library.
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

// retryRatio is [input.WholeRatio] where a verification was not asked for: gzip seldom reaches 10.
const retryRatio = 16

// startVerification starts to unpack a data member of this name and size, to the end of its stream, and to read the tar archive in it
// as dpkg does.
func startVerification(name string, size, ratio int64, files *fileTree) *input.Verification {
	return input.Verify(func(r io.Reader) error { return dataRejection(name, unpackWhole(name, r, size, ratio, files)) })
}

// unpackWhole reads a member of this size, and the archive in it, to their ends. ratio says how long that may be.
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
		_, err = io.Copy(io.Discard, out) // to the end of the stream, and to its check
	}
	if errors.Is(err, input.ErrLimit) {
		return input.Reject(catalog.TooLarge, "%s unpacks to more than %d bytes, more than %d for each of its own", name, limit, ratio)
	}
	if err == nil {
		err = checkTrailing(behind)
	}
	return err
}

// decompress unpacks all of r. What it leaves of r, behind reads.
func decompress(name string, r io.Reader) (out, behind io.Reader, done func(), err error) {
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
