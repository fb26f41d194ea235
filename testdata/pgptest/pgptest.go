// Package pgptest makes OpenPGP keys, and signatures of every version, for tests.
package pgptest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/schemas/catalog"
)

// A Kind is an algorithm of keys, with its parameters.
type Kind string

// The kinds of keys.
const (
	RSA     Kind = "RSA" // of 2048 bits
	RSA1024 Kind = "RSA with 1024 bits"
	ECDSA   Kind = "ECDSA" // of the curve P-256
	EdDSA   Kind = "EdDSA" // of version 4
	Ed25519 Kind = "Ed25519, version 6"
)

// A Key is a private key with its certificate.
type Key struct {
	*openpgp.Entity
	signer *packet.PrivateKey // the primary key, or a subkey
}

// Options say how a key is made.
type Options struct {
	Kind     Kind
	Made     time.Time
	Lifetime time.Duration // 0: it never expires
	Subkey   bool          // a subkey signs
}

// New makes a key.
func New(t testing.TB, o Options) *Key {
	t.Helper()
	c := &packet.Config{RSABits: 2048, DefaultHash: crypto.SHA256, Time: func() time.Time { return o.Made }, KeyLifetimeSecs: uint32(o.Lifetime / time.Second),
		InsecureGenerateNonCriticalKeyFlags: true, InsecureGenerateNonCriticalSignatureCreationTime: true} // rpm 4.18 reads no other
	switch o.Kind {
	case RSA:
		c.Algorithm = packet.PubKeyAlgoRSA
	case RSA1024:
		c.Algorithm, c.RSABits, c.MinRSABits = packet.PubKeyAlgoRSA, 1024, 1024
	case ECDSA:
		c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP256
	case EdDSA:
		c.Algorithm = packet.PubKeyAlgoEdDSA
	case Ed25519:
		c.Algorithm, c.V6Keys = packet.PubKeyAlgoEd25519, true
	}
	e, err := openpgp.NewEntity("acme", "", "packages@example.com", c)
	if err == nil {
		e.Subkeys = nil // one that encrypts
	}
	if err == nil && o.Subkey {
		err = e.AddSigningSubkey(c)
	}
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	k := &Key{Entity: e, signer: e.PrivateKey}
	if o.Subkey {
		k.signer = e.Subkeys[0].PrivateKey
	}
	return k
}

// RevokeAt revokes the key, or its subkey where that signs.
func (k *Key) RevokeAt(t testing.TB, at time.Time, reason packet.ReasonForRevocation) {
	t.Helper()
	c := &packet.Config{DefaultHash: crypto.SHA256, Time: func() time.Time { return at }}
	err := error(nil)
	if len(k.Subkeys) > 0 {
		err = k.Subkeys[0].Revoke(reason, "a test", c)
	} else {
		err = k.Entity.Revoke(reason, "a test", c)
	}
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
}

// Package returns the public key as it is registered.
func (k *Key) Package(t testing.TB) catalog.PackageKey {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, "PGP PUBLIC KEY BLOCK", nil, true)
	if err == nil {
		err = k.Entity.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatalf("write key: %v", err)
	}
	b.WriteByte('\n')
	return catalog.PackageKey{ID: fmt.Sprintf("%016X", k.PrimaryKey.KeyId), Armor: b.String()}
}

// Fingerprint returns that of the key that signs.
func (k *Key) Fingerprint() string { return fmt.Sprintf("%X", k.signer.Fingerprint) }

// Sign returns a signature of content, made at a time. Keys of version 4 make versions 3 and 4 of it, with any digest.
func (k *Key) Sign(t testing.TB, version int, hash crypto.Hash, at time.Time, content []byte) []byte {
	t.Helper()
	switch version {
	case 3:
		return k.sign3(t, hash, at, content)
	case 4:
		return k.sign4(t, hash, at, content)
	}
	s := &packet.Signature{Version: 6, SigType: packet.SigTypeBinary, PubKeyAlgo: k.signer.PubKeyAlgo, Hash: hash, CreationTime: at}
	if err := s.SetSalt(make([]byte, hash.Size()/2)); err != nil {
		t.Fatalf("sign: %v", err)
	}
	h, err := s.PrepareSign(nil)
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	h.Write(content)
	var b bytes.Buffer
	if err = s.Sign(h, k.signer, nil); err == nil {
		err = s.Serialize(&b)
	}
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	return b.Bytes()
}

// numbers are OpenPGP's for digests.
var numbers = map[crypto.Hash]byte{crypto.MD5: 1, crypto.SHA1: 2, crypto.SHA256: 8, crypto.SHA384: 9, crypto.SHA512: 10, crypto.SHA224: 11}

// sign3 makes a signature of version 3 (RFC 4880, section 5.2.2), as rpmsign did with GnuPG before 2.1.
func (k *Key) sign3(t testing.TB, hash crypto.Hash, at time.Time, content []byte) []byte {
	t.Helper()
	covered := binary.BigEndian.AppendUint32([]byte{0}, uint32(at.Unix()))
	body := append([]byte{3, 5}, covered...)
	body = binary.BigEndian.AppendUint64(body, k.signer.KeyId)
	body = append(body, byte(k.signer.PubKeyAlgo), numbers[hash])
	return k.finish(t, body, hash, content, covered)
}

// sign4 makes a signature of version 4 (RFC 9580, section 5.2.3) with the subpackets that gpg writes.
func (k *Key) sign4(t testing.TB, hash crypto.Hash, at time.Time, content []byte) []byte {
	t.Helper()
	body := append([]byte{4, 0, byte(k.signer.PubKeyAlgo), numbers[hash], 0, 29, 22, 33, 4}, k.signer.Fingerprint...)
	body = binary.BigEndian.AppendUint32(append(body, 5, 2), uint32(at.Unix()))
	covered := append(bytes.Clone(body), 4, 0xff, 0, 0, 0, byte(len(body)))
	body = binary.BigEndian.AppendUint64(append(body, 0, 10, 9, 16), k.signer.KeyId)
	return k.finish(t, body, hash, content, covered)
}

// finish appends the digest of content and what is covered besides, and the numbers of the signature, and wraps it all.
func (k *Key) finish(t testing.TB, body []byte, hash crypto.Hash, content, covered []byte) []byte {
	t.Helper()
	h := hash.New()
	h.Write(content)
	h.Write(covered)
	sum := h.Sum(nil)
	body = append(body, sum[:2]...)
	for _, n := range k.raw(t, hash, sum) {
		body = binary.BigEndian.AppendUint16(body, uint16(new(big.Int).SetBytes(n).BitLen()))
		body = append(body, bytes.TrimLeft(n, "\x00")...)
	}
	return append([]byte{0x89, byte(len(body) >> 8), byte(len(body))}, body...)
}

// raw signs a digest and returns the numbers that make the signature.
func (k *Key) raw(t testing.TB, hash crypto.Hash, sum []byte) [][]byte {
	t.Helper()
	switch priv := k.signer.PrivateKey.(type) {
	case *rsa.PrivateKey:
		s, err := rsa.SignPKCS1v15(rand.Reader, priv, hash, sum)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{s}
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, priv, sum)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{r.Bytes(), s.Bytes()}
	case *eddsa.PrivateKey:
		r, s, err := eddsa.Sign(priv, sum)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{r, s}
	}
	t.Fatalf("no signature of version 3 by %T", k.signer.PrivateKey)
	return nil
}

// Damaged returns a signature whose last bit is another.
func Damaged(sig []byte) []byte {
	b := bytes.Clone(sig)
	b[len(b)-1] ^= 1
	return b
}
