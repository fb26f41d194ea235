package rpm

import (
	"bytes"
	"encoding/base64"
	"hash"
	"slices"
	"strings"
)

// A Signature is a signature whose signer is trusted. The signed bytes are written to a New hash; Verify returns a
// rejection if the signature is not of them.
type Signature = interface {
	New() hash.Hash
	Verify(h hash.Hash) error
}

// Keys are the keys whose signatures are accepted. Errors of their methods are rejections.
type Keys interface {
	// Signature reads an OpenPGP signature of exactly one packet.
	Signature(packet []byte) (Signature, error)

	// Unsigned returns the rejection of a package that is not signed. what is its predicate, such as "has no signature".
	Unsigned(what string) error
}

// A packageSignature is one signature of the signature header.
type packageSignature struct {
	packet    []byte // nil if the tag does not have the type that rpm requires
	ofPayload bool   // of the main header and the payload; otherwise of the main header
}

// packageSignatures are the signatures of a package.
type packageSignatures struct {
	rpm4     []packageSignature // that rpm 4 checks: tags 267, 268, 1002 and 1005
	rpm6     []packageSignature // that rpm 6 checks, which ignores the others if it finds one: tag 278
	digested bool               // the main header has a digest of the payload, so that a signature of the header covers both
}

// Limits of signatures: bytes of one, and their number in tag 278. A signature with an RSA key of 16384 bits has 2
// KiB.
const (
	maxSignature  = 64 << 10
	maxSignatures = 16
)

// readSignatures copies the signatures, so that they do not keep the signature header in memory.
func readSignatures(signature, main *headerIndex) packageSignatures {
	s := packageSignatures{digested: main.text(tagPayloadDigest) != ""}
	for _, tag := range []uint32{sigRSA, sigDSA, sigPGP, sigGPG} {
		if e, ok := signature.entries[tag]; ok {
			one := packageSignature{ofPayload: tag == sigPGP || tag == sigGPG}
			if e.typ == typeBinary && e.count <= maxSignature {
				one.packet = bytes.Clone(signature.data[e.offset:e.end])
			}
			s.rpm4 = append(s.rpm4, one)
		}
	}
	e, ok := signature.entries[sigOpenPGP]
	if !ok {
		return s
	}
	if e.typ != typeArray || e.count > maxSignatures || e.end-e.offset > maxSignatures*maxSignature {
		s.rpm6 = []packageSignature{{}}
		return s
	}
	for text := range strings.SplitSeq(strings.TrimSuffix(string(signature.data[e.offset:e.end]), "\x00"), "\x00") {
		packet, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil || len(packet) > maxSignature {
			packet = nil
		}
		s.rpm6 = append(s.rpm6, packageSignature{packet: packet})
	}
	return s
}

// checkedBy returns the signatures that a client checks, all of which must be good. six reports whether it has rpm 6.
func (s packageSignatures) checkedBy(six bool) []packageSignature {
	if six && len(s.rpm6) > 0 {
		return s.rpm6
	}
	return s.rpm4
}

// RequireSigned checks that clients with gpgcheck=1 and these keys install the package: each signature that they
// check must be good, and header and payload must be signed. Body verifies signatures of the payload when it ends.
// six reports whether clients have rpm 6. It must be called before Body. The error is a rejection.
func (p *Package) RequireSigned(keys Keys, six bool) error {
	counted := p.signatures.checkedBy(six)
	if len(counted) == 0 && len(p.signatures.rpm6) > 0 {
		return keys.Unsigned("has a signature for rpm 6 alone (tag 278), which earlier ones pass over: rpmsign --rpmv4 makes one for all")
	}
	if len(counted) == 0 {
		return keys.Unsigned("has no signature")
	}
	signed := false // the payload
	for _, s := range counted {
		sig, err := keys.Signature(s.packet)
		if err != nil {
			return err
		}
		h := sig.New()
		h.Write(p.prefixes[1])
		if s.ofPayload {
			p.pending = append(p.pending, pendingSignature{h, sig})
		} else if err := sig.Verify(h); err != nil {
			return err
		}
		signed = signed || s.ofPayload || p.signatures.digested
	}
	if !signed {
		return keys.Unsigned("has a signature of its header alone, and the header has no digest of the payload, so that the payload is not signed")
	}
	return nil
}

// A pendingSignature is a signature of header and payload. The hash takes the payload while Body is read.
type pendingSignature struct {
	hash.Hash
	sig Signature
}

// SignaturePackets returns the signatures of the package, those for rpm 6 first. They were not verified; those that
// cannot be read are nil.
func (p *Package) SignaturePackets() (packets [][]byte) {
	for _, s := range slices.Concat(p.signatures.rpm6, p.signatures.rpm4) {
		packets = append(packets, s.packet)
	}
	return packets
}
