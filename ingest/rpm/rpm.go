// Package rpm reads RPM packages and makes their index fragments: the <package> elements of
// primary, filelists and other, equal to those of createrepo_c.
//
// A package is read once, as a stream: [Peek] reads its headers, which say everything that an index
// needs, and [Package.Body] hands on the whole file. Memory use depends on the headers alone, which are held until
// they are handed on (at most 64 MiB each): no package takes more than 64 MiB beyond its own size. Every count and offset is checked against librpm's rules and
// tighter limits; go-rpmutils, which trusts its input, gets a small package of our own, made of the values
// that it is asked for. The payload is hashed, and unpacked only if that is asked for ([Package.VerifyWhole]): as a
// stream of which nothing is kept.
package rpm

import (
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A Package is an RPM package whose headers have been read and found sound.
type Package struct {
	header *header
	head   [][]byte // the file up to its payload, in two parts, so that the second need not grow behind the first; nil once Body was called
	rest   io.Reader
	claim  payloadClaim
	weak   bool

	compressor string // as the header has it
	contents   *contents
	verify     bool                // unpack the payload
	running    *input.Verification // that does

	signings signings
	pending  []pendingSignature // that Body judges
}

// Peek reads the lead, the signature header and the main header of a package from r. An error is a
// [*catalog.Rejection], or a fault of r, wrapped.
func Peek(r io.Reader) (*Package, error) {
	head := &input.Prefix{R: r}
	if err := readLead(head); err != nil {
		return nil, err
	}
	signature, err := readIndex(head, 0, signatureHeader)
	if err != nil {
		return nil, err
	}
	s := &input.Prefix{R: r}
	main, err := readIndex(s, head.Len(), mainHeader)
	if err != nil {
		return nil, err
	}
	if err := main.checkArrays(); err != nil {
		return nil, err
	}
	if err := checkDigests(signature, main); err != nil {
		return nil, err
	}
	claim, err := claimOf(signature, main)
	if err != nil {
		return nil, err
	}
	h, err := parse(signature, main, head.Len())
	if err != nil {
		return nil, err
	}
	if err := main.checkInstallable(); err != nil {
		return nil, err
	}
	if err := checkVouched(signature, main); err != nil {
		return nil, err
	}
	return &Package{header: h, head: [][]byte{head.Bytes(), s.Bytes()}, rest: r, claim: claim, weak: !strong(signature, main),
		compressor: main.text(tagPayloadCompressor), contents: main.contentsOf(), signings: readSignings(signature, main)}, nil
}

// WeakDigests reports that MD5 or SHA-1 alone vouch for the main header or the payload: rpm 6 refuses to install that.
func (p *Package) WeakDigests() bool { return p.weak }

// Identity returns what the headers alone say about the package: its format, name, versions,
// architecture and sort key. A source package has the architecture "src", also if its file name says "nosrc".
func (p *Package) Identity() catalog.Package {
	h := p.header
	return catalog.Package{
		Format:    catalog.RPM,
		Name:      h.name,
		Version:   h.evr.String(),
		Canonical: h.evr.canonical(),
		Arch:      h.arch,
		SortKey:   sortKey(h.name, h.evr, h.arch),
	}
}
