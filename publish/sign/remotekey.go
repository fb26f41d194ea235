package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// publicKey returns the OpenPGP form of a public key. It writes a packet and parses it, because the library cannot convert
// elliptic keys of the standard library.
func publicKey(public crypto.PublicKey, created time.Time) (*packet.PublicKey, error) {
	algorithm, material, err := keyMaterial(public)
	if err != nil {
		return nil, err
	}
	body := []byte{4} // the version
	body = binary.BigEndian.AppendUint32(body, uint32(created.Unix()))
	body = append(append(body, byte(algorithm)), material...)
	// An old-format header of a public key packet, with a length of two octets (RFC 9580, section 4.2.2).
	p, err := packet.Read(bytes.NewReader(append([]byte{0x99, byte(len(body) >> 8), byte(len(body))}, body...)))
	if err != nil {
		return nil, err
	}
	k, ok := p.(*packet.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a public key was read as %T", p)
	}
	return k, weakKey(k)
}

// keyMaterial returns the algorithm and the key material of an OpenPGP public key packet (RFC 9580, section 5.5.5).
func keyMaterial(public crypto.PublicKey) (packet.PublicKeyAlgorithm, []byte, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		e := binary.BigEndian.AppendUint64(nil, uint64(k.E))
		return packet.PubKeyAlgoRSA, append(mpi(k.N.Bytes()), mpi(e)...), nil
	case *ecdsa.PublicKey:
		oid, ok := curveOIDs[k.Curve]
		point, err := k.Bytes()
		if !ok || err != nil {
			return 0, nil, fmt.Errorf("its curve %s is not accepted by all clients; use RSA with 4096 bits", k.Params().Name)
		}
		return packet.PubKeyAlgoECDSA, append(sized(oid), mpi(point)...), nil
	case ed25519.PublicKey:
		return packet.PubKeyAlgoEdDSA, append(sized(ed25519OID), mpi(append([]byte{0x40}, k...))...), nil
	}
	return 0, nil, fmt.Errorf("a key of type %T cannot sign; use RSA with 4096 bits", public)
}

// The curves that OpenPGP names by their object identifiers (RFC 9580, section 9.2).
var (
	curveOIDs = map[elliptic.Curve][]byte{
		elliptic.P256(): {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07},
		elliptic.P384(): {0x2b, 0x81, 0x04, 0x00, 0x22},
		elliptic.P521(): {0x2b, 0x81, 0x04, 0x00, 0x23},
	}
	ed25519OID = []byte{0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01}
)

func sized(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }

// mpi returns a number in its OpenPGP form: its length in bits, and its bytes without leading zeros.
func mpi(b []byte) []byte {
	if b = bytes.TrimLeft(b, "\x00"); len(b) == 0 {
		return []byte{0, 0}
	}
	n := 8*(len(b)-1) + bits.Len8(b[0])
	return append([]byte{byte(n >> 8), byte(n)}, b...)
}

// sameKey reports whether a key of a certificate has the numbers of a public key. It ignores the algorithm: RSA keys may be
// for signing and encryption, or for signing alone.
func sameKey(k *packet.PublicKey, public crypto.PublicKey) bool {
	other, err := publicKey(public, k.CreationTime)
	if err != nil {
		return false
	}
	if k.PubKeyAlgo == packet.PubKeyAlgoRSASignOnly && other.PubKeyAlgo == packet.PubKeyAlgoRSA {
		other.PubKeyAlgo = k.PubKeyAlgo
	}
	var a, b bytes.Buffer
	err = k.SerializeForHash(&a)
	return err == nil && other.SerializeForHash(&b) == nil && bytes.Equal(a.Bytes(), b.Bytes())
}

// callOn returns a private key for one signature by a remote key, and a function that returns the error of the remote key:
// for some algorithms the library loses it.
func callOn(public *packet.PublicKey, r Remote) (private *packet.PrivateKey, failure func() error) {
	c := &call{remote: r}
	private = &packet.PrivateKey{PublicKey: *public, PrivateKey: c}
	if k, ok := r.Public().(ed25519.PublicKey); ok { // the library does not use crypto.Signer for these
		sk := eddsa.NewPrivateKey(*eddsa.NewPublicKey(remoteCurve{c}))
		sk.X = k
		private.PrivateKey = sk
	}
	return private, func() error { return c.err }
}

// A call is one use of a remote key.
type call struct {
	remote Remote
	err    error
}

// Public implements [crypto.Signer].
func (c *call) Public() crypto.PublicKey { return c.remote.Public() }

// Sign implements [crypto.Signer].
func (c *call) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	var signature []byte
	signature, c.err = c.remote.Sign(random, digest, opts)
	return signature, c.err
}

// A remoteCurve implements the library's Ed25519 with a remote key, as far as signing needs it.
type remoteCurve struct{ c *call }

// Sign signs a message with the remote key. It ignores the private key that it is given.
func (r remoteCurve) Sign(_, _, message []byte) ([]byte, error) {
	signature, err := r.c.Sign(nil, message, crypto.Hash(0))
	if err == nil && len(signature) != ed25519.SignatureSize {
		err = fmt.Errorf("an Ed25519 signature has %d bytes, not %d", ed25519.SignatureSize, len(signature))
		r.c.err = err
	}
	return signature, err
}

// MarshalSignature returns the two halves of a signature.
func (remoteCurve) MarshalSignature(sig []byte) (r, s []byte) { return sig[:32], sig[32:] }

// GetCurveName and the methods below complete the interface. Signing does not call them.
func (remoteCurve) GetCurveName() string                  { return "ed25519" }
func (remoteCurve) MarshalBytePoint(x []byte) []byte      { return append([]byte{0x40}, x...) }
func (remoteCurve) UnmarshalBytePoint(x []byte) []byte    { return bytes.TrimPrefix(x, []byte{0x40}) }
func (remoteCurve) MarshalByteSecret([]byte) []byte       { return nil }
func (remoteCurve) UnmarshalByteSecret([]byte) []byte     { return nil }
func (remoteCurve) UnmarshalSignature(r, s []byte) []byte { return append(bytes.Clone(r), s...) }
func (remoteCurve) Verify(public, message, sig []byte) bool {
	return ed25519.Verify(public, message, sig)
}
func (remoteCurve) ValidateEdDSA(_, _ []byte) error                     { return errRemote }
func (remoteCurve) GenerateEdDSA(io.Reader) (public, _ []byte, _ error) { return nil, nil, errRemote }

var errRemote = fmt.Errorf("the private key is kept elsewhere")
