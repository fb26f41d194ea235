package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Declaration is what has to exist before a package can be a row.
type Declaration struct {
	Repository catalog.Repository
	Distro     layout.Distro
	Component  string // DEB only
	Arch       string // one more architecture (DEB) or directory (RPM); empty, "all" and "noarch" add none
}

// wants returns what a distribution has to have for a declaration.
func (w Declaration) wants() catalog.DistributionSettings {
	ds := catalog.DistributionSettings{Distribution: w.Distro.Distribution, Architectures: slices.Clone(w.Distro.Architectures)}
	if w.Distro.Format == catalog.DEB {
		ds.Components = []string{layout.DefaultComponent, w.Component}
	}
	if w.Arch != "" && w.Arch != "all" && w.Arch != layout.Noarch {
		ds.Architectures = append(ds.Architectures, w.Arch)
	}
	return ds
}

// Declare makes the repository, distribution, component, architecture and releases exist, and returns
// what of them is new, in words for a log. A release whose set of components or architectures grew
// gets a new revision, and if anything is new, so do the settings. What exists is not changed otherwise.
func (d *DB) Declare(ctx context.Context, want Declaration, now time.Time) (created []string, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		repository, isNew, err := ensureRepository(ctx, tx, want.Repository, now)
		if err != nil || repository.settings.Revision.Nonce == nonce {
			return err // if it is ours, then an earlier try went through
		}
		created = nil
		if isNew {
			created = append(created, "repository "+want.Repository.String())
		}
		grown, err := ensureDistribution(ctx, tx, repository.id, want.Distro.Format, want.wants(), now)
		if created = append(created, grown...); err != nil || len(created) == 0 {
			return err
		}
		return repository.draw(ctx, tx, repository.settings.Revision.Number+1, nonce, now)
	})
	if err != nil {
		return nil, fmt.Errorf("declare %s %s: %w", want.Repository, want.Distro.Distribution, err)
	}
	return created, nil
}

// ensureRepository locks a repository, which it makes if it is absent.
func ensureRepository(ctx context.Context, tx *transaction, r catalog.Repository, now time.Time) (row repositoryRow, isNew bool, err error) {
	row, err = lockRepository(ctx, tx, r)
	if !errors.Is(err, ErrNotFound) {
		return row, false, err
	}
	row.settings = catalog.Settings{Repository: r, Visibility: catalog.Public, Origin: r.String(), Label: r.Name}
	row.id, err = insertRepository(ctx, tx, row.settings, now)
	return row, true, err
}

// ensureDistribution makes a distribution exist and have at least the components and architectures that
// are wanted, and the releases that follow from them. It returns what is new, in words.
func ensureDistribution(ctx context.Context, tx *transaction, repository int64, format catalog.Format, want catalog.DistributionSettings, now time.Time) (created []string, err error) {
	dist := want.Distribution
	has := catalog.DistributionSettings{Distribution: dist}
	var id int64
	err = tx.QueryRowContext(ctx, `SELECT id, components, architectures FROM distributions WHERE repository_id = ? AND os = ? AND version = ?`,
		repository, dist.OS, dist.Version).Scan(&id, jsonList[string]{&has.Components}, jsonList[string]{&has.Architectures})
	if errors.Is(err, sql.ErrNoRows) {
		created = append(created, "distribution "+dist.String())
		id, err = insertDistribution(ctx, tx, repository, format, dist, now)
	}
	if err != nil {
		return nil, err
	}
	components, architectures := set(has.Components, want.Components), set(has.Architectures, want.Architectures)
	news := append(added("component ", has.Components, components), added("architecture ", has.Architectures, architectures)...)
	if len(news) == 0 {
		return created, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE distributions SET components = ?, architectures = ? WHERE id = ?`,
		jsonList[string]{&components}, jsonList[string]{&architectures}, id)
	if err != nil {
		return nil, err
	}
	return append(created, news...), ensureReleases(ctx, tx, id, format, architectures, now)
}

func insertDistribution(ctx context.Context, tx *transaction, repository int64, format catalog.Format, dist catalog.Distribution, now time.Time) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO distributions (repository_id, os, version, format, components, architectures, created_at) VALUES (?, ?, ?, ?, '[]', '[]', ?)`,
		repository, dist.OS, dist.Version, format, millis(now))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// set returns the union of two sets of names, sorted; empty names are left out.
func set(a, b []string) []string {
	names := slices.Concat(a, b)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

// added returns the names that are in grown and not in has, with a word before each.
func added(word string, has, grown []string) (news []string) {
	for _, name := range grown {
		if !slices.Contains(has, name) {
			news = append(news, word+name)
		}
	}
	return news
}

// ensureReleases creates the missing releases of a distribution. For DEB, whose one release lists
// components and architectures, a change of either is a new revision.
func ensureReleases(ctx context.Context, tx *transaction, distribution int64, format catalog.Format, architectures []string, now time.Time) error {
	arches := architectures
	if format == catalog.DEB {
		arches = []string{""}
	}
	for _, arch := range arches {
		var id int64
		var retired bool
		err := tx.QueryRowContext(ctx, `SELECT id, retired <> 0 FROM releases WHERE distribution_id = ? AND arch = ?`, distribution, arch).Scan(&id, &retired)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			if id, err = insertRelease(ctx, tx, distribution, arch); err != nil {
				return err
			}
		case err != nil:
			return err
		case retired:
			if err := revive(ctx, tx, id); err != nil {
				return err
			}
		case format == catalog.RPM:
			continue
		}
		if _, err := advance(ctx, tx, id, now); err != nil {
			return err
		}
	}
	return nil
}

func insertRelease(ctx context.Context, tx *transaction, distribution int64, arch string) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO releases (distribution_id, arch, revision, nonce, published_revision, fault) VALUES (?, ?, 0, '', 0, '')`, distribution, arch)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
