package pgp

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"repomill/schemas/catalog"
)

// maxClockSkew is how far the clock of a signer may be ahead, which is what clients allow.
const maxClockSkew = 5 * time.Minute

// A Signature is a signature by a registered key. [Signature.Verify] checks whether it is of the package.
type Signature struct {
	ring    *Ring
	packet  *packet.Signature
	version byte
	keys    []*key
	now     time.Time
}

// Signature reads one signature packet, and checks that clients trust its signer at time now. The error is a
// *[catalog.Rejection].
func (r *Ring) Signature(raw []byte, now time.Time) (*Signature, error) {
	s, err := parseSignature(raw)
	if err != nil {
		return nil, r.reject(catalog.BadSignature, "the signature of the package cannot be read: %s; sign the package again", err)
	}
	keys := r.find(s.issuer)
	if len(keys) == 0 {
		return nil, r.unknown(s.issuer)
	}
	p, err := s.packet()
	if err != nil {
		return nil, r.untrusted(keys[0], "%s", err)
	}
	if made := p.CreationTime; made.After(now.Add(maxClockSkew)) {
		return nil, r.untrusted(keys[0], "it is of %s, in the future; set the clock of the machine that signs", formatTime(made))
	}
	if p.SigLifetimeSecs != nil && p.SigExpired(now) {
		return nil, r.reject(catalog.ExpiredSigner, "the signature of the package by key %s has expired itself; sign the package again", keys[0].name())
	}
	return &Signature{ring: r, packet: p, version: s.version, keys: keys, now: now}, r.checkTrust(keys, p.CreationTime, now)
}

// checkTrust returns a rejection if clients trust none of the keys for a signature that was made at this time.
func (r *Ring) checkTrust(keys []*key, made, now time.Time) (err error) {
	for _, k := range keys {
		if err = k.validAt(made, now); err == nil {
			return nil
		}
	}
	if errors.Is(err, errKeyEnded) {
		return r.reject(catalog.ExpiredSigner, "the package is signed by key %s, and %s; if the key is still valid, register its current version (repomill repo set %s --package-key FILE), else sign the package with another",
			keys[0].name(), err, r.repository)
	}
	return r.untrusted(keys[0], "%s", err)
}

// packet reads s with go-crypto. The lengths of its fields were checked.
func (s signature) packet() (*packet.Signature, error) {
	if s.kind != 0 {
		return nil, fmt.Errorf("it is one of type %#x and not of a file", s.kind)
	}
	if _, ok := acceptedDigests[s.hash]; !ok {
		return nil, fmt.Errorf("it uses %s, which can be forged; sign with SHA-256 or SHA-512 (gpg: digest-algo SHA512 in gpg.conf)", digestName(s.hash))
	}
	body := s.body
	if s.version == 3 {
		body = s.bodyAsV4()
	}
	header := binary.BigEndian.AppendUint32([]byte{0xc2, 0xff}, uint32(len(body)))
	p, err := packet.Read(bytes.NewReader(append(header, body...)))
	if err != nil {
		return nil, fmt.Errorf("it cannot be read (%.100q)", err)
	}
	sig, ok := p.(*packet.Signature)
	if !ok {
		return nil, errMalformed
	}
	for _, n := range sig.Notations {
		if n.IsCritical {
			return nil, fmt.Errorf("it has the critical notation %.100q, which clients do not know", n.Name)
		}
	}
	if s.version == 3 {
		sig.HashSuffix = s.hashSuffix3()
	}
	return sig, nil
}

// New returns the hash that the signed bytes must be written to.
func (s *Signature) New() hash.Hash {
	h, err := s.packet.PrepareVerify()
	if err != nil { // the digest is not linked; all accepted ones are
		panic(err)
	}
	return h
}

// CheckOld rejects a signature of version 6, for clients that do not know it. Signatures of other versions are of
// what is written to [Signature.Hash]; version 6 has a salt before it. client names the client in the rejection.
func (s *Signature) CheckOld(client string) error {
	if s.version == 6 {
		return s.ring.untrusted(s.keys[0], "it has version 6, which %s does not know; sign with a key of version 4", client)
	}
	return nil
}

// CheckRSA rejects a signature that is not by an RSA key, for clients that know RSA alone. client names the client in
// the rejection.
func (s *Signature) CheckRSA(client string) error {
	if a := byte(s.packet.PubKeyAlgo); a != algRSA && a != algRSASign {
		return s.ring.untrusted(s.keys[0], "%s knows RSA alone; sign with a key of that kind", client)
	}
	return nil
}

// Hash returns the digest of the signature.
func (s *Signature) Hash() crypto.Hash { return s.packet.Hash }

// Verify returns a rejection if the signature is not of what was written to h. It does not change h.
func (s *Signature) Verify(h hash.Hash) error {
	for _, k := range s.keys { // several only if someone made keys with one ID
		if s.verify(k, h) {
			return s.ring.checkTrust([]*key{k}, s.packet.CreationTime, s.now)
		}
	}
	return s.ring.untrusted(s.keys[0], "it is not of these bytes: the package was changed after it was signed, or another key has the same ID")
}

// verify reports whether k made the signature, and whether the first two bytes of its digest, which rpm compares, are
// right. It does not change h.
func (s *Signature) verify(k *key, h hash.Hash) bool {
	for _, check := range []func(hash.Hash, *packet.Signature) error{packet.VerifyHashTag, k.VerifySignature} {
		own, err := h.(hash.Cloner).Clone() // all hashes of the standard library can
		if err != nil || check(own, s.packet) != nil {
			return false
		}
	}
	return true
}

// Unsigned returns the rejection of a package without a signature that its clients check. what is its predicate, such
// as "has no signature".
func (r *Ring) Unsigned(f catalog.Format, what string) error {
	return r.reject(catalog.Unsigned, "the package %s; clients that check signatures refuse it. Sign it, or change what %s asks of %s packages (repomill repo set %s --require-signed none)", what, r.repository, f, r.repository)
}

func (r *Ring) unknown(i issuer) error {
	return r.reject(catalog.UnknownSigner, "the package is signed by key %s, which is not registered for %s; sign it with another, or register that one (repomill repo set %s --package-key FILE)",
		i, r.repository, r.repository)
}

func (r *Ring) untrusted(k *key, format string, args ...any) error {
	return r.reject(catalog.BadSignature, "the signature of the package by key %s does not count: %s", k.name(), fmt.Sprintf(format, args...))
}

// reject returns a rejection that lists the keys whose signatures are accepted.
func (r *Ring) reject(reason catalog.Reason, format string, args ...any) *catalog.Rejection {
	return &catalog.Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...) + ". Accepted here: " + r.registeredKeys()}
}
