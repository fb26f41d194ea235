package deb

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"repomill/schemas/catalog"
)

// A payload looks at data.tar while its bytes go by: what would stop dpkg there makes a package that cannot be
// installed. It unpacks the first MiB, where the headers of other tools and forms of tar are, and looks for the
// end of the compressed stream at the end; a plain archive, and a small one, it reads whole. Damage in between is found
// only by a [verification], which unpacks everything and costs more than all else of an intake.
type payload struct {
	name  string
	size  int64
	seen  int64
	lead  []byte
	ahead bool // the lead was not looked at yet
	tail  []byte
	zstd  zstdWalker
	bzip2 bzip2Walker
	files *tree
	whole *verification // nil unless that was asked for, or costs nothing
}

// newPayload returns one for a member of name and size. whole makes it unpack everything.
func newPayload(m member, whole bool, c conffiles) *payload {
	p := &payload{name: m.name, size: m.size, ahead: true, files: newTree(c)}
	if whole || m.name == "data.tar" { // which costs nothing to unpack
		p.whole = verify(m.name, m.size, p.files)
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
	if p.whole != nil {
		p.whole.write(b)
		return nil
	}
	if from := max(0, p.size-maxTail-begin); from < int64(len(b)) {
		p.tail = append(p.tail, b[from:]...)
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
	return guard(func() error { return checkLead(p.name, lead, p.seen == p.size && len(lead) == int(p.size), p.files) })
}

// end says what is wrong with the member, all of whose bytes were written.
func (p *payload) end() error {
	if p.whole != nil {
		if err := p.whole.end(); err != nil {
			return err
		}
	}
	if err := cmp.Or(p.zstd.end(), p.bzip2.err); err != nil {
		return dataFault(p.name, err)
	}
	if p.whole != nil {
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
		return rej
	case errors.As(err, &problem):
		return reject(catalog.Malformed, "dpkg cannot unpack %s: it %s", name, problem)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errEnd
	}
	return reject(catalog.Malformed, "dpkg cannot unpack %s (%s); rebuild the package, and upload it again", name, quote(fmt.Sprint(err)))
}
