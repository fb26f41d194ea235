package catalogdb

import (
	"context"
	"fmt"
	"slices"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The column copying of a release train.
const (
	trainStill      = 0
	trainCopying    = 1 // files are on their way to their public keys
	trainTakingBack = 2 // it was refused then: the copies are being removed
)

// BeginTrainCopies records that the files of a release train under embargo, which is due, are copied to their public keys from now on.
// dirs has the uploads whose files were found in the bucket, as in [DB.PublishTrain]. From then on the train takes no uploads, and only a drop, or a
// refusal by [DB.PublishTrain], keeps it from being published. It reports false for a train that is not due any more. The error is a [TrainRefusal] if something is missing: then
// the train is not to be published any more, and says why. It wraps [ErrTrainMoved] if an upload was not checked. A repeat changes nothing.
func (d *DB) BeginTrainCopies(ctx context.Context, n catalog.TrainName, dirs map[catalog.Upload][]string) (begun bool, err error) {
	var refused *TrainRefusal
	err = d.tx(ctx, func(tx *transaction) error {
		begun, refused = false, nil
		row, now, err := d.dueTrain(ctx, tx, n)
		if err != nil || row.id == 0 || row.train.TakingBack {
			return err
		}
		rows, stored, err := readDue(ctx, tx, row, dirs)
		if err != nil {
			return err
		}
		faults, err := dueFaults(ctx, tx, row, rows, stored)
		if err != nil {
			return err
		}
		if len(faults) > 0 {
			refused = &TrainRefusal{faults}
			return refuseTrain(ctx, tx, row, rows, faults, now)
		}
		begun = true
		_, err = tx.ExecContext(ctx, `UPDATE trains SET copying = ? WHERE id = ?`, trainCopying, row.id)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("begin to copy release train %s: %w", n, err)
	}
	if refused != nil {
		return false, refused
	}
	return begun, nil
}

// EndTakingBack records that no copy of the files of a refused release train lies under a public key any more: the train is open again, and is
// not to be published before someone asks. A repeat changes nothing.
func (d *DB) EndTakingBack(ctx context.Context, n catalog.TrainName) error {
	err := d.tx(ctx, func(tx *transaction) error {
		row, now, err := d.dueTrain(ctx, tx, n)
		if err != nil || row.id == 0 || !row.train.TakingBack {
			return err
		}
		rows, err := trainMembers(ctx, tx, row.id)
		if err != nil {
			return err
		}
		row.train.Copying = false
		if _, err := tx.ExecContext(ctx, `UPDATE trains SET copying = ? WHERE id = ?`, trainStill, row.id); err != nil {
			return err
		}
		return refuseTrain(ctx, tx, row, rows, row.train.Faults, now)
	})
	if err != nil {
		return fmt.Errorf("open release train %s again: %w", n, err)
	}
	return nil
}

// disclose shows the uploads of a train that was under embargo among those of their repositories.
func disclose(ctx context.Context, tx *transaction, rows []memberRow) error {
	of := map[string][]int64{}
	for _, m := range rows {
		open, _ := layout.CutEmbargo(m.member.Upload.Object)
		of[repositoryOf(open)] = append(of[repositoryOf(open)], m.id)
	}
	for repository, ids := range of {
		for some := range slices.Chunk(ids, selectChunk) {
			where, args := in("id", some)
			if _, err := tx.ExecContext(ctx, `UPDATE uploads SET repository = ? WHERE `+where, append([]any{repository}, args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// Embargoes returns the random names under which the files of packages under embargo lie. A name that is not among them a while after
// its file was written is that of no package.
func (d *DB) Embargoes(ctx context.Context) (map[string]bool, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (s string, err error) { return s, scan(&s) }, `SELECT embargo FROM packages WHERE embargo <> ''`)
	if err != nil {
		return nil, fmt.Errorf("list embargoes: %w", err)
	}
	names := map[string]bool{}
	for _, s := range all {
		names[s] = true
	}
	return names, nil
}

// below returns the condition on the uploads u below a staging prefix, empty for all, without those that are under embargo.
func below(prefix string) (where string, args []any) {
	const end = "\xff" // no UTF-8 has this byte
	disclosed := []any{catalog.Stored, catalog.Published, catalog.Duplicate}
	if prefix == "" {
		return `(u.object < ? OR u.object >= ? OR u.state IN (?, ?, ?))`, append([]any{layout.StagedEmbargo, layout.StagedEmbargo + end}, disclosed...)
	}
	hidden := layout.EmbargoedStaging(prefix)
	return `(u.object >= ? AND u.object < ? OR u.object >= ? AND u.object < ? AND u.state IN (?, ?, ?))`,
		append([]any{prefix, prefix + end, hidden, hidden + end}, disclosed...)
}

// heldElsewhere returns the row of another component that a release train holds under the name, version and architecture of k, and
// whether there is one that keeps k out: also one with the same bytes, of which the pusher of an upload for another train, or for none,
// must not learn that they are the same.
func heldElsewhere(ctx context.Context, tx *transaction, k catalog.Package, by catalog.Upload) (holder catalog.Package, held bool, err error) {
	if k.Variant != "" { // other bytes do not keep it out either
		return k, false, nil
	}
	rows, err := namesakes(ctx, tx, k)
	for _, row := range rows {
		if row.pkg.State != catalog.Reserved {
			continue
		}
		var n int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM uploads h JOIN train_uploads m ON m.upload_id = h.id WHERE h.package_id = ? AND h.state = ? AND m.train_id IN
			(SELECT o.train_id FROM train_uploads o JOIN uploads u ON u.id = o.upload_id WHERE u.bucket = ? AND u.object = ? AND u.generation = ?)`,
			row.id, catalog.Held, by.Bucket, by.Object, by.Generation).Scan(&n)
		if err != nil || n == 0 {
			return row.pkg, err == nil, err
		}
	}
	return k, false, err
}
