package packagecloud_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/packagecloud"
)

func init() {
	principals["vault"] = api.Principal{ID: "14", Name: "token vault", Grants: []api.Grant{{Right: api.Manage, Owner: "acme", Name: "vault"}, {Right: api.Manage, Owner: "acme", Name: "next"}}}
	principals["two"] = api.Principal{ID: "15", Name: "token two", Grants: []api.Grant{{Right: api.Manage, Owner: "acme"}, {Right: api.Manage, Owner: "other"}}}
	principals["root"] = api.Principal{ID: "16", Name: "token root", Grants: []api.Grant{{Right: api.Manage}}}
}

// An administrator changes the catalog, and says that clients see it at once, except what the repository acme/slow has.
type administrator struct{ db *catalogdb.DB }

const slow = "slow"

func named(err error) error {
	switch {
	case errors.Is(err, catalogdb.ErrExists):
		return fmt.Errorf("%w: %w", packagecloud.ErrTaken, err)
	case errors.Is(err, catalogdb.ErrRevoked):
		return fmt.Errorf("%w: %w", packagecloud.ErrRevoked, err)
	}
	return err
}

func (a administrator) CreateRepository(ctx context.Context, s catalog.Settings, _ time.Duration) (bool, error) {
	return s.Repository.Name != slow, named(a.db.CreateRepository(ctx, s, now))
}

func (a administrator) ChangeSettings(ctx context.Context, r catalog.Repository, _ time.Duration, change func(*catalog.Settings) error) (bool, error) {
	_, err := a.db.ChangeSettings(ctx, r, now, change)
	return r.Name != slow, named(err)
}

func (a administrator) APITokens(ctx context.Context, revoked bool) ([]catalog.APIToken, error) {
	return a.db.APITokens(ctx, revoked)
}

func (a administrator) CreateToken(ctx context.Context, t catalog.APIToken) (catalog.APIToken, error) {
	t, err := a.db.CreateAPIToken(ctx, t, now)
	return t, named(err)
}

func (a administrator) RevokeToken(ctx context.Context, t catalog.APIToken, _ time.Duration) (bool, error) {
	_, err := a.db.RevokeAPIToken(ctx, t.Target, t.Name, now)
	return t.Target.Name != slow, err
}

func (administrator) ReleaseKeys(context.Context) ([]string, error) {
	return []string{"0123456789ABCDEF0123456789ABCDEF01234567"}, nil
}

func (administrator) PackageKey(b []byte) (k catalog.PackageKey, fingerprint string, err error) {
	if k, err = sign.ReadPackageKey(b); err != nil {
		return k, "", err
	}
	fingerprint, err = sign.PackageKeyFingerprint(k)
	return k, fingerprint, err
}
