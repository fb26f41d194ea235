package sign

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/schemas/catalog"
)

// maxPackageKey bounds the file of a key, in bytes. It has room for photographs and a thousand signatures.
const maxPackageKey = 1 << 20

// ReadPackageKey parses the key with which a vendor signs packages: one certificate, armoured or binary.
// Its ID is that of its primary key. The private part of a key is dropped. Keys that clients refuse by now are
// accepted: the packages that they signed may be as old.
func ReadPackageKey(b []byte) (catalog.PackageKey, error) {
	if len(b) > maxPackageKey {
		return catalog.PackageKey{}, fmt.Errorf("more than %d bytes; export it without signatures by others (gpg --export-options export-minimal)", maxPackageKey)
	}
	list, err := readCertificates(b)
	if err != nil {
		return catalog.PackageKey{}, err
	}
	if len(list) != 1 {
		return catalog.PackageKey{}, errors.New("there is more than one key; register each by itself")
	}
	public, err := armorKeys(list, false)
	if err != nil {
		return catalog.PackageKey{}, fmt.Errorf("armour package key: %w", err)
	}
	return catalog.PackageKey{ID: fmt.Sprintf("%016X", list[0].PrimaryKey.KeyId), Armor: string(public)}, nil
}

// PackageKeyFingerprint returns the fingerprint of the primary key of a package key, also of one that clients refuse by now.
func PackageKeyFingerprint(k catalog.PackageKey) (string, error) {
	e, err := readOne([]byte(k.Armor))
	if err != nil {
		return "", err
	}
	return fingerprint(e.PrimaryKey), nil
}

// Later reports whether a public key should replace another of the same ID: its owner has signed it later, to extend or
// to revoke it, or the other one cannot be parsed. Of two different ones that were signed at the same time, exactly one is
// later, which does not depend on the order of arguments. A key with another fingerprint is never later, even if it has
// the same ID.
func Later(armored, than []byte) bool {
	a, err := readOne(armored)
	if err != nil {
		return false
	}
	b, err := readOne(than)
	if err != nil {
		return true
	}
	if !bytes.Equal(a.PrimaryKey.Fingerprint, b.PrimaryKey.Fingerprint) {
		return false
	}
	if c := lastSigned(a).Compare(lastSigned(b)); c != 0 {
		return c > 0
	}
	return bytes.Compare(armored, than) > 0
}

func readOne(armored []byte) (*openpgp.Entity, error) {
	list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(armored))
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d keys", len(list))
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// lastSigned returns the time of the last self-signature of a certificate.
func lastSigned(e *openpgp.Entity) (last time.Time) {
	all := slices.Concat(e.Revocations, e.DirectSignatures)
	for _, id := range e.Identities {
		all = slices.Concat(all, id.SelfCertifications, id.Revocations)
	}
	for _, k := range e.Subkeys {
		all = slices.Concat(all, k.Bindings, k.Revocations)
	}
	for _, sig := range all {
		if t := sig.Packet.CreationTime; t.After(last) {
			last = t
		}
	}
	return last
}
