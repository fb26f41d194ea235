package replica

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// repository checks the settings of a repository, its keys, and what sets clients up. A publish of settings writes these one
// after the other, so what is wrong is looked at again once.
func (c *checker) repository(ctx context.Context, r catalog.Repository) Repository {
	res := c.readRepository(ctx, r)
	if res.State == Damaged {
		select {
		case <-time.After(max(c.opt.Settle, time.Millisecond)):
			res = c.readRepository(ctx, r)
		case <-ctx.Done():
		}
	}
	if c.primary != nil {
		c.compareSettings(ctx, r, &res)
	}
	return res
}

func (c *checker) readRepository(ctx context.Context, r catalog.Repository) Repository {
	res := Repository{Name: r.String(), Age: Unknown, State: Whole}
	add := func(key string, err error) {
		if err != nil {
			res.State = Damaged
			res.Problems = append(res.Problems, check.Problem{Path: key, Detail: err.Error()})
		}
	}
	s, err := tree.ReadSettings(ctx, c.replica, r)
	switch {
	case err != nil:
		add(layout.SettingsKey(r), fmt.Errorf("cannot be read: %w", err))
		return res
	case s.Version == "":
		if res.State = Absent; c.primary == nil { // it has manifests
			add(layout.SettingsKey(r), errors.New("is missing: the resolver serves nothing of the repository"))
		}
		return res
	}
	res.Revision = s.Revision
	add(layout.GPGKeyKey(r), c.checkKeys(ctx, layout.GPGKeyKey(r)))
	for _, key := range filesOf(s.Settings) {
		add(key, c.checkThere(ctx, key))
	}
	res.Problems = few(res.Problems)
	return res
}

// checkKeys returns an error unless an object has public keys, one of which clients trust.
func (c *checker) checkKeys(ctx context.Context, key string) error {
	body, meta, err := tree.ReadSmall(ctx, c.replica, key)
	switch {
	case err != nil:
		return err
	case meta.Version == "":
		return errMissing
	}
	ring, err := sign.ReadKeyring(body)
	if err == nil && !ring.Shares(c.opt.Keys) {
		err = errors.New("has none of the keys that clients trust")
	}
	return err
}

var errMissing = errors.New("is missing")

// checkThere returns an error if an object is missing that is not missing in the primary as well: it is written shortly after the
// settings.
func (c *checker) checkThere(ctx context.Context, key string) error {
	body, meta, err := tree.ReadSmall(ctx, c.replica, key)
	switch {
	case err != nil:
		return err
	case meta.Version == "":
		if c.primary != nil {
			if _, err := c.primary.Stat(ctx, key); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
		}
		return errMissing
	case len(body) == 0:
		return errors.New("is empty")
	}
	return nil
}

// filesOf returns the keys of the files that follow from settings, without those of keys that all repositories share.
func filesOf(s catalog.Settings) (keys []string) {
	formats := map[catalog.Format]bool{}
	r := s.Repository
	for _, k := range s.PackageKeys {
		keys = append(keys, layout.PackageKeyKey(r, k.ID), layout.SharedKeyKey(k.ID))
	}
	for _, ds := range s.Distributions {
		if !formats[ds.Format] {
			formats[ds.Format] = true
			keys = append(keys, layout.ScriptKey(r, ds.Format), layout.GPGKeyURLKey(r, ds.Format))
		}
		keys = append(keys, layout.ConfigFileKey(r, ds.Distribution, ds.Format))
		if ds.Format == catalog.DEB {
			keys = append(keys, layout.SourcesKey(r, ds.Distribution))
			continue
		}
		keys = append(keys, layout.RepoKey(r, ds.Distribution), layout.BaseURLKey(r, ds.Distribution))
		for _, arch := range ds.Architectures {
			keys = append(keys, layout.MetadataKeyKey(catalog.Release{Repository: r, Distribution: ds.Distribution, Arch: arch}))
		}
	}
	return keys
}

// compareSettings sets how the settings of a repository compare with the primary's.
func (c *checker) compareSettings(ctx context.Context, r catalog.Repository, res *Repository) {
	s, err := tree.ReadSettings(ctx, c.primary, r)
	if err != nil {
		c.fault(err)
		return
	}
	if s.Version == "" {
		res.Age = Ahead
		return
	}
	res.Primary = &s.Revision
	switch {
	case res.Revision == s.Revision:
		res.Age = Current
		if res.State == Whole {
			return
		}
	case res.Revision.Number > s.Revision.Number:
		res.Age = Ahead
		return
	default:
		res.Age = Behind
	}
	meta, err := c.primary.Stat(ctx, layout.SettingsKey(r))
	if err == nil {
		res.Missing = &meta.Modified
	}
}
