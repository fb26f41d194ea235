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
	"bytes"
	"encoding/binary"
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A Package is an RPM package whose headers have been read and found sound.
type Package struct {
	header      *header
	prefixes    [][]byte // the file up to its payload, in two parts, so that the second need not grow behind the first; nil once Body was called
	rest        io.Reader
	want        expectedPayload
	weakDigests bool

	compressor   string // as the header has it
	contents     *payloadFiles
	verify       bool                // unpack the payload
	verification *input.Verification // that does

	signatures packageSignatures
	pending    []pendingSignature // that Body judges
}

// Peek reads the lead, the signature header and the main header of a package from r. An error is a
// [*catalog.Rejection], or a fault of r, wrapped.
func Peek(r io.Reader) (*Package, error) {
	head := &input.Prefix{R: r}
	if err := readLead(head); err != nil {
		return nil, err
	}
	signature, err := readHeaderIndex(head, 0, signatureHeader)
	if err != nil {
		return nil, err
	}
	s := &input.Prefix{R: r}
	main, err := readHeaderIndex(s, head.Len(), mainHeader)
	if err != nil {
		return nil, err
	}
	if err := main.checkArrays(); err != nil {
		return nil, err
	}
	if err := checkDigests(signature, main); err != nil {
		return nil, err
	}
	claim, err := expectedPayloadOf(signature, main)
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
	if err := checkDigestsPresent(signature, main); err != nil {
		return nil, err
	}
	return &Package{header: h, prefixes: [][]byte{head.Bytes(), s.Bytes()}, rest: r, want: claim, weakDigests: !hasStrongDigests(signature, main),
		compressor: main.text(tagPayloadCompressor), contents: main.payloadFiles(), signatures: readSignatures(signature, main)}, nil
}

// WeakDigests reports that MD5 or SHA-1 alone vouch for the main header or the payload: rpm 6 refuses to install that.
func (p *Package) WeakDigests() bool { return p.weakDigests }

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

// The lead is 96 bytes: magic, format version, type, architecture, name, os, signature type. Only the
// magic and the signature type mean anything today; the rest must merely be of this world.
const (
	leadSize      = 96
	leadMagic     = "\xed\xab\xee\xdb"
	deltaMagic    = "drpm" // a delta of an RPM without its payload's header
	signatureType = 5      // a signature header follows
)

// readLead reads and judges the lead.
func readLead(s *input.Prefix) error {
	err := s.More(leadSize)
	if err != nil && err != io.EOF {
		return err
	}
	lead := s.Bytes()
	n := min(len(lead), len(leadMagic))
	switch {
	case len(lead) == 0:
		return input.Reject(catalog.Empty, "the file has no bytes; upload it again")
	case bytes.HasPrefix(lead, []byte(deltaMagic)):
		return input.Reject(catalog.Unsupported, "the file is a delta RPM; upload the whole package")
	case string(lead[:n]) != leadMagic[:n]:
		return input.Reject(catalog.NotAPackage, "the file does not start as an RPM package does; its first bytes are %s", input.Quote(string(lead[:n])))
	case err == io.EOF:
		return input.Reject(catalog.Truncated, "the file ends within its lead, after %d bytes; upload it again", len(lead))
	}
	return checkLead(lead)
}

func checkLead(lead []byte) error {
	version, kind := lead[4], binary.BigEndian.Uint16(lead[6:])
	signature := binary.BigEndian.Uint16(lead[78:])
	switch {
	case version < 3 || version > 6:
		return input.Reject(catalog.Unsupported, "the package has format version %d; build it with rpm 4.0 or later", version)
	case kind > 1:
		return input.Reject(catalog.Unsupported, "the package is of type %d, which is neither binary (0) nor source (1)", kind)
	case signature != signatureType:
		return input.Reject(catalog.Unsupported, "the package has signatures of type %d; only headers (%d) can be read", signature, signatureType)
	}
	return nil
}
