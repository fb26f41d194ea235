// Package pgp verifies the OpenPGP signatures inside packages with the keys that a repository has registered, and
// accepts what the clients accept that check them: rpm with its own OpenPGP or with that of Sequoia, and gpg for
// debsigs.
//
// A signature is an attacker's bytes. Its lengths are checked here, to the last byte, before go-crypto reads it.
// go-crypto reads packets of version 4 to 6, while most signatures of RPM packages have version 3 (RFC 4880, section
// 5.2.2). Such a packet is rewritten as one of version 4 with the same numbers, that covers what version 3 covers.
//
// In reading order: pgp.go has limits and names, parse.go the packets, ring.go the registered keys, validity.go when
// clients trust a key, signature.go the verification.
package pgp

import (
	"crypto"
	_ "crypto/sha256" // digests of signatures
	_ "crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// maxPacket is the longest signature that is read, in bytes. A signature with an RSA key of 16384 bits has 2 KiB.
const maxPacket = 64 << 10

var errMalformed = errors.New("it is not one OpenPGP signature")

// A signature has the values of a packet, before any check.
type signature struct {
	version   byte
	kind      byte // type of the signature; 0: of binary data
	algorithm byte // of the key (RFC 9580, section 9.1)
	hash      byte // digest (RFC 9580, section 9.5)
	created   uint32
	issuer    issuer
	body      []byte // body of the packet
}

// An issuer is the key that made a signature, as the signature claims.
type issuer struct {
	id          uint64
	fingerprint []byte // nil if the signature has the ID alone
}

// String returns the fingerprint or, if that is not known, the key ID, in hexadecimal.
func (i issuer) String() string {
	if i.fingerprint != nil {
		return fmt.Sprintf("%X", i.fingerprint)
	}
	return fmt.Sprintf("%016X", i.id)
}

// Signer returns the fingerprint or the ID of the key that a signature names, in hexadecimal, or "" if raw is not a
// signature or does not name a key. The signature is not verified.
func Signer(raw []byte) string {
	s, err := parseSignature(raw)
	if err != nil || s.issuer.id == 0 {
		return ""
	}
	return s.issuer.String()
}

// Dearmor returns the packets of an armoured signature. It returns other bytes unchanged.
func Dearmor(raw []byte) []byte {
	const begin = "-----BEGIN PGP SIGNATURE-----"
	if !strings.HasPrefix(string(raw[:min(len(raw), len(begin))]), begin) {
		return raw
	}
	block, err := armor.Decode(strings.NewReader(string(raw)))
	if err != nil {
		return raw
	}
	b, err := io.ReadAll(io.LimitReader(block.Body, maxPacket+1))
	if err != nil {
		return raw
	}
	return b
}

// acceptedDigests are the digests of accepted signatures. Sequoia refuses MD5, SHA-1 and RIPEMD-160.
var acceptedDigests = map[byte]crypto.Hash{8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224}

// weakDigests are the names of digests that are not accepted.
var weakDigests = map[byte]string{1: "MD5", 2: "SHA-1", 3: "RIPEMD-160"}

func digestName(n byte) string {
	if name, ok := weakDigests[n]; ok {
		return name
	}
	return fmt.Sprintf("the digest with the number %d", n)
}
