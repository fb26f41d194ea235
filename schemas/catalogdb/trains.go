package catalogdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// trainColumns and scanTrain read a release train, the table t.
const trainColumns = `t.id, t.owner, t.name, t.state, t.embargo, t.copying <> 0, t.copying = 2, t.planned, t.opened_at, t.not_before, t.actor, t.why, t.job, t.attempts, t.fault, t.ended_at`

type trainRow struct {
	id    int64
	job   string // of who asked
	train catalog.Train
}

func scanTrain(scan func(...any) error) (row trainRow, err error) {
	t := &row.train
	var notBefore, ended sql.NullInt64
	var faults string
	err = scan(&row.id, &t.Train.Owner, &t.Train.Name, &t.State, &t.Embargo, &t.Copying, &t.TakingBack, &t.Planned, (*scanTime)(&t.Opened), &notBefore, &t.By, &t.Why, &row.job, &t.Attempts, &faults, &ended)
	if err == nil {
		err = json.Unmarshal([]byte(faults), &t.Faults)
	}
	t.NotBefore, t.Ended = optional(notBefore), optional(ended)
	return row, err
}

// findTrain returns a release train, locked if lock is that of a transaction, or [ErrNotFound].
func findTrain(ctx context.Context, q querier, n catalog.TrainName, lock string) (trainRow, error) {
	row, err := scanTrain(q.QueryRowContext(ctx, `SELECT `+trainColumns+` FROM trains t WHERE t.owner = ? AND t.name = ?`+lock, n.Owner, n.Name).Scan)
	return row, notFound(err)
}

// joinTrain records that a new upload, which has the lease with a token, is of the release train that its name has. The first one
// opens the train, and says whether that is under embargo. If the train is published already, or the upload is not under embargo as
// the train is, the upload is rejected.
func joinTrain(ctx context.Context, tx *transaction, u catalog.Upload, inserted sql.Result, token string, now time.Time) (string, catalog.UploadState, error) {
	upload, err := inserted.LastInsertId()
	if err != nil {
		return "", "", err
	}
	at, rej := layout.ParseStaging(u.Object)
	if rej != nil { // ingest says so
		return token, catalog.Received, nil
	}
	n := catalog.TrainName{Owner: at.Repository.Owner, Name: at.Train}
	row, err := findTrain(ctx, tx, n, tx.forUpdate)
	switch {
	case errors.Is(err, ErrNotFound):
		row.id, err = openTrain(ctx, tx, n, at, now)
	case err == nil && row.train.State == catalog.TrainGone:
		rej := catalog.Rejection{Reason: catalog.TrainPublished, Detail: fmt.Sprintf("release train %s was published on %s and takes no more packages: push without --train, or use another name",
			n, row.train.Ended.UTC().Format(time.DateTime+" MST"))}
		return "", catalog.Rejected, reject(ctx, tx, upload, rej, now)
	case err == nil && row.train.State == catalog.TrainDropped:
		_, err = tx.ExecContext(ctx, `UPDATE trains SET state = ?, embargo = ?, planned = '', opened_at = ?, ended_at = NULL, fault = '[]' WHERE id = ?`, catalog.TrainOpen, at.Embargo, millis(now), row.id)
		if err == nil {
			err = record(ctx, tx, now, trainEntry(catalog.ActionTrainOpen, at, n, "again"))
		}
	case err == nil && (row.train.Embargo != at.Embargo || row.train.Copying):
		return "", catalog.Rejected, keepOut(ctx, tx, row.train, upload, now)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO train_uploads (upload_id, train_id) VALUES (?, ?)`, upload, row.id)
	}
	return token, catalog.Received, err
}

// keepOut rejects an upload for an open train that does not take it. One that should have been under embargo lies where others may
// read it, and is removed from there.
func keepOut(ctx context.Context, tx *transaction, t catalog.Train, upload int64, now time.Time) error {
	rej := catalog.Rejection{Reason: catalog.TrainEmbargo}
	switch {
	case t.Copying:
		rej = catalog.Rejection{Reason: catalog.TrainPublished, Detail: fmt.Sprintf("release train %s is being published and takes no more packages: push without --train, or use another name", t.Train)}
	case t.Embargo:
		rej.Detail = fmt.Sprintf("release train %s is under embargo, and this push is not: its file was removed from staging, where others may have seen it; push with --embargo", t.Train)
		if _, err := tx.ExecContext(ctx, `UPDATE uploads SET staged = ? WHERE id = ?`, objectDoomed, upload); err != nil {
			return err
		}
	default:
		rej.Detail = fmt.Sprintf("release train %s is not under embargo: push without --embargo, or use another name", t.Train)
	}
	return reject(ctx, tx, upload, rej, now)
}

func openTrain(ctx context.Context, tx *transaction, n catalog.TrainName, at layout.Staged, now time.Time) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO trains (owner, name, state, embargo, opened_at, actor, why, job, attempts, fault) VALUES (?, ?, ?, ?, ?, '', '', '', 0, '[]')`,
		n.Owner, n.Name, catalog.TrainOpen, at.Embargo, millis(now))
	if err != nil {
		return 0, err
	}
	if err := record(ctx, tx, now, trainEntry(catalog.ActionTrainOpen, at, n, "")); err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// trainEntry returns an entry of the audit log about a release train, for the repository of an upload of it. Those who may look into
// that repository do not read of an embargo: then the entry is the owner's.
func trainEntry(action catalog.Action, at layout.Staged, n catalog.TrainName, detail string) catalog.AuditEntry {
	e := catalog.AuditEntry{Action: action, Target: at.Repository.String(), Detail: strings.TrimSpace("train " + n.String() + " " + detail)}
	if at.Embargo {
		e.Target, e.Detail = n.Owner, strings.TrimSpace(e.Detail+" under embargo")
	}
	return e
}

// ErrBeingRemoved is returned for a package that was dropped from its release train, and whose file is being removed. The upload is
// tried again.
var ErrBeingRemoved = errors.New("the file of a package with this name was dropped from its release train and is being removed")

func droppedYet(k catalog.Package) error {
	return fmt.Errorf("%s %s %s: %w", k.Name, k.Version, k.Arch, ErrBeingRemoved)
}

// ReservedBy returns the rejection of an upload whose identity, that of k, waits for a release train. It says nothing of the bytes, and
// under embargo nothing of a train.
func ReservedBy(k catalog.Package) *catalog.Rejection {
	if k.Embargo != "" {
		return &catalog.Rejection{Reason: catalog.ReservedIdentity, Detail: fmt.Sprintf("%s %s %s in %s is reserved: raise the version", k.Name, k.Version, k.Arch, k.Place())}
	}
	return &catalog.Rejection{Reason: catalog.ReservedIdentity, Detail: fmt.Sprintf("%s %s %s in %s is reserved: it waits for a release train of %s; publish the train, drop the package from it, or raise the version",
		k.Name, k.Version, k.Arch, k.Place(), k.Repository.Owner)}
}

// hold ends work on an upload of a release train whose bytes are stored: its package, holder, is reserved.
func hold(ctx context.Context, tx *transaction, s Stored, upload int64, holder catalog.Package, pkg int64, now time.Time) error {
	switch ours, err := heldInTrainOf(ctx, tx, upload, pkg); {
	case err != nil:
		return err
	case holder.State == catalog.Dropped:
		return droppedYet(holder)
	case holder.State == catalog.Reserved && !ours:
		return reject(ctx, tx, upload, *ReservedBy(holder), now)
	case holder.State == catalog.Reserved && holder.File.SHA256 != s.Package.File.SHA256:
		return reject(ctx, tx, upload, *ReservedBy(holder), now)
	case holder.State != catalog.Reserved:
		if rej := checkActivatable(s.Package, holder); rej != nil {
			return reject(ctx, tx, upload, *rej, now)
		}
	}
	detail, err := heldDetail(ctx, tx, s)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE id = ?`, catalog.Reserved, pkg); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = '', detail = ?, package_id = ?, checked = ? WHERE id = ?`, catalog.Held, detail, pkg, s.Checked, upload)
	return err
}

// heldInTrainOf reports whether a package is held by the release train of an upload.
func heldInTrainOf(ctx context.Context, q querier, upload, pkg int64) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM uploads u JOIN train_uploads m ON m.upload_id = u.id
		WHERE u.package_id = ? AND u.state = ? AND m.train_id = (SELECT train_id FROM train_uploads WHERE upload_id = ?)`, pkg, catalog.Held, upload).Scan(&n)
	return n > 0, err
}

// heldDetail says what the pusher is to know of an upload that is held.
func heldDetail(ctx context.Context, q querier, s Stored) (string, error) {
	r := s.Package.Repository
	if s.Package.Embargo != "" {
		return fmt.Sprintf("it waits for release train %s/%s, under embargo: no index, page or URL has it before the train is published", r.Owner, layout.TrainOf(s.Upload.Object)), nil
	}
	var visibility catalog.Visibility
	err := q.QueryRowContext(ctx, `SELECT visibility FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan(&visibility)
	detail := fmt.Sprintf("it waits for release train %s/%s", r.Owner, layout.TrainOf(s.Upload.Object))
	if visibility == catalog.Public {
		detail += fmt.Sprintf("; %s is public: no index names the file yet, but its URL can be guessed and fetched", r)
	}
	return detail, err
}

// HeldFor returns the release train that a reserved package waits for, and whether it is reserved.
func (d *DB) HeldFor(ctx context.Context, k catalog.Package) (n catalog.TrainName, held bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		_, id, err := find(ctx, q, k)
		if err != nil {
			return err
		}
		err = q.QueryRowContext(ctx, `SELECT t.owner, t.name FROM uploads u JOIN train_uploads m ON m.upload_id = u.id JOIN trains t ON t.id = m.train_id
			WHERE u.package_id = ? AND u.state = ? ORDER BY u.id LIMIT 1`, id, catalog.Held).Scan(&n.Owner, &n.Name)
		held = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return n, held, err
}

// OldTrains returns open release trains that are old at a time ([catalog.Train.Old]), the oldest first, without what they hold.
func (d *DB) OldTrains(ctx context.Context, now time.Time) ([]catalog.Train, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (catalog.Train, error) {
		row, err := scanTrain(scan)
		return row.train, err
	}, `SELECT `+trainColumns+` FROM trains t WHERE t.state = ? AND t.not_before IS NULL AND t.opened_at <= ? ORDER BY t.opened_at, t.id LIMIT ?`,
		catalog.TrainOpen, millis(now.Add(-catalog.OldTrain)), trainsListed)
	if err != nil {
		return nil, fmt.Errorf("list old release trains: %w", err)
	}
	return all, nil
}

// trainsListed is how many release trains are listed.
const trainsListed = 100

// Trains returns the newest release trains of an owner, or of all if it is empty: those that are open first.
func (d *DB) Trains(ctx context.Context, owner string) ([]catalog.Train, error) {
	where, args := ``, []any{catalog.Held, catalog.Received, catalog.Rejected, catalog.DroppedFromTrain}
	if owner != "" {
		where, args = ` WHERE t.owner = ?`, append(args, owner)
	}
	all, err := list(ctx, d, func(scan func(...any) error) (t catalog.Train, err error) {
		var held, others int
		row, err := scanTrain(func(dest ...any) error { return scan(append([]any{&held, &others}, dest...)...) })
		t = row.train
		t.Held, t.Others = held, others
		return t, err
	}, `SELECT (SELECT COUNT(*) FROM train_uploads m JOIN uploads u ON u.id = m.upload_id WHERE m.train_id = t.id AND u.state = ?),
		(SELECT COUNT(*) FROM train_uploads m JOIN uploads u ON u.id = m.upload_id WHERE m.train_id = t.id AND (u.state = ? OR u.state = ? AND u.reason <> ?)), `+trainColumns+`
		FROM trains t`+where+` ORDER BY CASE WHEN t.state = 'open' THEN 0 ELSE 1 END, t.opened_at DESC, t.id DESC LIMIT ?`, append(args, trainsListed)...)
	if err != nil {
		return nil, fmt.Errorf("list release trains: %w", err)
	}
	return all, nil
}

// Train returns a release train with its uploads, by distribution and name of their files. The error wraps [ErrNotFound], and
// [ErrTooMany].
func (d *DB) Train(ctx context.Context, n catalog.TrainName) (t catalog.Train, members []catalog.TrainMember, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		row, err := findTrain(ctx, q, n, "")
		if err != nil {
			return err
		}
		t = row.train
		rows, err := trainMembers(ctx, q, row.id)
		members = membersOf(rows)
		t.Held, t.Others = countMembers(members)
		return err
	})
	if err != nil {
		return t, nil, fmt.Errorf("read release train %s: %w", n, err)
	}
	return t, members, nil
}

// TrainState is [DB.Train] without uploads.
func (d *DB) TrainState(ctx context.Context, n catalog.TrainName) (t catalog.Train, err error) {
	err = d.ask(ctx, func(q querier) error {
		row, err := findTrain(ctx, q, n, "")
		t = row.train
		return err
	})
	if err != nil {
		return t, fmt.Errorf("read release train %s: %w", n, err)
	}
	return t, nil
}
