package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// AskRuledSnapshots asks for the snapshots that the rules of repositories want of the present period, and for the deletion of those that
// were taken by a rule before the newest ones which it keeps. Several workers ask for one. A repository without releases has none.
func (d *DB) AskRuledSnapshots(ctx context.Context, now time.Time) error {
	ruled, err := list(ctx, d, scanRepository, `SELECT `+repositoryColumns+` FROM repositories WHERE snapshot_rule <> '[]' ORDER BY id`)
	for _, row := range ruled {
		if err == nil {
			err = d.askRuled(ctx, row, now)
		}
	}
	if err != nil {
		return fmt.Errorf("take snapshots by rules: %w", err)
	}
	return nil
}

func (d *DB) askRuled(ctx context.Context, row repositoryRow, now time.Time) error {
	rule := row.settings.Snapshots
	slot := "/" + string(rule.Every) + "/" + layout.SnapshotID(rule.Every.Begin(now))
	there, err := list(ctx, d, scanID, `SELECT id FROM snapshots WHERE repository_id = ? AND slot = ?`, row.id, slot)
	if err == nil && len(there) == 0 {
		s := catalog.Snapshot{Target: catalog.PackageTarget{Repository: row.settings.Repository}, Automatic: true}
		_, err = d.askSnapshot(catalog.WithActor(ctx, catalog.Actor{Why: "snapshots " + rule.String()}), s, slot, now)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) || errors.Is(err, ErrDeleted) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	kept, err := list(ctx, d, scanID, `SELECT id FROM snapshots WHERE repository_id = ? AND automatic <> 0 AND state = ? ORDER BY id DESC`, row.id, catalog.SnapshotKept)
	for _, number := range kept[min(rule.Keep, len(kept)):] {
		if err == nil {
			err = d.tx(ctx, func(tx *transaction) error {
				return askSnapshotDeletion(ctx, tx, number, now, fmt.Sprintf("the newest %d are kept", rule.Keep))
			})
		}
	}
	if errors.Is(err, ErrNotFound) {
		return nil // another worker was faster
	}
	return err
}
