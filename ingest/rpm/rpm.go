// Package rpm reads RPM packages and makes their index fragments: the <package> elements of primary, filelists and
// other, equal to those of createrepo_c. FORMAT.md lists what is accepted and refused.
//
// A package is read once, as a stream. [Peek] reads the lead and both headers, which have all that an index needs.
// [Package.Body] returns the whole file and checks the payload while it is read: its size and its digest, its first
// bytes, and, after [Package.VerifyWhole], all that it unpacks to.
//
// Each header is held until its bytes were returned, at most 64 MiB. Beyond the size of the package, an intake
// allocates less than 64 MiB. Counts and offsets are checked against librpm's rules and tighter limits before memory
// is allocated. go-rpmutils, which trusts its input, reads a small package that is made here, of the values that it
// is asked for.
//
// In reading order:
//
//	rpm.go           Package, Peek, the lead
//	headerindex.go   the structure of a header: entries, region, limits
//	tags.go          numbers of tags
//	tagtypes.go      types and counts of their values
//	minimal.go       the small package for go-rpmutils
//	header.go        the values of both headers
//	identity.go      name, version, architecture; rows of the catalog
//	version.go       order of versions
//	dependencies.go  provides, requires and the like
//	files.go         paths, as an index lists them
//	digest.go        digests of header and payload
//	installable.go   what rpm checks only when it installs
//	describe.go      the elements of an index; xml.go, text.go
//	body.go          the payload as it is read
//	payloadstart.go  its first bytes
//	payload.go       decompression, verification
//	cpio.go          the archive in it
//	payloadfiles.go  the files of the header, to be found by name
//	compare.go       archive against header
//	signed.go        signatures
package rpm

import (
	"bytes"
	"encoding/binary"
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A Package is an RPM package whose headers were read and accepted.
type Package struct {
	header      *header
	prefixes    [][]byte // the file up to the main header, and the main header; nil once Body was called
	rest        io.Reader
	want        expectedPayload
	weakDigests bool

	compressor   string // the value of PAYLOADCOMPRESSOR
	contents     *payloadFiles
	verify       bool                // Body unpacks the payload
	verification *input.Verification // of Body; nil unless it unpacks the payload

	signatures packageSignatures
	pending    []pendingSignature // of the payload: Body verifies them
}

// Peek reads the lead, the signature header and the main header of a package from r, and checks all that does not
// need the payload. The error is a [*catalog.Rejection], or a fault of r, wrapped.
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

// WeakDigests reports whether the main header or the payload has no digest but MD5 or SHA-1. rpm 6 refuses to install
// such a package.
func (p *Package) WeakDigests() bool { return p.weakDigests }

// Identity returns the columns of a row that the headers alone determine: format, name, version, architecture and
// sort key. A source package has the architecture "src", even if its file name says "nosrc".
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

// The lead has 96 bytes: magic, format version, type, architecture, name, operating system, signature type (RPM V4
// package format, "Lead"). rpm ignores all but the magic and the signature type.
const (
	leadSize      = 96
	leadMagic     = "\xed\xab\xee\xdb"
	deltaMagic    = "drpm" // the magic of a delta RPM
	signatureType = 5      // a signature header follows
)

// readLead reads the lead and rejects files that are not RPM packages.
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
