package catalogdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Settings returns what a repository was declared with, or [ErrNotFound].
func (d *DB) Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error) {
	return settings(ctx, d.read, r)
}

func settings(ctx context.Context, q querier, r catalog.Repository) (catalog.Settings, error) {
	s := catalog.Settings{Repository: r}
	var id int64
	err := q.QueryRowContext(ctx, `SELECT id, visibility, origin, label FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).
		Scan(&id, &s.Visibility, &s.Origin, &s.Label)
	if errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("repository %s: %w", r, ErrNotFound)
	}
	if err != nil {
		return s, fmt.Errorf("read repository %s: %w", r, err)
	}
	s.Distributions, err = collect(ctx, q, func(scan func(...any) error) (catalog.DistributionSettings, error) {
		var ds catalog.DistributionSettings
		err := scan(&ds.Distribution.OS, &ds.Distribution.Version, list{&ds.Components}, list{&ds.Architectures})
		return ds, err
	}, `SELECT os, version, components, architectures FROM distributions WHERE repository_id = ? ORDER BY os, version`, id)
	if err != nil {
		return s, fmt.Errorf("read repository %s: %w", r, err)
	}
	return s, nil
}

// A Declaration is what has to exist before a package can be a row.
type Declaration struct {
	Repository catalog.Repository
	Distro     layout.Distro
	Component  string // DEB only
	Arch       string // one more architecture (DEB) or directory (RPM); empty, "all" and "noarch" add none
}

// Declare makes the repository, distribution, component, architecture and releases exist, and returns
// what of them is new, in words for a log. A release whose set of components or architectures grew
// gets a new revision. What exists is not changed otherwise.
func (d *DB) Declare(ctx context.Context, want Declaration, now time.Time) (created []string, err error) {
	err = d.tx(ctx, func(tx *sql.Tx) error {
		created = nil
		repository, isNew, err := ensureRepository(ctx, tx, want.Repository, now)
		if err != nil {
			return err
		}
		if isNew {
			created = append(created, "repository "+want.Repository.String())
		}
		grown, err := ensureDistribution(ctx, tx, repository, want, now)
		created = append(created, grown...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("declare %s %s: %w", want.Repository, want.Distro.Distribution, err)
	}
	return created, nil
}

func ensureRepository(ctx context.Context, tx *sql.Tx, r catalog.Repository, now time.Time) (id int64, isNew bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, false, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO repositories (owner, name, visibility, origin, label, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		r.Owner, r.Name, catalog.Public, r.String(), r.Name, millis(now))
	if err != nil {
		return 0, false, err
	}
	id, err = res.LastInsertId()
	return id, true, err
}

func ensureDistribution(ctx context.Context, tx *sql.Tx, repository int64, want Declaration, now time.Time) (created []string, err error) {
	dist := want.Distro.Distribution
	has := catalog.DistributionSettings{Distribution: dist}
	var id int64
	err = tx.QueryRowContext(ctx, `SELECT id, components, architectures FROM distributions WHERE repository_id = ? AND os = ? AND version = ?`,
		repository, dist.OS, dist.Version).Scan(&id, list{&has.Components}, list{&has.Architectures})
	if isNew := errors.Is(err, sql.ErrNoRows); isNew {
		created = append(created, "distribution "+dist.String())
		res, err := tx.ExecContext(ctx, `INSERT INTO distributions (repository_id, os, version, format, components, architectures, created_at) VALUES (?, ?, ?, ?, '[]', '[]', ?)`,
			repository, dist.OS, dist.Version, want.Distro.Format, millis(now))
		if err != nil {
			return nil, err
		}
		if id, err = res.LastInsertId(); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	grown := grow(has, want)
	if slices.Equal(grown.Components, has.Components) && slices.Equal(grown.Architectures, has.Architectures) {
		return created, nil
	}
	for _, c := range grown.Components {
		if !slices.Contains(has.Components, c) {
			created = append(created, "component "+c)
		}
	}
	for _, a := range grown.Architectures {
		if !slices.Contains(has.Architectures, a) {
			created = append(created, "architecture "+a)
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE distributions SET components = ?, architectures = ? WHERE id = ?`, list{&grown.Components}, list{&grown.Architectures}, id)
	if err != nil {
		return nil, err
	}
	return created, ensureReleases(ctx, tx, id, want.Distro.Format, grown.Architectures, now)
}

// grow returns the settings with what is wanted added to them.
func grow(has catalog.DistributionSettings, want Declaration) catalog.DistributionSettings {
	components, architectures := slices.Clone(has.Components), slices.Concat(has.Architectures, want.Distro.Architectures)
	if want.Distro.Format == catalog.DEB {
		components = append(components, layout.DefaultComponent, want.Component)
	}
	if want.Arch != "" && want.Arch != "all" && want.Arch != layout.Noarch {
		architectures = append(architectures, want.Arch)
	}
	has.Components, has.Architectures = set(components), set(architectures)
	return has
}

// set sorts names and drops repeats and empty ones.
func set(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// ensureReleases creates the missing releases of a distribution. For DEB, whose one release lists
// components and architectures, a change of either is a new revision.
func ensureReleases(ctx context.Context, tx *sql.Tx, distribution int64, format catalog.Format, architectures []string, now time.Time) error {
	arches := architectures
	if format == catalog.DEB {
		arches = []string{""}
	}
	for _, arch := range arches {
		var id int64
		err := tx.QueryRowContext(ctx, `SELECT id FROM releases WHERE distribution_id = ? AND arch = ?`, distribution, arch).Scan(&id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			res, err := tx.ExecContext(ctx, `INSERT INTO releases (distribution_id, arch, revision, nonce, published_revision, fault) VALUES (?, ?, 0, '', 0, '')`, distribution, arch)
			if err != nil {
				return err
			}
			if id, err = res.LastInsertId(); err != nil {
				return err
			}
		case err != nil:
			return err
		case format == catalog.RPM:
			continue
		}
		if _, err := advance(ctx, tx, id, 1, now); err != nil {
			return err
		}
	}
	return nil
}

// list stores a []string as a JSON array.
type list struct{ names *[]string }

func (l list) Scan(src any) error {
	s, ok := src.(string)
	if b, isBytes := src.([]byte); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		return fmt.Errorf("list column has type %T", src)
	}
	return json.Unmarshal([]byte(s), l.names)
}

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) {
	if *l.names == nil {
		return "[]", nil
	}
	b, err := json.Marshal(*l.names)
	return string(b), err
}
