package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/packagecloud"
)

// apiAdministration changes repositories and tokens for callers of the API, in the catalog alone: workers publish that.
type apiAdministration struct {
	db  *catalogdb.DB
	age time.Duration // how long resolvers use settings that were replaced
}

// apiErrors are errors of the catalog as callers of the API get them.
var apiErrors = map[error]error{catalogdb.ErrExists: packagecloud.ErrTaken, catalogdb.ErrRevoked: packagecloud.ErrRevoked}

func apiError(err error) error {
	if errors.Is(err, catalogdb.ErrDeleted) {
		return api.Conflict(err.Error())
	}
	for is, as := range apiErrors {
		if errors.Is(err, is) {
			return fmt.Errorf("%w: %w", as, err)
		}
	}
	return err
}

// CreateRepository implements [packagecloud.Administration].
func (a apiAdministration) CreateRepository(ctx context.Context, s catalog.Settings, wait time.Duration) (seen bool, err error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return false, err
	}
	if err := a.db.CreateRepository(ctx, s, now); err != nil {
		return false, apiError(err)
	}
	s.Revision.Number = 1
	return a.seen(ctx, wait, unknownAge, s), nil
}

// ChangeSettings implements [packagecloud.Administration].
func (a apiAdministration) ChangeSettings(ctx context.Context, r catalog.Repository, wait time.Duration, change func(*catalog.Settings) error) (seen bool, err error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return false, err
	}
	after, err := a.db.ChangeSettings(ctx, r, now, change)
	if err != nil {
		return false, apiError(err)
	}
	return a.seen(ctx, wait, a.age, after), nil
}

// APITokens implements [packagecloud.Tokens].
func (a apiAdministration) APITokens(ctx context.Context, revoked bool) ([]catalog.APIToken, error) {
	return a.db.APITokens(ctx, revoked)
}

// CreateToken implements [packagecloud.Tokens].
func (a apiAdministration) CreateToken(ctx context.Context, t catalog.APIToken) (catalog.APIToken, error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return t, err
	}
	t, err = a.db.CreateAPIToken(ctx, t, now)
	return t, apiError(err)
}

// RevokeToken implements [packagecloud.Tokens].
func (a apiAdministration) RevokeToken(ctx context.Context, t catalog.APIToken, wait time.Duration) (seen bool, err error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return false, err
	}
	gone, err := a.db.RevokeAPIToken(ctx, t.Target, t.Name, now)
	if err != nil {
		return false, err
	}
	return a.seen(ctx, wait, a.age, gone.Settings...), nil
}

// seen waits until clients see settings, for at most wait, and reports whether they do: they are in the bucket, and resolvers
// have had the time to read them.
func (a apiAdministration) seen(ctx context.Context, wait, age time.Duration, all ...catalog.Settings) bool {
	if len(all) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for _, s := range all {
		for {
			if _, published, err := a.db.PublishedSettings(ctx, s.Repository); err == nil && published >= s.Revision.Number {
				break
			}
			if !pause(ctx, changePeriod) {
				return false // it is recorded
			}
		}
	}
	return pause(ctx, age)
}

// pause reports whether it ended before ctx.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// ReleaseKeys implements [packagecloud.Keys]. The catalog has a copy of the list of keys, which workers keep.
func (a apiAdministration) ReleaseKeys(ctx context.Context) ([]string, error) {
	_, list, err := a.db.SavedKeyList(ctx)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var set keys.Set
	if err := json.Unmarshal(list, &set); err != nil {
		return nil, fmt.Errorf("read the copy of the list of keys: %w", err)
	}
	return keys.Fingerprints(set.Out()), nil
}

// PackageKey implements [packagecloud.Keys].
func (apiAdministration) PackageKey(b []byte) (k catalog.PackageKey, fingerprint string, err error) {
	if k, err = sign.ReadPackageKey(b); err != nil {
		return k, "", err
	}
	fingerprint, err = sign.PackageKeyFingerprint(k)
	return k, fingerprint, err
}
