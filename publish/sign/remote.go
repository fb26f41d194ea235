package sign

import (
	"bytes"
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A Remote is a private key in another system, such as a KMS, which signs and does not export it. It is an RSA (PKCS #1
// v1.5), ECDSA or Ed25519 key. Its methods may be called concurrently.
type Remote interface {
	crypto.Signer

	// Hash returns the one digest that the key signs; for Ed25519, the one that is to be its message.
	Hash() crypto.Hash
}

// Certify makes the armoured public half of a remote key: a certificate as of [Generate], with one self-signature by the
// remote key. Its creation time, one hour before now, is a part of the fingerprint. Store the result: a second call makes
// another certificate.
func Certify(r Remote, name string, now time.Time) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("certify signing key: %w", err)
	}
	created := now.Add(-backdate).Truncate(time.Second)
	public, err := publicKey(r.Public(), created)
	if err != nil {
		return nil, fmt.Errorf("certify signing key: %w", err)
	}
	key, failure := callOn(public, r)
	e, err := selfSigned(key, r.Hash(), name, created)
	if err = cmp.Or(failure(), err); err != nil {
		return nil, fmt.Errorf("certify signing key: %w", err)
	}
	armored, err := armorKeys(openpgp.EntityList{e}, false)
	if err != nil {
		return nil, fmt.Errorf("certify signing key: %w", err)
	}
	if _, err := Attach(armored, r); err != nil {
		return nil, fmt.Errorf("certify signing key: %w", err)
	}
	return armored, nil
}

// Attach returns a signer of a remote key and its public half: one armoured certificate whose primary key or signing
// subkey is the remote key. It refuses the keys that [Read] refuses.
func Attach(public []byte, r Remote) (*Signer, error) {
	e, err := readOne(public)
	if err != nil {
		return nil, fmt.Errorf("read public half: %w", err)
	}
	primary := fingerprint(e.PrimaryKey)
	why := errors.New("its public half is of another key")
	for _, k := range keysOf(e) {
		switch {
		case !sameKey(k.PublicKey, r.Public()):
			continue
		case k.refused != nil:
			why = k.refused
		case !k.signs:
			why = errors.New("its public half lacks the signing capability")
		default:
			private, _ := callOn(k.PublicKey, r)
			s := &Signer{keys: []signingKey{{certKey: k, private: private, entity: e, remote: r}}}
			s.public, err = armorKeys(openpgp.EntityList{e}, false)
			return s, err
		}
	}
	return nil, fmt.Errorf("key %s: %w", primary, why)
}

// IsOf reports whether a certificate contains a remote key, usable or not: see [Attach].
func IsOf(public []byte, r Remote) bool {
	e, err := readOne(public)
	return err == nil && slices.ContainsFunc(keysOf(e), func(k certKey) bool { return sameKey(k.PublicKey, r.Public()) })
}

// Split returns the certificates in an armoured file of public keys, each in a block of its own.
func Split(public []byte) ([][]byte, error) {
	raw, err := dearmorKeys(public)
	if err != nil {
		return nil, err
	}
	list, err := openpgp.ReadKeyRing(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, e := range list {
		one, err := armorKeys(openpgp.EntityList{e}, false)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Join returns a signer that signs with the keys of all signers, in their order.
func Join(signers ...*Signer) (*Signer, error) {
	if len(signers) == 1 {
		return signers[0], nil
	}
	joined := &Signer{}
	var public bytes.Buffer
	for _, s := range signers {
		for _, k := range s.keys {
			if slices.ContainsFunc(joined.keys, func(o signingKey) bool { return o.certificate == k.certificate }) {
				return nil, fmt.Errorf("key %s is there twice", k.certificate)
			}
			joined.keys = append(joined.keys, k)
		}
		raw, err := dearmorKeys(s.public)
		if err != nil {
			return nil, err
		}
		public.Write(raw)
		joined.private, joined.unfit = append(joined.private, s.private...), append(joined.unfit, s.unfit...)
	}
	var err error
	if len(joined.keys) == 0 {
		return nil, errors.New("there is no signing key")
	}
	joined.public, err = enarmorBytes(openpgp.PublicKeyType, public.Bytes())
	return joined, err
}

// signOne returns the serialised signature of content by one key, after it has verified it.
func (k signingKey) signOne(t packet.SignatureType, content []byte, now time.Time) ([]byte, error) {
	private, failure := k.private, func() error { return nil }
	if k.remote != nil {
		private, failure = callOn(k.PublicKey, k.remote)
	}
	sig := newSignature(t, private, now)
	sig.Hash = k.hash()
	h := sig.Hash.New()
	h.Write(content)
	err := sig.Sign(h, private, config)
	if err = cmp.Or(failure(), err); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err = sig.Serialize(&b); err != nil {
		return nil, err
	}
	if err = k.check(b.Bytes(), content); err != nil {
		return nil, fmt.Errorf("what it signed does not verify with its public half, and is not used: %w", err)
	}
	return b.Bytes(), nil
}

// check parses and verifies a serialised signature, as clients do.
func (k signingKey) check(raw, content []byte) error {
	p, err := packet.Read(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	sig, ok := p.(*packet.Signature)
	if !ok {
		return fmt.Errorf("it is a %T", p)
	}
	h, err := sig.PrepareVerify()
	if err != nil {
		return err
	}
	h.Write(content)
	return k.VerifySignature(h, sig)
}

// hash returns the digest of a key's signatures.
func (k signingKey) hash() crypto.Hash {
	if k.remote != nil {
		return k.remote.Hash()
	}
	return config.DefaultHash
}
