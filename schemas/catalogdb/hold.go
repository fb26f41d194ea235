package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// A Hold is somebody's word to publish a release soon, so that others wait with theirs.
type Hold struct {
	Holder string    // empty: nobody's
	Until  time.Time // whatever happens to the holder
}

// By reports whether somebody else than holder has the release at a time.
func (h Hold) By(holder string, now time.Time) bool {
	return h.Holder != "" && h.Holder != holder && now.Before(h.Until)
}

// Hold makes a release the holder's for a while, or for longer if it is already, and reports whether it
// is. Whoever ignores that does no harm: the pointer's swap decides.
func (d *DB) Hold(ctx context.Context, r catalog.Release, holder string, length time.Duration, now time.Time) (held bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		h, err := hold(ctx, tx, id)
		if held = err == nil && !h.By(holder, now); !held {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM release_holds WHERE release_id = ?`, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO release_holds (release_id, holder, held_until) VALUES (?, ?, ?)`, id, holder, millis(now.Add(length)))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("hold %s: %w", r, err)
	}
	return held, nil
}

// LetGo ends a hold. A repeat changes nothing.
func (d *DB) LetGo(ctx context.Context, r catalog.Release, holder string) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM release_holds WHERE release_id = ? AND holder = ?`, id, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("let go of %s: %w", r, err)
	}
	return nil
}

// hold reads who has a release.
func hold(ctx context.Context, q querier, release int64) (h Hold, err error) {
	var until int64
	err = q.QueryRowContext(ctx, `SELECT holder, held_until FROM release_holds WHERE release_id = ?`, release).Scan(&h.Holder, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return Hold{}, nil
	}
	h.Until = instant(until)
	return h, err
}
