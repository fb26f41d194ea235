package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var (
	// ErrTrainPublished is returned for a release train that was published before.
	ErrTrainPublished = errors.New("the train is published already")
	// ErrTrainGoing is returned for a release train under embargo whose files are being copied to their public keys. It is published as
	// soon as they are, unless it is dropped.
	ErrTrainGoing = errors.New("the files of the train are being copied to their public keys")
	// ErrTrainMoved is returned by [DB.PublishTrain] if an upload of the train was not among those that were checked: read the train,
	// check it, and call again.
	ErrTrainMoved = errors.New("the train has other uploads by now")
)

// A TrainRefusal is the error for a release train that cannot be published as it is.
type TrainRefusal struct{ Faults []string }

// Error implements error.
func (r *TrainRefusal) Error() string { return strings.Join(catalog.FewFaults(r.Faults), "; ") }

// A TrainAsk is the wish to publish a release train.
type TrainAsk struct {
	At time.Time // zero for now

	// Planned is the digest of a plan ([catalog.TrainName.Plan]); if it is not empty, the train is published as that says, or not.
	// Check compares the uploads of the train with it, in the transaction. It may be called again; an error of it is returned.
	Planned string
	Check   func(members []catalog.TrainMember) error
}

// AskTrain asks workers, in the name of the context's actor, to publish a release train. It
// replaces what was asked before. The error wraps [ErrNotFound], [ErrTrainPublished] or [ErrTrainGoing]; it is a [TrainRefusal] if the train is to be
// published now and cannot be. Then nothing changes.
func (d *DB) AskTrain(ctx context.Context, n catalog.TrainName, a TrainAsk) error {
	return d.changeTrain(ctx, n, func(tx *transaction, row trainRow, now time.Time) error {
		if row.train.Copying && !a.At.IsZero() {
			return ErrTrainGoing
		}
		members, err := trainMembers(ctx, tx, row.id)
		if err != nil {
			return err
		}
		if a.Check != nil {
			if err := a.Check(membersOf(members)); err != nil {
				return err
			}
		}
		faults := TrainFaults(row.train, membersOf(members))
		at, detail := a.At, "at "+a.At.UTC().Format(time.RFC3339)
		if at.IsZero() {
			if at, detail = now, "now"; len(faults) > 0 {
				return &TrainRefusal{faults}
			}
		}
		by := catalog.ActorOf(ctx)
		if was := row.train.NotBefore; was != nil && (was.Equal(at) || detail == "now" && !was.After(now)) && row.train.By == cut(by.User, maxUser) && row.train.Why == by.Why && row.train.Planned == a.Planned {
			return nil // asked for already, perhaps by an earlier try of this
		}
		_, err = tx.ExecContext(ctx, `UPDATE trains SET not_before = ?, planned = ?, actor = ?, why = ?, job = ?, attempts = 0, fault = '[]' WHERE id = ?`,
			millis(at), a.Planned, cut(by.User, maxUser), by.Why, cut(by.Job, maxJob), row.id)
		if err != nil {
			return err
		}
		return recordTrain(ctx, tx, now, catalog.ActionTrainAsk, row.train, members, detail)
	})
}

// CancelTrain takes back what [DB.AskTrain] asked for, and reports whether anything was asked for.
func (d *DB) CancelTrain(ctx context.Context, n catalog.TrainName) (cancelled bool, err error) {
	err = d.changeTrain(ctx, n, func(tx *transaction, row trainRow, now time.Time) error {
		switch {
		case row.train.NotBefore == nil:
			return nil // cancelled by an earlier try, if any
		case row.train.Copying:
			return ErrTrainGoing
		}
		cancelled = true
		members, err := trainMembers(ctx, tx, row.id)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE trains SET not_before = NULL WHERE id = ?`, row.id)
		}
		if err != nil {
			return err
		}
		return recordTrain(ctx, tx, now, catalog.ActionTrainCancel, row.train, members, "")
	})
	return cancelled, err
}

// changeTrain calls change with a release train that is not published, locked. now is the time of the database's clock.
func (d *DB) changeTrain(ctx context.Context, n catalog.TrainName, change func(tx *transaction, row trainRow, now time.Time) error) error {
	err := d.tx(ctx, func(tx *transaction) error {
		row, err := findTrain(ctx, tx, n, tx.forUpdate)
		if err != nil {
			return err
		}
		if row.train.State == catalog.TrainGone {
			return ErrTrainPublished
		}
		var now time.Time
		if err := tx.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now)); err != nil {
			return err
		}
		return change(tx, row, now)
	})
	if err != nil {
		return fmt.Errorf("release train %s: %w", n, err)
	}
	return nil
}

// recordTrain records an entry of the audit log in each repository that has uploads in a release train. Under embargo, repositories
// read of its publish alone.
func recordTrain(ctx context.Context, tx *transaction, now time.Time, action catalog.Action, t catalog.Train, members []memberRow, detail string) error {
	n, hidden := t.Train, t.Embargo && action != catalog.ActionTrainPublish
	counts := map[catalog.Repository]int{}
	for _, row := range members {
		if k := row.member.Package; k != nil && row.member.State == catalog.Held && !hidden {
			counts[k.Repository]++
		}
	}
	var entries []catalog.AuditEntry
	for _, r := range slices.SortedFunc(maps.Keys(counts), func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) }) {
		entries = append(entries, trainEntry(action, layout.Staged{Repository: r}, n, strings.TrimSpace(fmt.Sprintf("(%d packages) %s", counts[r], detail))))
	}
	if len(entries) == 0 {
		if hidden {
			detail = strings.TrimSpace(fmt.Sprintf("(%d uploads under embargo) %s", len(members), detail))
		}
		entries = append(entries, catalog.AuditEntry{Action: action, Target: n.Owner, Detail: strings.TrimSpace("train " + n.String() + " " + detail)})
	}
	return record(ctx, tx, now, entries...)
}

// DueTrains returns the release trains that are to be published by now, by the database's clock, oldest first.
func (d *DB) DueTrains(ctx context.Context) (due []catalog.TrainName, err error) {
	err = d.ask(ctx, func(q querier) error {
		var now time.Time
		if err := q.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now)); err != nil {
			return err
		}
		due, err = collect(ctx, q, func(scan func(...any) error) (n catalog.TrainName, err error) {
			return n, scan(&n.Owner, &n.Name)
		}, `SELECT owner, name FROM trains WHERE not_before <= ? AND state = ? ORDER BY not_before, id`, millis(now), catalog.TrainOpen)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which release trains are due: %w", err)
	}
	return due, nil
}

// PublishTrain makes all packages of a release train active, in one transaction that issues one revision for each release that
// changes: from then on they are published as those of any upload. dirs has, for each held upload whose files were found in the
// bucket, the RPM directories that have the file. If the train is not due, because it was published, dropped or postponed since,
// nothing changes and committed is false. If something is missing, nothing changes but that the train is not to be published any
// more, and says why: the error is a [TrainRefusal]. It wraps [ErrTrainMoved] or [ErrDirectoryAdded] for what has to be checked again.
// A train under embargo has to have begun ([DB.BeginTrainCopies]); dirs then has the uploads whose files are copied.
func (d *DB) PublishTrain(ctx context.Context, n catalog.TrainName, dirs map[catalog.Upload][]string) (committed bool, err error) {
	var refused *TrainRefusal
	err = d.tx(ctx, func(tx *transaction) error {
		committed, refused = false, nil
		row, now, err := d.dueTrain(ctx, tx, n)
		if err != nil || row.id == 0 {
			return err
		}
		if row.train.Embargo && (!row.train.Copying || row.train.TakingBack) {
			return ErrTrainMoved
		}
		rows, stored, err := readDue(ctx, tx, row, dirs)
		if err != nil {
			return err
		}
		if faults := TrainFaults(row.train, membersOf(rows)); len(faults) > 0 {
			refused = &TrainRefusal{faults}
			return refuseTrain(ctx, tx, row, rows, faults, now)
		}
		releases, err := lockReleasesOf(ctx, tx, stored)
		if err != nil {
			return err
		}
		if rows, stored, err = readDue(ctx, tx, row, dirs); err != nil { // as they are under the locks
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
		committed = true
		return commitTrain(ctx, tx, row, rows, stored, releases, now)
	})
	if err != nil {
		return false, fmt.Errorf("publish release train %s: %w", n, err)
	}
	if refused != nil {
		return false, refused
	}
	return committed, nil
}

// dueFaults returns why a release train cannot be published now, as sentences for people; none if it can.
func dueFaults(ctx context.Context, q querier, row trainRow, rows []memberRow, stored []Stored) (faults []string, err error) {
	if faults = TrainFaults(row.train, membersOf(rows)); len(faults) > 0 {
		return faults, nil
	}
	if faults, err = trainVariantFaults(ctx, q, row.train.Train, stored); err != nil || len(faults) > 0 {
		return faults, err
	}
	return offPlan(row.train, rows, stored)
}

// offPlan returns why a train is not as the plan says that is to be published; nothing if it is, or there is no plan.
func offPlan(t catalog.Train, rows []memberRow, stored []Stored) (faults []string, err error) {
	if t.Planned == "" {
		return nil, nil
	}
	replaces := map[catalog.Upload][]catalog.Package{}
	for _, row := range rows {
		replaces[row.member.Upload] = row.member.Replaces
	}
	var items []catalog.PlanItem
	for _, s := range stored {
		items = append(items, catalog.TrainItems(s.Package, replaces[s.Upload], s.Dirs)...)
	}
	p, err := t.Train.Plan(items)
	if err == nil && p.Digest != t.Planned {
		faults = []string{"it does not hold, or take the place of, what its plan says any more: make a new plan, and apply that"}
	}
	return faults, err
}

// dueTrain returns a release train, locked, if it is to be published by now, with who asked for that as the actor; else no row.
func (d *DB) dueTrain(ctx context.Context, tx *transaction, n catalog.TrainName) (row trainRow, now time.Time, err error) {
	if row, err = findTrain(ctx, tx, n, tx.forUpdate); errors.Is(err, ErrNotFound) {
		return trainRow{}, now, nil
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now))
	}
	if err != nil {
		return trainRow{}, now, err
	}
	if t := row.train; t.State != catalog.TrainOpen || t.NotBefore == nil || t.NotBefore.After(now) {
		return trainRow{}, now, nil
	}
	return row, now, nil
}

// readDue returns the uploads of a release train, and those that are held as what is to be stored.
func readDue(ctx context.Context, tx *transaction, row trainRow, dirs map[catalog.Upload][]string) (rows []memberRow, stored []Stored, err error) {
	if rows, err = trainMembers(ctx, tx, row.id); err != nil {
		return nil, nil, err
	}
	for _, m := range rows {
		if m.member.State != catalog.Held || m.member.Package == nil {
			continue
		}
		in, checked := dirs[m.member.Upload]
		if !checked {
			return nil, nil, ErrTrainMoved
		}
		stored = append(stored, Stored{Upload: m.member.Upload, Package: *m.member.Package, Dirs: in})
	}
	return rows, stored, nil
}

// refuseTrain records why a release train is not published. It stays open, and is not tried again by itself. The copies of one under
// embargo, if they were begun, are removed first ([DB.EndTakingBack]).
func refuseTrain(ctx context.Context, tx *transaction, row trainRow, rows []memberRow, faults []string, now time.Time) error {
	faults = catalog.FewFaults(faults)
	if row.train.Copying {
		_, err := tx.ExecContext(ctx, `UPDATE trains SET copying = ?, attempts = attempts + 1, fault = ? WHERE id = ?`, trainTakingBack, catalog.FaultsText(faults), row.id)
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE trains SET not_before = NULL, fault = ? WHERE id = ?`, catalog.FaultsText(faults), row.id); err != nil {
		return err
	}
	// Those who may look into one of the repositories read what has its name: the reasons may be of another one.
	return recordTrain(ctx, tx, now, catalog.ActionTrainRefuse, row.train, rows, fmt.Sprintf("for %d reasons, which repomill train show prints", len(faults)))
}

// RefuseTrain records why a release train that is due cannot be published, unless it is not due any more. It reports whether it was
// due.
func (d *DB) RefuseTrain(ctx context.Context, n catalog.TrainName, faults []string) (refused bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		row, now, err := d.dueTrain(ctx, tx, n)
		if err != nil || row.id == 0 {
			return err
		}
		refused = true
		rows, err := trainMembers(ctx, tx, row.id)
		if err != nil {
			return err
		}
		return refuseTrain(ctx, tx, row, rows, faults, now)
	})
	return refused, err
}

// RecordTrainFault records the fault of a resource in an attempt to publish a release train that is due. It is tried again.
func (d *DB) RecordTrainFault(ctx context.Context, n catalog.TrainName, why string) error {
	return d.exec(ctx, `UPDATE trains SET attempts = attempts + 1, fault = ? WHERE owner = ? AND name = ? AND state = ? AND not_before IS NOT NULL`,
		catalog.FaultsText([]string{why}), n.Owner, n.Name, catalog.TrainOpen)
}

// TrainSpread returns which releases of a published train clients see with its packages, and when the first and the last became so.
// Each counts from the first publish that had them.
func (d *DB) TrainSpread(ctx context.Context, n catalog.TrainName) (s catalog.TrainSpread, err error) {
	type release struct {
		published sql.NullInt64
		visible   bool
	}
	all, err := list(ctx, d, func(scan func(...any) error) (r release, err error) {
		return r, scan(&r.published, &r.visible)
	}, `SELECT (SELECT MIN(b.published_at) FROM publications b WHERE b.release_id = r.id AND b.revision >= x.revision AND b.published_at IS NOT NULL),
			r.published_revision >= x.revision
		FROM (SELECT w.release_id, MAX(w.revision) AS revision FROM trains t JOIN train_uploads m ON m.train_id = t.id JOIN upload_releases w ON w.upload_id = m.upload_id
			WHERE t.owner = ? AND t.name = ? GROUP BY w.release_id) x JOIN releases r ON r.id = x.release_id`, n.Owner, n.Name)
	if err != nil {
		return s, fmt.Errorf("read when release train %s became visible: %w", n, err)
	}
	s.Releases = len(all)
	for _, r := range all {
		if r.visible {
			s.Visible++
		}
		at := optional(r.published)
		if at == nil {
			continue
		}
		if s.First == nil || at.Before(*s.First) {
			s.First = at
		}
		if s.Last == nil || at.After(*s.Last) {
			s.Last = at
		}
	}
	return s, nil
}
