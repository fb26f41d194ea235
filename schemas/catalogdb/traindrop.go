package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A TrainDrop says what is dropped from a release train.
type TrainDrop struct {
	All      bool // the whole train
	Rejected bool // what was rejected, or has been withdrawn since it was pushed
	Patterns []catalog.Pattern
}

// has reports whether an upload is dropped.
func (w TrainDrop) has(m catalog.TrainMember) bool {
	switch m.State {
	case catalog.Held:
		if w.All {
			return true
		}
	case catalog.Duplicate: // the train forgets it, and it stays as it is
		if w.Rejected && withdrawnSince(m) {
			return true
		}
	default:
		return m.State == catalog.Rejected && m.Reason != catalog.DroppedFromTrain && (w.All || w.Rejected)
	}
	return m.Package != nil && slices.ContainsFunc(w.Patterns, func(p catalog.Pattern) bool { return p.Matches(*m.Package) })
}

// unmatched returns the first pattern that matches no package which is held, or was published before.
func (w TrainDrop) unmatched(members []catalog.TrainMember) (none catalog.Pattern, found bool) {
	for _, p := range w.Patterns {
		if !slices.ContainsFunc(members, func(m catalog.TrainMember) bool {
			return (m.State == catalog.Held || m.State == catalog.Duplicate) && m.Package != nil && p.Matches(*m.Package)
		}) {
			return p, true
		}
	}
	return none, false
}

// An UnmatchedError is returned for a pattern that selects nothing.
type UnmatchedError struct{ Pattern catalog.Pattern }

// Error implements error.
func (e *UnmatchedError) Error() string { return "it holds no " + e.Pattern.String() }

// ErrTrainBusy is returned for a release train that cannot be dropped whole yet: uploads of it are being read.
var ErrTrainBusy = errors.New("files of the train are still being read")

// ErrNothingHeld is returned for a release train all of whose packages are published, although its row does not say that the train is:
// the catalog was lost, and found the train in staging.
var ErrNothingHeld = errors.New("all packages of the train are published already")

// Dropped returns the uploads that a drop takes out of a release train. The error is that of [DB.DropTrain].
func (w TrainDrop) Dropped(members []catalog.TrainMember) (dropped []catalog.TrainMember, err error) {
	if p, none := w.unmatched(members); none {
		return nil, &UnmatchedError{p}
	}
	for _, m := range members {
		if w.All && m.State == catalog.Received {
			return nil, ErrTrainBusy
		}
		if w.has(m) {
			dropped = append(dropped, m)
		}
	}
	if w.All && len(dropped) == 0 && slices.ContainsFunc(members, isOut) {
		return nil, ErrNothingHeld
	}
	return dropped, nil
}

// isOut reports whether the package of an upload is published.
func isOut(m catalog.TrainMember) bool {
	return m.State == catalog.Stored || m.State == catalog.Published || m.State == catalog.Duplicate
}

// DropTrain takes uploads out of a release train, in the name of the context's actor, and returns them. Those that were held are
// rejected; workers remove the files of their packages, and then their identities are free. The error wraps [ErrNotFound],
// [ErrTrainPublished], [ErrTrainBusy] or [ErrNothingHeld], or is an [UnmatchedError]: then nothing changes.
func (d *DB) DropTrain(ctx context.Context, n catalog.TrainName, w TrainDrop) (dropped []catalog.TrainMember, err error) {
	tried := map[int64]bool{}
	err = d.changeTrain(ctx, n, func(tx *transaction, row trainRow, now time.Time) error {
		rows, err := trainMembers(ctx, tx, row.id)
		if err != nil {
			return err
		}
		if len(tried) > 0 && !slices.ContainsFunc(rows, func(m memberRow) bool { return tried[m.id] && w.has(m.member) }) {
			return nil // an earlier try went through
		}
		if dropped, err = w.Dropped(membersOf(rows)); err != nil {
			return err
		}
		if len(dropped) == 0 && row.train.State == catalog.TrainDropped {
			return nil // it was before
		}
		out := slices.DeleteFunc(slices.Clone(rows), func(m memberRow) bool { return !w.has(m.member) })
		if row.train.State == catalog.TrainDropped && len(out) == 0 {
			return nil // by an earlier call: it is recorded
		}
		clear(tried)
		for _, m := range out {
			tried[m.id] = true
		}
		if err := dropMembers(ctx, tx, n, out, now); err != nil {
			return err
		}
		if w.All {
			_, err = tx.ExecContext(ctx, `UPDATE trains SET state = ?, ended_at = ?, not_before = NULL, copying = 0, fault = '[]' WHERE id = ?`, catalog.TrainDropped, millis(now), row.id)
		}
		if err != nil || len(out) == 0 && !w.All {
			return err
		}
		detail := "some of it"
		if w.All {
			detail = "all of it"
		}
		return recordTrain(ctx, tx, now, catalog.ActionTrainDrop, row.train, out, detail)
	})
	return dropped, err
}

// dropMembers rejects held uploads, forgets rejected ones and those whose packages were published before, and has the files of the packages removed that no other upload holds.
func dropMembers(ctx context.Context, tx *transaction, n catalog.TrainName, rows []memberRow, now time.Time) error {
	why := "it was dropped from release train " + n.String()
	if by := catalog.ActorOf(ctx); by.Why != "" {
		why += ": " + by.Why
	}
	var held, forgotten, packages []int64
	for _, m := range rows {
		if m.member.State != catalog.Held {
			forgotten = append(forgotten, m.id)
			continue
		}
		held = append(held, m.id)
		if m.pkg != 0 {
			packages = append(packages, m.pkg)
		}
	}
	for _, s := range []struct {
		ids    []int64
		column string
		query  string
		args   []any
	}{
		{held, "id", `UPDATE uploads SET state = ?, reason = ?, detail = ?, finished_at = ?, staged = CASE WHEN staged = ? THEN ? ELSE staged END WHERE `,
			[]any{catalog.Rejected, catalog.DroppedFromTrain, why, millis(now), objectKept, objectDoomed}},
		{forgotten, "upload_id", `DELETE FROM train_uploads WHERE `, nil},
		{packages, "id", `UPDATE packages SET state = ?, removed = ?, yanked_at = ? WHERE state = ? AND `, []any{catalog.Dropped, fileUrgent, millis(now), catalog.Reserved}},
	} {
		for some := range slices.Chunk(s.ids, selectChunk) {
			where, args := in(s.column, some)
			if _, err := tx.ExecContext(ctx, s.query+where, append(slices.Clone(s.args), args...)...); err != nil {
				return fmt.Errorf("drop from release train: %w", err)
			}
		}
	}
	return nil
}

// forgetDropped deletes the row of a package that was dropped from its release train, and whose files are removed.
func forgetDropped(ctx context.Context, tx *transaction, pkg int64) error {
	if err := dropContents(ctx, tx, pkg); err != nil {
		return err
	}
	for _, query := range []string{`UPDATE uploads SET package_id = NULL WHERE package_id = ?`, `DELETE FROM packages WHERE id = ?`} {
		if _, err := tx.ExecContext(ctx, query, pkg); err != nil {
			return err
		}
	}
	return nil
}
