package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// repositoryColumns and scanRepository read a repository without its distributions.
const repositoryColumns = `id, owner, name, visibility, origin, label, settings_revision, settings_nonce, published_settings_revision, package_keys, tokens, verify_payload, require_signed, keyring_package, description, retention, snapshot_rule, created_at, deletion, deleted_parts, mutable`

// A repositoryRow is a repository as the tables have it, without its distributions.
type repositoryRow struct {
	id        int64
	settings  catalog.Settings
	published int64 // revision of the settings that the bucket has
	created   time.Time
}

func scanRepository(scan func(...any) error) (row repositoryRow, err error) {
	s := &row.settings
	var keyring []catalog.KeyringPackage
	var deletion []catalog.Deletion
	var rules []catalog.SnapshotRule
	err = scan(&row.id, &s.Repository.Owner, &s.Repository.Name, &s.Visibility, &s.Origin, &s.Label,
		&s.Revision.Number, &s.Revision.Nonce, &row.published, jsonList[catalog.PackageKey]{&s.PackageKeys}, jsonList[catalog.Token]{&s.Tokens}, &s.VerifyPayload, jsonList[catalog.Format]{&s.RequireSigned}, jsonList[catalog.KeyringPackage]{&keyring}, &s.Description, jsonList[catalog.Retention]{&s.Retention}, jsonList[catalog.SnapshotRule]{&rules}, (*scanTime)(&row.created), jsonList[catalog.Deletion]{&deletion},
		jsonList[catalog.DeletedPart]{&s.DeletedParts}, &s.Mutable)
	if len(keyring) > 0 {
		s.Keyring = &keyring[0]
	}
	if len(deletion) > 0 {
		s.Deleted = &deletion[0]
	}
	if len(s.PackageKeys) == 0 {
		s.PackageKeys = nil
	}
	if len(s.Tokens) == 0 {
		s.Tokens = nil
	}
	if len(s.RequireSigned) == 0 {
		s.RequireSigned = nil
	}
	if len(s.Retention) == 0 {
		s.Retention = nil
	}
	if len(s.DeletedParts) == 0 {
		s.DeletedParts = nil
	}
	if len(rules) > 0 {
		s.Snapshots = &rules[0]
	}
	return row, err
}

// Settings returns the settings of a repository. The error wraps [ErrNotFound] for an unknown one.
func (d *DB) Settings(ctx context.Context, r catalog.Repository) (s catalog.Settings, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		s, err = settings(ctx, q, r)
		return err
	})
	return s, err
}

func settings(ctx context.Context, q querier, r catalog.Repository) (catalog.Settings, error) {
	row, err := scanRepository(q.QueryRowContext(ctx, `SELECT `+repositoryColumns+` FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.Settings{Repository: r}, fmt.Errorf("repository %s: %w", r, ErrNotFound)
	}
	if err == nil {
		err = row.addDistributions(ctx, q)
	}
	if err != nil {
		return row.settings, fmt.Errorf("read repository %s: %w", r, err)
	}
	return row.settings, nil
}

// distributionColumns and scanDistribution read what a repository declares of a distribution.
const distributionColumns = `repository_id, os, version, format, components, architectures`

type distributionRow struct {
	repository int64
	settings   catalog.DistributionSettings
}

func scanDistribution(scan func(...any) error) (row distributionRow, err error) {
	s := &row.settings
	return row, scan(&row.repository, &s.Distribution.OS, &s.Distribution.Version, &s.Format, jsonList[string]{&s.Components}, jsonList[string]{&s.Architectures})
}

func (row *repositoryRow) addDistributions(ctx context.Context, q querier) error {
	rows, err := collect(ctx, q, scanDistribution, `SELECT `+distributionColumns+` FROM distributions WHERE repository_id = ? AND architectures <> '[]' ORDER BY os, version`, row.id)
	for _, d := range rows {
		row.settings.Distributions = append(row.settings.Distributions, d.settings)
	}
	return err
}

// Repositories returns the settings of all repositories, in order of their names. It is two queries, however many there are.
func (d *DB) Repositories(ctx context.Context) (all []catalog.Settings, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		all = nil
		rows, err := collect(ctx, q, scanRepository, `SELECT `+repositoryColumns+` FROM repositories ORDER BY owner, name`)
		if err != nil {
			return err
		}
		distributions, err := collect(ctx, q, scanDistribution, `SELECT `+distributionColumns+` FROM distributions WHERE architectures <> '[]' ORDER BY os, version`)
		if err != nil {
			return err
		}
		of := map[int64][]catalog.DistributionSettings{}
		for _, d := range distributions {
			of[d.repository] = append(of[d.repository], d.settings)
		}
		for _, row := range rows {
			row.settings.Distributions = of[row.id]
			all = append(all, row.settings)
		}
		return nil
	})
	return all, err
}

// CreateRepository creates a repository and issues the first revision of its settings. Visibility is public, origin
// "owner/name" and label "name" unless s says otherwise. Distributions are declared afterwards ([DB.Declare]). The
// error wraps [ErrExists] for a repository that exists, and a [catalog.Rejection] for an invalid name.
func (d *DB) CreateRepository(ctx context.Context, s catalog.Settings, now time.Time) error {
	s.Visibility = cmp.Or(s.Visibility, catalog.Public)
	s.Origin, s.Label = cmp.Or(s.Origin, s.Repository.String()), cmp.Or(s.Label, s.Repository.Name)
	if err := checkSettings(&s); err != nil {
		return fmt.Errorf("create repository %s: %w", s.Repository, err)
	}
	if len(s.Distributions) > 0 {
		return fmt.Errorf("create repository %s: its distributions are declared one by one, afterwards", s.Repository)
	}
	nonce := random()
	err := d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, s.Repository)
		switch {
		case err == nil && row.settings.Revision.Nonce == nonce:
			return nil // an earlier try went through
		case err == nil && row.settings.Deleted != nil:
			return deletedRepository(row.settings)
		case err == nil:
			return ErrExists
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if row.id, err = insertRepository(ctx, tx, s, now); err != nil {
			return err
		}
		if err := record(ctx, tx, now, settingsCreated(s)...); err != nil {
			return err
		}
		return row.issueRevision(ctx, tx, 1, nonce, now)
	})
	if err != nil {
		return fmt.Errorf("create repository %s: %w", s.Repository, err)
	}
	return nil
}

// ChangeSettings applies change to the settings of a repository, in one transaction, and returns the settings after
// that. change may set the visibility, description, package keys, tokens, verification, required signatures, keyring
// package, retention and rule of snapshots. If nothing differs, no revision is issued. If change returns an error, nothing changes. change may be called
// several times, each time with the current settings. The audit log gets an entry for each kind of change. The error
// wraps [ErrRevoked] for a new token whose parent is not live, and [ErrDeleted] for a deleted repository, of which tokens can be revoked, and
// nothing else changes.
func (d *DB) ChangeSettings(ctx context.Context, r catalog.Repository, now time.Time, change func(*catalog.Settings) error) (after catalog.Settings, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, r)
		if err == nil {
			err = row.addDistributions(ctx, tx)
		}
		if after = row.settings; err != nil || after.Revision.Nonce == nonce {
			return err // if it is ours, then an earlier try went through
		}
		before := cloned(row.settings)
		if after.Deleted != nil && after.Deleted.Removing {
			return deletedRepository(after)
		}
		changed, err := applyChange(&after, change)
		if err != nil || !changed {
			return err
		}
		if after.Deleted != nil && !revokesOnly(before, after) {
			return deletedRepository(after)
		}
		if err := checkParents(ctx, tx, before, after); err != nil {
			return err
		}
		if err := row.update(ctx, tx, after); err != nil {
			return err
		}
		if err := record(ctx, tx, now, settingsChanged(before, after)...); err != nil {
			return err
		}
		if before.Visibility == catalog.Public && after.Visibility != catalog.Public {
			if err := hideMovedPlaces(ctx, tx, r, now); err != nil {
				return err
			}
		}
		after.Revision = catalog.Revision{Number: after.Revision.Number + 1, Nonce: nonce}
		return row.issueRevision(ctx, tx, after.Revision.Number, nonce, now)
	})
	if err != nil {
		return catalog.Settings{}, fmt.Errorf("change settings of %s: %w", r, err)
	}
	return after, nil
}

// revokesOnly reports whether settings differ in tokens that were taken away, and in nothing else. That is possible also in a deleted
// repository, which may come back.
func revokesOnly(before, after catalog.Settings) bool {
	if slices.ContainsFunc(after.Tokens, func(t catalog.Token) bool { return !hasToken(before, t) }) {
		return false
	}
	before.Tokens, after.Tokens = nil, nil
	was, _, err := encode(before)
	is, _, err2 := encode(after)
	return err == nil && err2 == nil && was == is
}

// applyChange applies change to settings, and reports whether they differ.
func applyChange(s *catalog.Settings, change func(*catalog.Settings) error) (changed bool, err error) {
	before, fixed, err := encode(*s)
	if err != nil {
		return false, err
	}
	if err := change(s); err != nil {
		return false, err
	}
	if err := checkSettings(s); err != nil {
		return false, err
	}
	after, stillFixed, err := encode(*s)
	if err == nil && stillFixed != fixed {
		err = errors.New("only the visibility, description, package keys, tokens, verification, signing, keyring package, retention and snapshots of a repository change: apt refuses another origin or label, a repository is mutable from its creation on or never, and distributions are declared")
	}
	return after != before, err
}

// encode returns settings as JSON, whole and without what may change.
func encode(s catalog.Settings) (whole, fixed string, err error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", "", err
	}
	whole = string(b)
	s.Visibility, s.Description, s.VerifyPayload, s.RequireSigned, s.PackageKeys, s.Tokens, s.Keyring, s.Retention, s.Snapshots = "", "", "", nil, nil, nil, nil, nil, nil
	b, err = json.Marshal(s)
	return whole, string(b), err
}

// checkSettings sorts keys and tokens, and returns what is invalid in settings.
func checkSettings(s *catalog.Settings) error {
	if rej := layout.CheckRepository(s.Repository); rej != nil {
		return rej
	}
	if s.Visibility != catalog.Public && s.Visibility != catalog.Private {
		return fmt.Errorf("visibility %.40q: use %s or %s", s.Visibility, catalog.Public, catalog.Private)
	}
	if s.VerifyPayload != "" && s.VerifyPayload != catalog.VerifyAlways {
		return fmt.Errorf("verification of payloads %.40q: use %q, or nothing", s.VerifyPayload, catalog.VerifyAlways)
	}
	for what, text := range map[string]string{"origin": s.Origin, "label": s.Label} {
		if text == "" || len(text) > 255 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("%s %.300q: use 1 to 255 bytes of printable text", what, text)
		}
	}
	if err := cmp.Or(catalog.CheckDescription(s.Description), checkSigned(s), checkKeyring(s.Keyring), catalog.CheckRetention(s.Retention), catalog.CheckSnapshotRule(s.Snapshots)); err != nil {
		return err
	}
	slices.SortFunc(s.PackageKeys, func(a, b catalog.PackageKey) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Tokens, func(a, b catalog.Token) int { return strings.Compare(a.Name, b.Name) })
	for i, k := range s.PackageKeys {
		if i > 0 && k.ID == s.PackageKeys[i-1].ID {
			return fmt.Errorf("package key %s is there already", k.ID)
		}
	}
	for i, t := range s.Tokens {
		if i > 0 && t.Name == s.Tokens[i-1].Name {
			return fmt.Errorf("token %q is there already", t.Name)
		}
	}
	return nil
}

// checkSigned sorts the formats whose packages need a signature, and makes sure that there is a key for it: without one
// every package would be refused.
func checkSigned(s *catalog.Settings) error {
	slices.Sort(s.RequireSigned)
	s.RequireSigned = slices.Compact(s.RequireSigned)
	for _, f := range s.RequireSigned {
		if f != catalog.DEB && f != catalog.RPM {
			return fmt.Errorf("signatures are required of the format %.40q: use %q or %q", f, catalog.RPM, catalog.DEB)
		}
	}
	if len(s.RequireSigned) > 0 && len(s.PackageKeys) == 0 {
		return errors.New("signatures are required, and the repository has no package key to check them with: register one with --package-key, or use --require-signed none")
	}
	return nil
}

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

// lockRepository reads a repository and locks it until the transaction ends, or returns [ErrNotFound].
func lockRepository(ctx context.Context, tx *transaction, r catalog.Repository) (repositoryRow, error) {
	row, err := scanRepository(tx.QueryRowContext(ctx, `SELECT `+repositoryColumns+` FROM repositories WHERE owner = ? AND name = ?`+tx.forUpdate, r.Owner, r.Name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("repository %s: %w", r, ErrNotFound)
	}
	return row, err
}

func insertRepository(ctx context.Context, tx *transaction, s catalog.Settings, now time.Time) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO repositories (owner, name, visibility, origin, label,
			settings_revision, settings_nonce, published_settings_revision, package_keys, tokens, verify_payload, require_signed, keyring_package, description, retention, snapshot_rule, created_at, mutable)
		VALUES (?, ?, ?, ?, ?, 0, '', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, s.Repository.Owner, s.Repository.Name, s.Visibility, s.Origin, s.Label,
		jsonList[catalog.PackageKey]{&s.PackageKeys}, jsonList[catalog.Token]{&s.Tokens}, s.VerifyPayload, jsonList[catalog.Format]{&s.RequireSigned}, keyringColumn(s), s.Description, jsonList[catalog.Retention]{&s.Retention}, snapshotRuleColumn(s), millis(now), s.Mutable)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// update writes everything but the distributions and the revision.
func (row *repositoryRow) update(ctx context.Context, tx *transaction, s catalog.Settings) error {
	_, err := tx.ExecContext(ctx, `UPDATE repositories SET visibility = ?, origin = ?, label = ?, package_keys = ?, tokens = ?, verify_payload = ?, require_signed = ?, keyring_package = ?, description = ?, retention = ?, snapshot_rule = ?, deletion = ?, removed = ?, deleted_parts = ?, mutable = ? WHERE id = ?`,
		s.Visibility, s.Origin, s.Label, jsonList[catalog.PackageKey]{&s.PackageKeys}, jsonList[catalog.Token]{&s.Tokens}, s.VerifyPayload, jsonList[catalog.Format]{&s.RequireSigned}, keyringColumn(s), s.Description, jsonList[catalog.Retention]{&s.Retention}, snapshotRuleColumn(s),
		deletionColumn(s), s.Deleted != nil && s.Deleted.Removing, jsonList[catalog.DeletedPart]{&s.DeletedParts}, s.Mutable, row.id)
	return err
}

// keyringColumn is a list of one keyring package, or of none.
func snapshotRuleColumn(s catalog.Settings) jsonList[catalog.SnapshotRule] {
	var list []catalog.SnapshotRule
	if s.Snapshots != nil {
		list = append(list, *s.Snapshots)
	}
	return jsonList[catalog.SnapshotRule]{&list}
}

func keyringColumn(s catalog.Settings) jsonList[catalog.KeyringPackage] {
	var list []catalog.KeyringPackage
	if s.Keyring != nil {
		list = append(list, *s.Keyring)
	}
	return jsonList[catalog.KeyringPackage]{&list}
}
