package catalogdb

import (
	"context"
	"fmt"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// keyringColumn is a list of one keyring package, or of none.
func keyringColumn(s catalog.Settings) jsonList[catalog.KeyringPackage] {
	var list []catalog.KeyringPackage
	if s.Keyring != nil {
		list = append(list, *s.Keyring)
	}
	return jsonList[catalog.KeyringPackage]{&list}
}

// keyringOn is the condition of repositories whose keyring package is made.
const keyringOn = `keyring_package LIKE '[{"on":true%'`

// maxKeyringFiles bounds the record of a keyring package to what its column holds.
const maxKeyringFiles = 80

func checkKeyring(k *catalog.KeyringPackage) error {
	switch {
	case k == nil:
		return nil
	case k.Version != "" && !layout.ValidKeyringVersion(k.Version):
		return fmt.Errorf("version %.40q of a keyring package: use a day and a serial, such as 20261129.1", k.Version)
	case len(k.Files) > maxKeyringFiles:
		return fmt.Errorf("the keyring package has %d files; %d RPM distributions of a repository can have one at most", len(k.Files), maxKeyringFiles-1)
	}
	return nil
}

// newerKeyring returns what the bucket says of a keyring package or, if something newer was made here, the record of
// that, so that no version is drawn twice.
func newerKeyring(bucket, here *catalog.KeyringPackage) *catalog.KeyringPackage {
	if bucket == nil || here == nil || layout.CompareKeyringVersions(here.Version, bucket.Version) <= 0 {
		return bucket
	}
	newer := *here
	newer.On = bucket.On
	return &newer
}

// KeyringRepositories returns the repositories whose keyring packages are made, and the revisions of their settings.
func (d *DB) KeyringRepositories(ctx context.Context) (map[catalog.Repository]catalog.Revision, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (s catalog.Settings, err error) {
		return s, scan(&s.Repository.Owner, &s.Repository.Name, &s.Revision.Number, &s.Revision.Nonce)
	}, `SELECT owner, name, settings_revision, settings_nonce FROM repositories WHERE `+keyringOn)
	if err != nil {
		return nil, fmt.Errorf("list repositories with a keyring package: %w", err)
	}
	revisions := map[catalog.Repository]catalog.Revision{}
	for _, s := range all {
		revisions[s.Repository] = s.Revision
	}
	return revisions, nil
}
