package sign

import (
	"bytes"
	"errors"
	"fmt"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/schemas/catalog"
)

// maxPackageKey bounds what is read for a key, in bytes. Photographs and a thousand signatures fit.
const maxPackageKey = 1 << 20

// ReadPackageKey reads the key with which a vendor signs packages: one certificate, armoured or binary.
// Its ID is that of its primary key. The secret part of a private key is dropped. Keys that clients
// refuse by now are taken: packages that they signed may be as old.
func ReadPackageKey(b []byte) (catalog.PackageKey, error) {
	if len(b) > maxPackageKey {
		return catalog.PackageKey{}, fmt.Errorf("read package key: more than %d bytes; export it without signatures by others (gpg --export-options export-minimal)", maxPackageKey)
	}
	if bytes.Contains(b, []byte("-----BEGIN PGP ")) {
		var err error
		if b, err = dearmorKeys(b); err != nil {
			return catalog.PackageKey{}, fmt.Errorf("read package key: %w", err)
		}
	}
	list, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	if err != nil {
		return catalog.PackageKey{}, fmt.Errorf("read package key: %w", err)
	}
	if len(list) != 1 {
		return catalog.PackageKey{}, errors.New("read package key: there is more than one key; register each by itself")
	}
	public, err := armorKeys(list, false)
	if err != nil {
		return catalog.PackageKey{}, fmt.Errorf("armour package key: %w", err)
	}
	return catalog.PackageKey{ID: fmt.Sprintf("%016X", list[0].PrimaryKey.KeyId), Armor: string(public)}, nil
}
