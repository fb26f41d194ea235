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

// issueNext issues the next revision of a release, with a new nonce, and returns its number.
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

// issue makes a revision the latest of a release, and records that this catalog issued it.
func issue(ctx context.Context, tx *transaction, release int64, revision catalog.Revision, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET revision = ?, nonce = ? WHERE id = ?`, revision.Number, revision.Nonce, release); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO publications (release_id, revision, nonce, drawn_at) VALUES (?, ?, ?, ?)`,
		release, revision.Number, revision.Nonce, millis(now))
	return err
}

// raiseGeneration raises the generation of a release ([Snapshot.Generation]).
func raiseGeneration(ctx context.Context, tx *transaction, release int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE releases SET generation = generation + 1 WHERE id = ?`, release)
	return err
}

// RaiseGeneration raises the generation of a release and issues its next revision, although its rows are unchanged:
// they are rendered whole and published again. It returns the new revision and true. If the latest revision is not
// at any more, because another process was faster, it returns the latest one and false, and nothing changes.
func (d *DB) RaiseGeneration(ctx context.Context, r catalog.Release, at catalog.Revision, now time.Time) (revision catalog.Revision, raised bool, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		revision, raised = catalog.Revision{}, false
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT revision, nonce FROM releases WHERE id = ?`, id).Scan(&revision.Number, &revision.Nonce)
		if raised = revision.Nonce == nonce; err != nil || raised || revision != at { // raised: by an earlier try
			return err
		}
		revision, raised = catalog.Revision{Number: revision.Number + 1, Nonce: nonce}, true
		if err := issue(ctx, tx, id, revision, now); err != nil {
			return err
		}
		if err := tx.keepPages(ctx, id); err != nil {
			return err
		}
		return raiseGeneration(ctx, tx, id)
	})
	if err != nil {
		return revision, false, fmt.Errorf("issue a revision of %s: %w", r, err)
	}
	return revision, raised, nil
}

// KnowsRevision reports whether this catalog issued a revision of a release, or imported what was published under
// it. If it did not, another catalog published it, or this catalog was restored from an old copy: see [DB.Recover].
// It knows no revision of a release that does not exist.
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

// Publish records that clients see a revision of a release, clears the release's fault, and finishes the uploads
// that waited for nothing else. The recorded revision never falls. A repeat changes nothing. The error wraps
// [ErrNotFound] for an unknown release.
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
	if err := recordSeen(ctx, tx, release, before, max(before, revision), now); err != nil {
		return err
	}
	waiting, err := collect(ctx, tx, scanID, `SELECT upload_id FROM upload_releases WHERE release_id = ? AND revision > ? AND revision <= ? ORDER BY upload_id`,
		release, before, revision)
	if err != nil {
		return err
	}
	return finishUploads(ctx, tx, waiting, now)
}

// finishUploads gives those uploads their final state that are stored and wait for no release any more. It locks
// them first: of two transactions that publish the last two releases of an upload, the later one sees both.
func finishUploads(ctx context.Context, tx *transaction, uploads []int64, now time.Time) error {
	slices.Sort(uploads)
	for chunk := range slices.Chunk(uploads, 500) {
		where, ids := in("id", chunk)
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

// RecordReleaseFault records why a publish of a release failed, for people. The next publish that succeeds clears
// it. An unknown release is ignored.
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
