package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// issueRevision makes a revision the latest of a repository's settings, and records that this catalog issued it.
func (row *repositoryRow) issueRevision(ctx context.Context, tx *transaction, revision int64, nonce string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE repositories SET settings_revision = ?, settings_nonce = ? WHERE id = ?`, revision, nonce, row.id)
	if err != nil {
		return err
	}
	return row.recordRevision(ctx, tx, catalog.Revision{Number: revision, Nonce: nonce}, now)
}

// recordRevision adds a revision to those that this catalog knows.
func (row *repositoryRow) recordRevision(ctx context.Context, tx *transaction, revision catalog.Revision, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO settings_pairs (repository_id, revision, nonce, drawn_at) VALUES (?, ?, ?, ?)`, row.id, revision.Number, revision.Nonce, millis(now))
	return err
}

// UnpublishedSettings returns the repositories whose latest settings are not in the bucket, in order. It issues the
// first revision of a repository that was created by a version of the program without revisions of settings.
func (d *DB) UnpublishedSettings(ctx context.Context) ([]catalog.Repository, error) {
	rows, err := list(ctx, d, scanRepository, `SELECT `+repositoryColumns+` FROM repositories
		WHERE settings_revision > published_settings_revision OR settings_revision = 0 ORDER BY owner, name`)
	if err != nil {
		return nil, fmt.Errorf("list unpublished settings: %w", err)
	}
	repositories := make([]catalog.Repository, len(rows))
	for i, row := range rows {
		repositories[i] = row.settings.Repository
		if row.settings.Revision.Number != 0 {
			continue
		}
		if err := d.issueFirst(ctx, row.settings.Repository); err != nil {
			return nil, fmt.Errorf("issue a revision of the settings of %s: %w", row.settings.Repository, err)
		}
	}
	return repositories, nil
}

func (d *DB) issueFirst(ctx context.Context, r catalog.Repository) error {
	return d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, r)
		if err != nil || row.settings.Revision.Number != 0 {
			return err
		}
		return row.issueRevision(ctx, tx, 1, random(), row.created)
	})
}

// PublishSettings records that the bucket has a revision of a repository's settings. The recorded revision never
// falls.
func (d *DB) PublishSettings(ctx context.Context, r catalog.Repository, revision int64) error {
	err := d.exec(ctx, `UPDATE repositories SET published_settings_revision = ? WHERE owner = ? AND name = ? AND published_settings_revision < ?`,
		revision, r.Owner, r.Name, revision)
	if err != nil {
		return fmt.Errorf("record publication of the settings of %s: %w", r, err)
	}
	return nil
}

// KnowsSettingsRevision reports whether this catalog issued a revision of a repository's settings, or imported what
// the bucket had under it. If it did not, see [DB.ImportSettings].
func (d *DB) KnowsSettingsRevision(ctx context.Context, r catalog.Repository, revision catalog.Revision) (known bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		var n int
		err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM settings_pairs s JOIN repositories p ON p.id = s.repository_id
			WHERE p.owner = ? AND p.name = ? AND s.revision = ? AND s.nonce = ?`, r.Owner, r.Name, revision.Number, revision.Nonce).Scan(&n)
		known = n > 0
		return err
	})
	return known, err
}

// PublishedSettings returns the settings of a repository as they are here, and the revision of those that the
// bucket has, or [ErrNotFound].
func (d *DB) PublishedSettings(ctx context.Context, r catalog.Repository) (s catalog.Settings, published int64, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		if s, err = settings(ctx, q, r); err != nil {
			return err
		}
		published, err = scanID(q.QueryRowContext(ctx, `SELECT published_settings_revision FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan)
		return err
	})
	return s, published, err
}

// importGap is the distance from a revision of another catalog to the next own one. It leaves room for revisions
// that the other catalog issued later and that were never seen here.
const importGap = 1000

// nextRevisionAfter returns the revision that follows both an own and a foreign one.
func nextRevisionAfter(own, foreign int64) int64 { return max(own, foreign) + importGap }

// checkRevision returns what is invalid in a revision that this catalog did not issue.
func checkRevision(revision catalog.Revision) error {
	if revision.Number < 0 || revision.Number > math.MaxInt64/2 || revision.Nonce == "" || len(revision.Nonce) > 64 {
		return fmt.Errorf("revision %d with nonce %.80q is none", revision.Number, revision.Nonce)
	}
	return nil
}

// ImportSettings imports the settings that the bucket has under a revision that this catalog did not issue: it was
// restored from an old copy. The bucket's visibility, description, origin, label, keys and tokens replace those of the catalog,
// with these exceptions: a repository that was made private here stays private, one that was deleted here stays deleted, as does a part of it, and a token that
// was revoked here stays revoked, if the bucket does not have that change yet. Of distributions, components and architectures the
// union is kept, with the releases that follow from it. Then a revision after both is issued. If this catalog knows
// the revision already, nothing changes.
func (d *DB) ImportSettings(ctx context.Context, from catalog.Settings, now time.Time) error {
	err := checkSettings(&from)
	if err == nil {
		err = checkRevision(from.Revision)
	}
	if err == nil {
		err = d.tx(ctx, func(tx *transaction) error { return importSettings(ctx, tx, from, now) })
	}
	if err != nil {
		return fmt.Errorf("import settings of %s: %w", from.Repository, err)
	}
	return nil
}

func importSettings(ctx context.Context, tx *transaction, from catalog.Settings, now time.Time) error {
	row, _, err := ensureRepository(ctx, tx, from.Repository, now)
	if err != nil {
		return err
	}
	known, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM settings_pairs WHERE repository_id = ? AND revision = ? AND nonce = ?`,
		row.id, from.Revision.Number, from.Revision.Nonce).Scan)
	if err != nil || known > 0 {
		return err
	}
	has := row.settings
	if has.Visibility == catalog.Private && has.Revision.Number > row.published {
		from.Visibility = catalog.Private
	}
	if has.Deleted != nil && from.Deleted == nil && has.Revision.Number > row.published {
		from.Deleted = has.Deleted
	}
	if has.Revision.Number > row.published {
		from.DeletedParts = unitedParts(from.DeletedParts, has.DeletedParts)
	}
	from.Keyring = newerKeyring(from.Keyring, has.Keyring)
	if from.Tokens, err = row.withoutRevoked(ctx, tx, from.Tokens); err != nil {
		return err
	}
	if err := row.update(ctx, tx, from); err != nil {
		return err
	}
	if has.Visibility == catalog.Public && from.Visibility != catalog.Public {
		if err := hideMovedPlaces(ctx, tx, from.Repository, now); err != nil {
			return err
		}
	}
	for _, ds := range from.Distributions {
		if ds.Format != catalog.DEB && ds.Format != catalog.RPM {
			return fmt.Errorf("distribution %s has the format %.40q: use %q or %q", ds.Distribution, ds.Format, catalog.RPM, catalog.DEB)
		}
		if _, err := ensureDistribution(ctx, tx, row.id, ds, now); err != nil {
			return err
		}
		id, err := distributionID(ctx, tx, from.Repository, ds.Distribution)
		if err == nil {
			err = expectRecovery(ctx, tx, id, now)
		}
		if err != nil {
			return err
		}
	}
	if err := row.recordRevision(ctx, tx, from.Revision, now); err != nil {
		return err
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoImport, Target: from.Repository.String(),
		Detail: fmt.Sprintf("revision %d of the settings, which the bucket has and the catalog did not issue", from.Revision.Number)}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.issueRevision(ctx, tx, nextRevisionAfter(has.Revision.Number, from.Revision.Number), random(), now)
}

// unitedParts returns the deleted distributions and components of the bucket, with those of the catalog that the bucket does not have.
func unitedParts(bucket, here []catalog.DeletedPart) []catalog.DeletedPart {
	all := slices.Clone(bucket)
	for _, p := range here {
		if !slices.ContainsFunc(bucket, func(o catalog.DeletedPart) bool {
			return o.Distribution == p.Distribution && o.Component == p.Component
		}) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, catalog.CompareDeletedParts)
	return all
}

// newerKeyring returns the bucket's record of a keyring package or, if a newer version was made here, the record of
// that, so that no version is made twice.
func newerKeyring(bucket, here *catalog.KeyringPackage) *catalog.KeyringPackage {
	if bucket == nil || here == nil || layout.CompareKeyringVersions(here.Version, bucket.Version) <= 0 {
		return bucket
	}
	newer := *here
	newer.On = bucket.On
	return &newer
}

// withoutRevoked omits the tokens that were revoked here while the bucket does not have that change yet: those that
// this catalog does not have although they are older than the newest settings that it published.
func (row *repositoryRow) withoutRevoked(ctx context.Context, tx *transaction, tokens []catalog.Token) ([]catalog.Token, error) {
	if row.settings.Revision.Number <= row.published {
		return tokens, nil
	}
	var known sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT MAX(drawn_at) FROM settings_pairs WHERE repository_id = ? AND revision <= ?`, row.id, row.published).Scan(&known)
	return slices.DeleteFunc(slices.Clone(tokens), func(t catalog.Token) bool {
		has := slices.ContainsFunc(row.settings.Tokens, func(o catalog.Token) bool { return o.SHA256 == t.SHA256 })
		return !has && known.Valid && millis(t.Created) <= known.Int64
	}), err
}
