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

// issueNext draws a new revision and nonce for a release, the next above the present one, and keeps the pair.
func issueNext(ctx context.Context, tx *transaction, release int64, now time.Time) (int64, error) {
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET revision = revision + 1 WHERE id = ?`, release); err != nil {
		return 0, err
	}
	var revision int64
	if err := tx.QueryRowContext(ctx, `SELECT revision FROM releases WHERE id = ?`, release).Scan(&revision); err != nil {
		return 0, err
	}
	return revision, issue(ctx, tx, release, catalog.Revision{Number: revision, Nonce: random()}, now)
}

// issue gives a release a new pair, and keeps it.
func issue(ctx context.Context, tx *transaction, release int64, revision catalog.Revision, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET revision = ?, nonce = ? WHERE id = ?`, revision.Number, revision.Nonce, release); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO publications (release_id, revision, nonce, drawn_at) VALUES (?, ?, ?, ?)`,
		release, revision.Number, revision.Nonce, millis(now))
	return err
}

// raiseGeneration begins another generation of a release ([Snapshot.Generation]).
func raiseGeneration(ctx context.Context, tx *transaction, release int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE releases SET generation = generation + 1 WHERE id = ?`, release)
	return err
}

// RaiseGeneration draws the next revision of a release whose rows are as they were, in another generation: they are rendered whole
// and published again. It returns the pair, and whether it was drawn: if the release is not at the pair at any more, another
// process was faster, and nothing changes.
func (d *DB) RaiseGeneration(ctx context.Context, r catalog.Release, at catalog.Revision, now time.Time) (revision catalog.Revision, drawn bool, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		revision, drawn = catalog.Revision{}, false
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT revision, nonce FROM releases WHERE id = ?`, id).Scan(&revision.Number, &revision.Nonce)
		if drawn = revision.Nonce == nonce; err != nil || drawn || revision != at { // drawn: by an earlier try
			return err
		}
		revision, drawn = catalog.Revision{Number: revision.Number + 1, Nonce: nonce}, true
		if err := issue(ctx, tx, id, revision, now); err != nil {
			return err
		}
		return raiseGeneration(ctx, tx, id)
	})
	if err != nil {
		return revision, false, fmt.Errorf("draw a revision of %s: %w", r, err)
	}
	return revision, drawn, nil
}

// KnowsRevision reports whether this catalog drew a pair for a release, or took over what was published under
// it. If it did not, somebody else published it, or this catalog was restored from an old copy: [DB.Recover].
func (d *DB) KnowsRevision(ctx context.Context, r catalog.Release, revision catalog.Revision) (known bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		id, err := releaseID(ctx, q, r)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			known, err = knowsRevision(ctx, q, id, revision)
		}
		return err
	})
	return known, err
}

func knowsRevision(ctx context.Context, q querier, release int64, revision catalog.Revision) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM publications WHERE release_id = ? AND revision = ? AND nonce = ?)
		+ (SELECT COUNT(*) FROM foreign_pairs WHERE release_id = ? AND revision = ? AND nonce = ?)`,
		release, revision.Number, revision.Nonce, release, revision.Number, revision.Nonce).Scan(&n)
	return n > 0, err
}

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
	return finishUploads(ctx, tx, waiting, now)
}

// finishUploads gives their outcome to those uploads that are stored and wait for no release any more. They are
// locked first: of two transactions that publish the last two releases of an upload, the later one
// sees both.
func finishUploads(ctx context.Context, tx *transaction, uploads []int64, now time.Time) error {
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

// RecordReleaseFault records why a publish of a release came to nothing, for people. The next one that succeeds clears it.
func (d *DB) RecordReleaseFault(ctx context.Context, r catalog.Release, why string) error {
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
