package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// draw gives the settings of a repository a new pair, and keeps it.
func (row *repositoryRow) draw(ctx context.Context, tx *transaction, revision int64, nonce string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE repositories SET settings_revision = ?, settings_nonce = ? WHERE id = ?`, revision, nonce, row.id)
	if err != nil {
		return err
	}
	return row.keep(ctx, tx, catalog.Revision{Number: revision, Nonce: nonce}, now)
}

// keep counts a pair among those that this catalog drew.
func (row *repositoryRow) keep(ctx context.Context, tx *transaction, pair catalog.Revision, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO settings_pairs (repository_id, revision, nonce, drawn_at) VALUES (?, ?, ?, ?)`, row.id, pair.Number, pair.Nonce, millis(now))
	return err
}

// UnpublishedSettings returns the repositories whose settings are ahead of those in the bucket, in
// order. One that a release of the program made which knew no revisions of settings draws its first here.
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
		if err := d.drawFirst(ctx, row.settings.Repository); err != nil {
			return nil, fmt.Errorf("draw a revision of the settings of %s: %w", row.settings.Repository, err)
		}
	}
	return repositories, nil
}

func (d *DB) drawFirst(ctx context.Context, r catalog.Repository) error {
	return d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, r)
		if err != nil || row.settings.Revision.Number != 0 {
			return err
		}
		return row.draw(ctx, tx, 1, random(), row.created)
	})
}

// PublishSettings records that the bucket has a revision of a repository's settings. A lower one than
// before changes nothing.
func (d *DB) PublishSettings(ctx context.Context, r catalog.Repository, revision int64) error {
	err := d.exec(ctx, `UPDATE repositories SET published_settings_revision = ? WHERE owner = ? AND name = ? AND published_settings_revision < ?`,
		revision, r.Owner, r.Name, revision)
	if err != nil {
		return fmt.Errorf("record publication of the settings of %s: %w", r, err)
	}
	return nil
}

// DrewSettings reports whether this catalog drew a pair for a repository's settings, or took over what
// the bucket had under it. If it did not, see [DB.AdoptSettings].
func (d *DB) DrewSettings(ctx context.Context, r catalog.Repository, pair catalog.Revision) (known bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		var n int
		err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM settings_pairs s JOIN repositories p ON p.id = s.repository_id
			WHERE p.owner = ? AND p.name = ? AND s.revision = ? AND s.nonce = ?`, r.Owner, r.Name, pair.Number, pair.Nonce).Scan(&n)
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
