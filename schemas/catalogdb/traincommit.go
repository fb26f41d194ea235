package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// commitTrain makes the packages of a release train active.
func commitTrain(ctx context.Context, tx *transaction, row trainRow, rows []memberRow, stored []Stored, releases map[distributionKey][]releaseRow, now time.Time) error {
	var changes []packageChange
	outcomes := map[catalog.UploadState][]int64{} // ids of uploads
	seen := map[int64]bool{}                      // packages: one that was pushed twice has two uploads
	var packages []int64
	rows = slices.DeleteFunc(slices.Clone(rows), func(m memberRow) bool { return m.member.State != catalog.Held })
	for i, m := range rows {
		showing, err := releasesShowing(stored[i], releases[distributionOf(stored[i])])
		if err != nil {
			return fmt.Errorf("%s: %w", m.member.Upload, err)
		}
		outcome := catalog.Duplicate
		if !seen[m.pkg] {
			seen[m.pkg], outcome = true, catalog.Published
			packages = append(packages, m.pkg)
		}
		outcomes[outcome] = append(outcomes[outcome], m.id)
		changes = append(changes, packageChange{upload: m.id, pkg: m.pkg, releases: showing, changed: outcome == catalog.Published})
	}
	for some := range slices.Chunk(packages, selectChunk) {
		where, args := in("id", some)
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, embargo = '' WHERE state = ? AND `+where, append([]any{catalog.Active, catalog.Reserved}, args...)...); err != nil {
			return err
		}
	}
	for _, outcome := range []catalog.UploadState{catalog.Published, catalog.Duplicate} {
		for some := range slices.Chunk(outcomes[outcome], selectChunk) {
			where, args := in("id", some)
			_, err := tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '' WHERE state = ? AND `+where,
				append([]any{catalog.Stored, outcome, catalog.Held}, args...)...)
			if err != nil {
				return err
			}
		}
	}
	if row.train.Embargo {
		if err := disclose(ctx, tx, rows); err != nil {
			return err
		}
	}
	gone, err := replaceByTrain(ctx, tx, rows, stored, releases, now)
	if err != nil {
		return err
	}
	if err := recordActivation(ctx, tx, append(changes, gone...), now); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE trains SET state = ?, ended_at = ?, not_before = NULL, copying = 0, fault = '[]' WHERE id = ?`, catalog.TrainGone, millis(now), row.id)
	if err != nil {
		return err
	}
	return recordTrain(asked(ctx, row), tx, now, catalog.ActionTrainPublish, row.train, rows, "")
}

// asked returns a context in which who asked for a release train to be published is the actor.
func asked(ctx context.Context, row trainRow) context.Context {
	return catalog.WithActor(ctx, catalog.Actor{User: row.train.By, Why: row.train.Why, Job: row.job})
}
