// Package pgp judges the OpenPGP signatures inside packages by the keys that a repository has registered, as the
// clients do that check them: rpm with its own OpenPGP or with Sequoia's, and gpg for debsigs.
//
// A signature is an attacker's bytes. They are measured here, to the last one, before go-crypto reads them. It knows
// packets of version 4 to 6, while most signatures of RPM packages have version 3 (RFC 4880, section 5.2.2): such a one is
// written again as a packet of version 4, whose numbers are the same, and covers what version 3 covers.
package pgp

import (
	"crypto"
	_ "crypto/sha256" // what signatures use
	_ "crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// maxPacket is the longest signature that is read, in bytes. That of RSA with 16384 bits has 2 KiB.
const maxPacket = 64 << 10

var errMalformed = errors.New("it is not one OpenPGP signature")

// A signature is what is read of a packet without a judgement.
type signature struct {
	version   byte
	kind      byte // 0 for one of binary data
	algorithm byte // of the key
	hash      byte // OpenPGP's number (RFC 9580, section 9.5)
	made      uint32
	issuer    issuer
	body      []byte // of the packet
}

// An issuer says which key made a signature, as the signature claims.
type issuer struct {
	id          uint64
	fingerprint []byte // nil where it has the ID alone
}

// String returns the fingerprint or, where it is not known, the key's ID, in hexadecimal.
func (i issuer) String() string {
	if i.fingerprint != nil {
		return fmt.Sprintf("%X", i.fingerprint)
	}
	return fmt.Sprintf("%016X", i.id)
}

// Signer returns the fingerprint or the ID of the key that a signature says it was made with, or "" where it is no
// signature or says nothing.
func Signer(raw []byte) string {
	s, err := parse(raw)
	if err != nil || s.issuer.id == 0 {
		return ""
	}
	return s.issuer.String()
}

// Dearmor returns the packets of an armoured signature. What is not armoured stays as it is.
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

// digests are the algorithms whose signatures count. Sequoia refuses MD5, SHA-1 and RIPEMD-160.
var digests = map[byte]crypto.Hash{8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224}

// weakDigests names those that do not count.
var weakDigests = map[byte]string{1: "MD5", 2: "SHA-1", 3: "RIPEMD-160"}

func digestName(n byte) string {
	if name, ok := weakDigests[n]; ok {
		return name
	}
	return fmt.Sprintf("the digest with the number %d", n)
}
