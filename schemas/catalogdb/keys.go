package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"repomill/schemas/catalog"
)

// RecordSignedBy records how the published pointer of a release is signed. The error wraps [ErrNotFound] for an
// unknown release.
func (d *DB) RecordSignedBy(ctx context.Context, r catalog.Release, by string) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE releases SET signed_by = ? WHERE id = ?`, by, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("record how %s is signed: %w", r, err)
	}
	return nil
}

// A KeyState is how the releases of each format should be signed, and which keys clients should be given.
type KeyState struct {
	DEB, RPM string // how releases are signed
	Given    string // keys
}

// notSigned is the condition of published releases that are signed otherwise.
const notSigned = `r.published_revision > 0 AND r.signed_by <> CASE WHEN r.arch = '' THEN ? ELSE ? END`

// ReleasesToSign returns up to limit published releases that are not signed as they should be, in order.
func (d *DB) ReleasesToSign(ctx context.Context, want KeyState, limit int) ([]catalog.Release, error) {
	states, err := list(ctx, d, scanRelease, `SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE `+notSigned+releaseOrder+` LIMIT ?`,
		want.DEB, want.RPM, limit)
	if err != nil {
		return nil, fmt.Errorf("list releases to be signed again: %w", err)
	}
	releases := make([]catalog.Release, len(states))
	for i, s := range states {
		releases[i] = s.Release
	}
	return releases, nil
}

// CountToSign returns how many published releases and kept snapshots are not signed as they should be, and of how many repositories the
// published objects give clients other keys than they should. With begun, it counts also the repositories that have
// a published release while their settings are not recorded as published: clients see their objects already.
func (d *DB) CountToSign(ctx context.Context, want KeyState, begun bool) (releases, repositories int, err error) {
	err = d.ask(ctx, func(q querier) error {
		var snapshots int
		err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+releaseTables+` WHERE `+notSigned, want.DEB, want.RPM).Scan(&releases)
		if err == nil {
			err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots WHERE state = ? AND signed_by <> ?`, catalog.SnapshotKept, want.DEB).Scan(&snapshots)
			releases += snapshots
		}
		if err == nil {
			err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM repositories WHERE given_keys <> ? AND (published_settings_revision > 0
				OR ? AND id IN (SELECT p.id FROM `+releaseTables+` WHERE r.published_revision > 0))`, want.Given, begun).Scan(&repositories)
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count what is to be signed again: %w", err)
	}
	return releases, repositories, nil
}

// A Signature is a way in which releases are signed, and how many there are of it.
type Signature struct {
	RPM      bool
	By       string // empty if it is not known
	Releases int
}

// Signatures returns the ways in which published releases are signed, and how many releases each has.
func (d *DB) Signatures(ctx context.Context) ([]Signature, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (s Signature, err error) {
		return s, scan(&s.RPM, &s.By, &s.Releases)
	}, `SELECT r.arch <> '', r.signed_by, COUNT(*) FROM `+releaseTables+` WHERE r.published_revision > 0 GROUP BY 1, 2 ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("read how releases are signed: %w", err)
	}
	return all, nil
}

// RecordGivenKeys records which keys the published objects of a repository give to clients.
func (d *DB) RecordGivenKeys(ctx context.Context, r catalog.Repository, keys string) error {
	err := d.exec(ctx, `UPDATE repositories SET given_keys = ? WHERE owner = ? AND name = ?`, keys, r.Owner, r.Name)
	if err != nil {
		return fmt.Errorf("record the keys of %s: %w", r, err)
	}
	return nil
}

// GivenKeys returns the distinct ways in which published repositories give keys to clients; an empty text if that of
// a repository is not known.
func (d *DB) GivenKeys(ctx context.Context) ([]string, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (keys string, err error) { return keys, scan(&keys) },
		`SELECT DISTINCT given_keys FROM repositories WHERE published_settings_revision > 0`)
	if err != nil {
		return nil, fmt.Errorf("read which keys clients were given: %w", err)
	}
	return all, nil
}

// RepositoriesToGiveKeys returns up to limit repositories whose published objects give clients other keys than they
// should, in order. It omits repositories whose settings are not published yet: their first publish gives the keys.
func (d *DB) RepositoriesToGiveKeys(ctx context.Context, want KeyState, limit int) ([]catalog.Repository, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (r catalog.Repository, err error) {
		return r, scan(&r.Owner, &r.Name)
	}, `SELECT owner, name FROM repositories WHERE published_settings_revision > 0 AND given_keys <> ? ORDER BY owner, name LIMIT ?`, want.Given, limit)
	if err != nil {
		return nil, fmt.Errorf("list repositories whose keys are to be published again: %w", err)
	}
	return all, nil
}

// SaveKeyList stores a copy of the bucket's list of keys, unless one of the same or a later revision is stored
// already. The audit log says what changed since the copy before, and who did it: if a worker has saved the list of a
// command before the command itself, there is an entry for both.
func (d *DB) SaveKeyList(ctx context.Context, revision int64, list []byte) error {
	err := d.tx(ctx, func(tx *transaction) error {
		last, before, err := keyList(ctx, tx)
		if err != nil || last > revision {
			return err
		}
		if last == revision {
			return d.recordKeyActor(ctx, tx, revision)
		}
		if err := d.recordNow(ctx, tx, catalog.AuditEntry{Action: catalog.ActionKeys, Target: catalog.AllRepositories, Detail: keysChanged(revision, before, list)}); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `REPLACE INTO key_list (id, revision, body) VALUES (1, ?, ?)`, revision, list)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a copy of the list of keys: %w", err)
	}
	return nil
}

// SavedKeyList returns the stored copy of the list of keys and its revision, or revision 0 if none is stored.
func (d *DB) SavedKeyList(ctx context.Context) (revision int64, list []byte, err error) {
	err = d.ask(ctx, func(q querier) error {
		revision, list, err = keyList(ctx, q)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("read the copy of the list of keys: %w", err)
	}
	return revision, list, nil
}

func keyList(ctx context.Context, q querier) (revision int64, list []byte, err error) {
	err = q.QueryRowContext(ctx, `SELECT revision, body FROM key_list WHERE id = 1`).Scan(&revision, &list)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return revision, list, err
}

// keyringOn is the condition of repositories whose keyring package is made.
const keyringOn = `keyring_package LIKE '[{"on":true%'`

// KeyringRepositories returns the repositories whose keyring packages are made, and the revisions of their settings.
func (d *DB) KeyringRepositories(ctx context.Context) (map[catalog.Repository]catalog.Revision, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (s catalog.Settings, err error) {
		return s, scan(&s.Repository.Owner, &s.Repository.Name, &s.Revision.Number, &s.Revision.Nonce)
	}, `SELECT owner, name, settings_revision, settings_nonce FROM repositories WHERE deletion = '[]' AND `+keyringOn)
	if err != nil {
		return nil, fmt.Errorf("list repositories with a keyring package: %w", err)
	}
	revisions := map[catalog.Repository]catalog.Revision{}
	for _, s := range all {
		revisions[s.Repository] = s.Revision
	}
	return revisions, nil
}
