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

// skew is how far ahead the clock of a signer may be: clients allow as much.
const skew = 5 * time.Minute

// A Signature is one by a registered key. Whether it is one of the package, [Signature.Verify] says.
type Signature struct {
	ring    *Ring
	packet  *packet.Signature
	version byte
	keys    []*key
	now     time.Time
}

// Signature reads one signature packet and makes sure that clients would trust its signer, at time now. The error is a
// *[catalog.Rejection].
func (r *Ring) Signature(raw []byte, now time.Time) (*Signature, error) {
	s, err := parse(raw)
	if err != nil {
		return nil, r.reject(catalog.BadSignature, "the signature of the package cannot be read: %s; sign the package again", err)
	}
	keys := r.find(s.issuer)
	if len(keys) == 0 {
		return nil, r.unknown(s.issuer)
	}
	p, err := s.packet()
	if err != nil {
		return nil, r.bad(keys[0], "%s", err)
	}
	if made := p.CreationTime; made.After(now.Add(skew)) {
		return nil, r.bad(keys[0], "it is of %s, in the future; set the clock of the machine that signs", stamp(made))
	}
	if p.SigLifetimeSecs != nil && p.SigExpired(now) {
		return nil, r.reject(catalog.ExpiredSigner, "the signature of the package by key %s has expired itself; sign the package again", keys[0].name())
	}
	return &Signature{ring: r, packet: p, version: s.version, keys: keys, now: now}, r.trusted(keys, p.CreationTime, now)
}

// trusted says why clients trust none of the keys, if so.
func (r *Ring) trusted(keys []*key, made, now time.Time) (err error) {
	for _, k := range keys {
		if err = k.validAt(made, now); err == nil {
			return nil
		}
	}
	if errors.Is(err, errEnded) {
		return r.reject(catalog.ExpiredSigner, "the package is signed by key %s, and %s; if the key lives on, register it as it is now (repomill repo set %s --package-key FILE), else sign the package with another",
			keys[0].name(), err, r.of)
	}
	return r.bad(keys[0], "%s", err)
}

// packet reads s with go-crypto. What goes in is measured already.
func (s signature) packet() (*packet.Signature, error) {
	if s.kind != 0 {
		return nil, fmt.Errorf("it is one of type %#x and not of a file", s.kind)
	}
	if _, ok := digests[s.hash]; !ok {
		return nil, fmt.Errorf("it uses %s, which can be forged; sign with SHA-256 or SHA-512 (gpg: digest-algo SHA512 in gpg.conf)", digestName(s.hash))
	}
	body := s.body
	if s.version == 3 {
		body = s.as4()
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
		sig.HashSuffix = s.suffix3()
	}
	return sig, nil
}

// New returns the hash that what is signed is to be written to.
func (s *Signature) New() hash.Hash {
	h, err := s.packet.PrepareVerify()
	if err != nil { // of a digest that is not linked: there is none such among those that count
		panic(err)
	}
	return h
}

// CheckOld makes sure that the signature has a version that clients know which do not know version 6. With another,
// [Signature.Hash] alone is what the signature is of; version 6 has a salt before what is signed.
func (s *Signature) CheckOld(client string) error {
	if s.version == 6 {
		return s.ring.bad(s.keys[0], "it has version 6, which %s does not know; sign with a key of version 4", client)
	}
	return nil
}

// CheckRSA makes sure that the signature is one that clients know which know RSA alone.
func (s *Signature) CheckRSA(client string) error {
	if a := byte(s.packet.PubKeyAlgo); a != algRSA && a != algRSASign {
		return s.ring.bad(s.keys[0], "%s knows RSA alone; sign with a key of that kind", client)
	}
	return nil
}

// Hash returns the digest that the signature is of.
func (s *Signature) Hash() crypto.Hash { return s.packet.Hash }

// Verify says whether the signature is of what was written to h, which stays as it is. The error is a *[catalog.Rejection].
func (s *Signature) Verify(h hash.Hash) error {
	for _, k := range s.keys { // more than one only by force: they have one ID
		if s.verify(k, h) {
			return s.ring.trusted([]*key{k}, s.packet.CreationTime, s.now)
		}
	}
	return s.ring.bad(s.keys[0], "it is not of these bytes: the package was changed after it was signed, or another key has the same ID")
}

// verify reports whether k made the signature, and whether the two bytes of the digest in it are right, which rpm looks at
// first. It leaves h as it is.
func (s *Signature) verify(k *key, h hash.Hash) bool {
	for _, check := range []func(hash.Hash, *packet.Signature) error{packet.VerifyHashTag, k.VerifySignature} {
		own, err := h.(hash.Cloner).Clone() // all of the standard library can
		if err != nil || check(own, s.packet) != nil {
			return false
		}
	}
	return true
}

// Unsigned is the rejection of a package without a signature that its clients look at.
func (r *Ring) Unsigned(f catalog.Format, what string) error {
	return r.reject(catalog.Unsigned, "the package %s; clients that check signatures refuse it. Sign it, or change what %s asks of %s packages (repomill repo set %s --require-signed none)", what, r.of, f, r.of)
}

func (r *Ring) unknown(i issuer) error {
	return r.reject(catalog.UnknownSigner, "the package is signed by key %s, which is not registered for %s; sign it with another, or register that one (repomill repo set %s --package-key FILE)",
		i, r.of, r.of)
}

func (r *Ring) bad(k *key, format string, args ...any) error {
	return r.reject(catalog.BadSignature, "the signature of the package by key %s does not count: %s", k.name(), fmt.Sprintf(format, args...))
}

// reject appends whose signatures count.
func (r *Ring) reject(reason catalog.Reason, format string, args ...any) *catalog.Rejection {
	return &catalog.Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...) + ". Accepted here: " + r.accepted()}
}
