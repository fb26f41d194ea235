package deb

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A payload looks at data.tar while its bytes go by: what would stop dpkg there makes a package that cannot be
// installed. It unpacks the first MiB, where the headers of other tools and forms of tar are, and looks for the
// end of the compressed stream at the end; a plain archive, and a small one, it reads whole. Damage in between is found
// only by an [input.Verification], which unpacks everything and costs more than all else of an intake.
type payload struct {
	name  string
	size  int64
	seen  int64
	lead  []byte
	ahead bool // the lead was not looked at yet
	tail  []byte
	zstd  zstdWalker
	bzip2 bzip2Walker
	exact bool // the lead was all, and was read to the end of its stream
	files *tree
	whole *input.Verification // nil unless that was asked for, or costs nothing
}

// newPayload returns one for a member of name and size. A ratio makes it unpack everything, up to that many bytes for each
// of the member.
func newPayload(m member, ratio int64, c conffiles) *payload {
	p := &payload{name: m.name, size: m.size, ahead: true, files: newTree(c)}
	if m.name == "data.tar" { // which costs nothing to unpack
		ratio = input.WholeRatio
	}
	if ratio > 0 {
		p.whole = verify(m.name, m.size, ratio, p.files)
	}
	return p
}

// write takes the next bytes of the member.
func (p *payload) write(b []byte) error {
	if b = b[:min(int64(len(b)), p.size-p.seen)]; len(b) == 0 { // the rest is padding
		return nil
	}
	begin := p.seen
	p.seen += int64(len(b))
	switch p.name {
	case "data.tar.zst":
		p.zstd.write(b)
	case "data.tar.bz2":
		p.bzip2.write(b)
	}
	if from := max(0, p.size-maxTail-begin); from < int64(len(b)) {
		p.tail = append(p.tail, b[from:]...)
	}
	if p.whole != nil {
		p.whole.Write(b) //nolint:errcheck // never fails
		return nil
	}
	if !p.ahead {
		return nil
	}
	p.lead = append(p.lead, b[:min(len(b), maxLead-len(p.lead))]...)
	if len(p.lead) < maxLead && p.seen < p.size {
		return nil
	}
	lead := p.lead
	p.lead, p.ahead = nil, false
	return input.Guard("the reader of payloads", func() (err error) {
		p.exact, err = checkLead(p.name, lead, p.seen == p.size && len(lead) == int(p.size), p.files)
		return err
	})
}

// end says what is wrong with the member, all of whose bytes were written.
func (p *payload) end() error {
	if p.whole != nil {
		if err := p.whole.Result(); err != nil {
			return err
		}
	}
	if err := p.bzip2.err; err != nil {
		return dataFault(p.name, err)
	}
	if p.name == "data.tar.zst" {
		return dataFault(p.name, p.zstd.finish())
	}
	if p.name == "data.tar.gz" && (p.whole != nil || p.exact) { // that knew more than its end shows
		return nil
	}
	if err := checkTail(p.name, p.tail, p.size); err != nil {
		return dataFault(p.name, err)
	}
	return nil
}

// dataFault is the rejection of a data member, or nil.
func dataFault(name string, err error) error {
	problem, rej := tarProblem(""), (*catalog.Rejection)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &rej):
		return err
	case errors.As(err, &problem):
		return input.Reject(catalog.Malformed, "dpkg cannot unpack %s: it %s", name, problem)
	case errors.Is(err, errStreams):
		return input.Reject(catalog.Malformed, "%s has several compressed streams, and dpkg reads the first one only; compress it in one", name)
	case errors.Is(err, errBehind):
		return input.Reject(catalog.Malformed, "%s has more than %d bytes behind the end of its compressed stream, and dpkg fails where they are more than a pipe holds; leave them out", name, maxBehind)
	}
	return input.Reject(catalog.Malformed, "dpkg cannot unpack %s: it %s; rebuild the package, and upload it again", name, streamProblem(err))
}

// streamProblem says, without its subject, what an error of a decompressor means: its own words are those of a library.
func streamProblem(err error) string {
	switch {
	case errors.Is(err, errEnd), errors.Is(err, io.ErrUnexpectedEOF):
		return errEnd.Error()
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Sprintf("needs a zstd window of more than %d bytes", maxWindow)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return "needs a zstd dictionary"
	case errors.Is(err, xz.ErrOptions):
		return "needs an xz filter that is not known"
	}
	return "has a damaged compressed stream"
}
