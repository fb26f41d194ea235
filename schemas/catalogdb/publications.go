package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Publish records that clients see a revision of a release, and finishes the uploads that waited for
// nothing else. A revision that is lower than one before changes nothing.
func (d *DB) Publish(ctx context.Context, r catalog.Release, revision int64, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		return publish(ctx, tx, id, revision, now)
	})
	if err != nil {
		return fmt.Errorf("record publication of %s: %w", r, err)
	}
	return nil
}

func publish(ctx context.Context, tx *transaction, release, revision int64, now time.Time) error {
	var before int64
	if err := tx.QueryRowContext(ctx, `SELECT published_revision FROM releases WHERE id = ?`, release).Scan(&before); err != nil {
		return err
	}
	if revision > before {
		if _, err := tx.ExecContext(ctx, `UPDATE releases SET published_revision = ?, fault = '' WHERE id = ?`, revision, release); err != nil {
			return err
		}
	}
	if before == 0 { // it is rendered by this program
		if _, err := tx.ExecContext(ctx, `UPDATE releases SET renderer = ? WHERE id = ?`, layout.Renderer, release); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE publications SET published_at = ? WHERE release_id = ? AND revision = ? AND published_at IS NULL`,
		millis(now), release, revision); err != nil {
		return err
	}
	waiting, err := collect(ctx, tx, scanID, `SELECT upload_id FROM upload_releases WHERE release_id = ? AND revision > ? AND revision <= ? ORDER BY upload_id`,
		release, before, revision)
	if err != nil {
		return err
	}
	return finish(ctx, tx, waiting, now)
}

// finish gives their outcome to those uploads that are stored and wait for no release any more. They are
// locked first: of two transactions that publish the last two releases of an upload, the later one
// sees both.
func finish(ctx context.Context, tx *transaction, uploads []int64, now time.Time) error {
	slices.Sort(uploads)
	for some := range slices.Chunk(uploads, 500) {
		where, ids := in("id", some)
		if tx.forUpdate != "" {
			if _, err := collect(ctx, tx, scanID, `SELECT id FROM uploads WHERE `+where+` ORDER BY id`+tx.forUpdate, ids...); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE uploads SET state = outcome, finished_at = ? WHERE state = ? AND `+where+`
			AND NOT EXISTS (SELECT 1 FROM upload_releases w JOIN releases r ON r.id = w.release_id
				WHERE w.upload_id = uploads.id AND w.revision > r.published_revision)`,
			append([]any{millis(now), catalog.Stored}, ids...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Fault records why a publish of a release came to nothing, for people. The next one that succeeds clears it.
func (d *DB) Fault(ctx context.Context, r catalog.Release, why string) error {
	return d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE releases SET fault = ? WHERE id = ?`, why, id)
		return err
	})
}
