package catalogdb

import (
	"context"
	"fmt"

	"repomill/schemas/catalog"
)

// keyringOn is the condition of repositories whose keyring package is made.
const keyringOn = `keyring_package LIKE '[{"on":true%'`

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
