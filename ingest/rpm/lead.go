package rpm

import (
	"bytes"
	"encoding/binary"
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

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
