package rpm

import (
	"bytes"
	"encoding/base64"
	"hash"
	"slices"
	"strings"
)

// A Signature is one whose signer counts. It is of what is written to a New hash, or Verify says that it is not.
type Signature = interface {
	New() hash.Hash
	Verify(h hash.Hash) error
}

// Keys are those whose signatures count. Errors are rejections.
type Keys interface {
	// Signature reads one OpenPGP signature, of exactly one packet.
	Signature(packet []byte) (Signature, error)

	// Unsigned rejects a package without a signature of what it says, such as "has no signature".
	Unsigned(what string) error
}

// A packageSignature is one signature of the signature header.
type packageSignature struct {
	packet    []byte // nil if the tag is not as rpm wants it
	ofPayload bool   // of the main header and the payload, not of the header alone
}

// packageSignatures are the signatures of a package.
type packageSignatures struct {
	rpm4     []packageSignature // for rpm 4: tags 267, 268, 1002 and 1005
	rpm6     []packageSignature // for rpm 6, which looks at no other where there is one: tag 278
	digested bool               // the main header has a digest of the payload, so that who signs it signs that, too
}

// Limits of what is kept of signatures. An RSA key of 16384 bits makes one of 2 KiB.
const (
	maxSignature  = 64 << 10
	maxSignatures = 16
)

// readSignatures copies the signatures, so that they keep nothing else in memory.
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

// checkedBy returns the signatures that a client looks at, all of which have to be good. six says that it has rpm 6.
func (s packageSignatures) checkedBy(six bool) []packageSignature {
	if six && len(s.rpm6) > 0 {
		return s.rpm6
	}
	return s.rpm4
}

// RequireSigned makes sure that clients with gpgcheck=1 and the keys install the package: that each signature which they
// look at is good, and that the header and the payload are signed. Signatures of the payload are judged as Body ends.
// six says that clients have rpm 6. It is called before Body; the error is a rejection.
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

// A pendingSignature is one of the payload, too, some of which has not come yet.
type pendingSignature struct {
	hash.Hash
	sig Signature
}

// SignaturePackets returns the signatures of the package, those for rpm 6 first, in a form that is not judged.
func (p *Package) SignaturePackets() (packets [][]byte) {
	for _, s := range slices.Concat(p.signatures.rpm6, p.signatures.rpm4) {
		packets = append(packets, s.packet)
	}
	return packets
}
