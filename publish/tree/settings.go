package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Declared is the settings object of a repository in the bucket, read before the settings in the catalog.
type Declared struct {
	catalog.Settings
	Version layout.Version // empty: there is none
	Now     time.Time      // the store's clock
}

// ReadSettings reads the settings object of a repository. If there is none, Version is empty.
func ReadSettings(ctx context.Context, b Reader, r catalog.Repository) (Declared, error) {
	key := layout.SettingsKey(r)
	body, meta, err := ReadSmall(ctx, b, key)
	d := Declared{Version: meta.Version, Now: meta.Now}
	if err != nil || d.Version == "" {
		return d, err
	}
	if err := json.Unmarshal(body, &d.Settings); err != nil {
		return d, fmt.Errorf("read %s: %w", key, err)
	}
	if d.Repository != r {
		return d, fmt.Errorf("read %s: it has the settings of %q", key, d.Repository)
	}
	return d, nil
}

// Repositories returns the repositories that have a settings object in a bucket, in order. After the loss of the catalog
// they are the only list of repositories.
func Repositories(ctx context.Context, b Lister) ([]catalog.Repository, error) {
	var all []catalog.Repository
	err := b.List(ctx, layout.SettingsPrefix, func(key string, _ layout.Meta) error {
		name, ok := strings.CutSuffix(strings.TrimPrefix(key, layout.SettingsPrefix), ".json")
		r := catalog.Repository{}
		r.Owner, r.Name, _ = strings.Cut(name, "/")
		if ok && layout.CheckRepository(r) == nil {
			all = append(all, r)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) })
	return all, err
}

// CheckOurs returns [ErrForeign] if the published public keys of a repository have none in common with keys: settings are not
// signed, and another instance may use the same bucket by mistake.
func CheckOurs(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Repository) error {
	key := layout.GPGKeyKey(r)
	body, meta, err := ReadSmall(ctx, b, key)
	if err != nil || meta.Version == "" {
		return err
	}
	theirs, err := sign.ReadKeyring(body)
	if err == nil && theirs.Shares(keys) {
		return nil
	}
	return fmt.Errorf("read %s: %w", key, errors.Join(ErrForeign, err))
}
