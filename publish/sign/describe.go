package sign

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A Key describes a certificate and the key of it that signs releases.
type Key struct {
	Fingerprint string // of the primary key, in upper-case hexadecimal
	Algorithm   string // of the key that signs, such as "RSA 4096" or "Ed25519"
	Subkey      bool   // a subkey signs; some clients refuse that
	Created     time.Time
	Expires     time.Time // zero: never
	Public      []byte    // armoured, this certificate alone
	User        string    // its primary user ID; of [Describe] alone
	Refused     error     // why clients refuse it; nil if they do not
}

// ValidAt returns an error if a key cannot sign at a time.
func (k Key) ValidAt(t time.Time) error {
	switch {
	case k.Refused != nil:
		return k.Refused
	case t.Before(k.Created):
		return fmt.Errorf("it is not valid before %s", stamp(k.Created))
	case !k.Expires.IsZero() && t.After(k.Expires):
		return fmt.Errorf("it expired at %s", stamp(k.Expires))
	}
	return nil
}

// Advice returns a sentence that says from when on clients will refuse a key of this kind, or what else should be changed;
// "" if there is no advice. The dates are those of apt's policy for sqv (/usr/share/apt/default-sequoia.config):
// "rsa2048 = 2030-02-01", which in Sequoia means RSA of 2048 to 3071 bits, and "sha1.second_preimage_resistance = 2026-02-01",
// because of which [weakHash] refuses a key.
func (k Key) Advice() string {
	var bits int
	if n, _ := fmt.Sscanf(k.Algorithm, "RSA %d", &bits); n == 1 && bits < 3072 { //nolint:errcheck // not RSA then
		return fmt.Sprintf("it is %s, which apt refuses from 2030-02-01 on: replace it before (repomill key plan)", k.Algorithm)
	}
	if k.Subkey {
		return "a subkey signs, which dnf5 of Fedora 43 and zypper with rpm 4.20 refuse: use a key whose primary key may sign"
	}
	return ""
}

// Keys describes the keys that can sign, in their order.
func (s *Signer) Keys() ([]Key, error) {
	var all []Key
	for _, k := range s.keys {
		d, err := describe(k.entity, k.certKey)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Unfit returns the keys that were read and can never sign, in their order.
func (s *Signer) Unfit() []Unfit { return slices.Clone(s.unfit) }

// Only returns a signer with the keys of some fingerprints, in their order. Unknown fingerprints are ignored. It returns
// nil if no key is left. The result signs, but [Signer.Private] does not return its keys.
func (s *Signer) Only(fingerprints []string) *Signer {
	only := &Signer{}
	var list openpgp.EntityList
	for _, f := range fingerprints {
		if i := slices.IndexFunc(s.keys, func(k signingKey) bool { return k.certificate == f }); i >= 0 {
			only.keys, list = append(only.keys, s.keys[i]), append(list, s.keys[i].entity)
		}
	}
	if len(list) == 0 {
		return nil
	}
	only.public, _ = armorKeys(list, false) //nolint:errcheck // they were armoured before
	return only
}

// ReadPublic describes armoured public keys. A key that clients refuse is an error.
func ReadPublic(armored []byte) ([]Key, error) {
	list, err := certificates(armored)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, e := range list {
		keys := keysOf(e)
		i := slices.IndexFunc(keys, func(k certKey) bool { return k.signs })
		if i < 0 {
			return nil, fmt.Errorf("key %s: none of its keys may sign", keys[0].certificate)
		}
		d, err := describe(e, keys[i])
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// JoinPublic joins armoured blocks of public keys into one. The same keys in the same order give the same bytes.
func JoinPublic(armored ...[]byte) ([]byte, error) {
	var all openpgp.EntityList
	for _, a := range armored {
		raw, err := dearmorKeys(a)
		if err != nil {
			return nil, err
		}
		list, err := openpgp.ReadKeyRing(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return armorKeys(all, false)
}

func describe(e *openpgp.Entity, k certKey) (Key, error) {
	public, err := armorKeys(openpgp.EntityList{e}, false)
	if err != nil {
		return Key{}, fmt.Errorf("armour key %s: %w", k.certificate, err)
	}
	return Key{
		Fingerprint: k.certificate, Algorithm: algorithm(k.PublicKey), Subkey: k.IsSubkey,
		Created: e.PrimaryKey.CreationTime.UTC(), Expires: k.expires, Public: public, Refused: k.refused,
	}, nil
}

func algorithm(k *packet.PublicKey) string {
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		bits, _ := k.BitLength() //nolint:errcheck // 0 then
		return fmt.Sprintf("RSA %d", bits)
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519:
		return "Ed25519"
	}
	curve, _ := k.Curve() //nolint:errcheck // empty then
	return strings.TrimSpace("ECDSA " + string(curve))
}

// RPMName returns how rpm names a key that it has imported, such as "gpg-pubkey-3dbdc284-5847eb1f": the last eight digits
// of the key ID, and when it was made.
func (k Key) RPMName() string {
	id := strings.ToLower(k.Fingerprint)
	return fmt.Sprintf("gpg-pubkey-%s-%x", id[max(0, len(id)-8):], k.Created.Unix())
}

// certificates returns the certificates of armoured public keys.
func certificates(armored []byte) (openpgp.EntityList, error) {
	raw, err := dearmorKeys(armored)
	if err != nil {
		return nil, err
	}
	return openpgp.ReadKeyRing(bytes.NewReader(raw))
}
