package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A ReindexSource says whether a reindex trusts the rows or the published indexes.
type ReindexSource string

// The sources of a reindex.
const (
	FromRows      ReindexSource = "rows"      // indexes are rendered from the rows of the catalog
	FromPublished ReindexSource = "published" // rows are rebuilt from the published indexes
)

// A ReindexOutcome says how a reindex of a release ended.
type ReindexOutcome string

// The outcomes of a reindex.
const (
	OutcomeIdentical ReindexOutcome = "identical" // what was published is what the rows make
	OutcomePublished ReindexOutcome = "published"
	OutcomeFailed    ReindexOutcome = "failed"    // clients see what they saw before
	OutcomeCancelled ReindexOutcome = "cancelled" // likewise
)

// A ReindexRequest is what a user asks of a reindex.
type ReindexRequest struct {
	Source ReindexSource
	Repair bool   // with [FromRows]: write published index files again that are missing or damaged
	By     string // who asks, for people
}

// String names a request as the command line does, such as "reindex --repair".
func (want ReindexRequest) String() string {
	switch {
	case want.Source == FromPublished:
		return "reindex --from published"
	case want.Repair:
		return "reindex --repair"
	}
	return "reindex"
}

// A Reindex is the latest reindex of a release.
type Reindex struct {
	Release  catalog.Release
	Number   int64 // of those that were asked for; a request is done when Done has reached it
	Done     int64
	Request  ReindexRequest
	Renderer int // the least [layout.Renderer] that may do it
	Asked    time.Time
	Owner    string // the process that works on it, or did; empty if none does
	Until    time.Time
	Attempts int // to work on it
	Rendered int // packages, in this attempt
	Outcome  ReindexOutcome
	Result   []byte // JSON; of the latest that ended
	Finished *time.Time
}

// Pending reports whether a reindex has not ended.
func (x Reindex) Pending() bool { return x.Done < x.Number }

// State returns "waiting" for a process, be it of a later version, "running", or how a reindex ended.
func (x Reindex) State(now time.Time) string {
	switch {
	case !x.Pending():
		return string(x.Outcome)
	case x.Leased(now):
		return "running"
	case x.Later():
		return "waiting for a worker of a later version"
	}
	return "waiting"
}

// Later reports whether a later version of the program asked for a reindex: this one leaves it to that.
func (x Reindex) Later() bool { return x.Renderer > layout.Renderer }

// Leased reports whether a process works on a reindex at a time.
func (x Reindex) Leased(now time.Time) bool { return x.Owner != "" && now.Before(x.Until) }

const (
	reindexColumns = `p.owner, p.name, d.os, d.version, r.arch, x.asked, x.done, x.source, x.repair, x.renderer, x.asked_by, x.asked_at,
		x.lease_owner, x.lease_until, x.attempts, x.rendered, x.outcome, x.result, x.finished_at`
	reindexTables = releaseTables + ` JOIN reindexes x ON x.release_id = r.id`
)

func scanReindex(scan func(...any) error) (x Reindex, err error) {
	r := &x.Release
	var finished sql.NullInt64
	err = scan(&r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch,
		&x.Number, &x.Done, &x.Request.Source, &x.Request.Repair, &x.Renderer, &x.Request.By, (*scanTime)(&x.Asked),
		&x.Owner, (*scanTime)(&x.Until), &x.Attempts, &x.Rendered, &x.Outcome, &x.Result, &finished)
	x.Finished = optional(finished)
	return x, err
}

// Reindexes returns the latest reindex of each release that had one, in order.
func (d *DB) Reindexes(ctx context.Context) ([]Reindex, error) {
	all, err := list(ctx, d, scanReindex, `SELECT `+reindexColumns+` FROM `+reindexTables+releaseOrder)
	if err != nil {
		return nil, fmt.Errorf("list reindexes: %w", err)
	}
	return all, nil
}

// ReindexesBehind returns up to limit releases whose reindex has not ended and has no lease, in the order of the requests.
// Requests of a later version of the program are left to it.
func (d *DB) ReindexesBehind(ctx context.Context, limit int, now time.Time) ([]catalog.Release, error) {
	all, err := list(ctx, d, scanReindex, `SELECT `+reindexColumns+` FROM `+reindexTables+`
		WHERE x.done < x.asked AND x.renderer <= ? AND (x.lease_owner = '' OR x.lease_until <= ?)
		ORDER BY x.asked_at, r.id LIMIT ?`, layout.Renderer, millis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list reindexes that wait: %w", err)
	}
	releases := make([]catalog.Release, len(all))
	for i, x := range all {
		releases[i] = x.Release
	}
	return releases, nil
}

// ErrReindexing is returned to a request while another kind of reindex of the same release has not ended.
var ErrReindexing = errors.New("another reindex has not ended")

// AskReindex requests reindexes of releases, in one transaction, and returns the number of each. A request joins a pending
// one of the same kind that has no lease; it follows one that a process works on. If a reindex of another kind is pending,
// the error wraps [ErrReindexing], and nothing is requested. Releases that do not exist are left out.
//
// The audit log gets an entry for each repository. If lease has an owner, it gets the lease on each of them, unless another process has it.
func (d *DB) AskReindex(ctx context.Context, releases []catalog.Release, want ReindexRequest, lease Lease, now time.Time) (numbers map[catalog.Release]int64, err error) {
	return d.askReindex(ctx, releases, want, lease, now, func(tx *transaction, asked []releaseWithID) error {
		return record(ctx, tx, now, reindexAsked(asked, want)...)
	})
}

// askReindex is [DB.AskReindex]; also is part of the transaction.
func (d *DB) askReindex(ctx context.Context, releases []catalog.Release, want ReindexRequest, lease Lease, now time.Time,
	also func(*transaction, []releaseWithID) error) (numbers map[catalog.Release]int64, err error) {
	want.By, lease.Owner = cut(want.By, maxUser), cut(lease.Owner, maxUser)
	err = d.tx(ctx, func(tx *transaction) error {
		numbers = map[catalog.Release]int64{}
		ids, err := releaseIDs(ctx, tx, releases)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(ids, 200) {
			if err := askSome(ctx, tx, some, want, lease, now, numbers); err != nil {
				return err
			}
		}
		return also(tx, ids)
	})
	if err != nil && !errors.Is(err, ErrReindexing) { // which says it all
		err = fmt.Errorf("ask for a reindex: %w", err)
	}
	return numbers, err
}

// reindexAsked returns an entry for each repository whose reindex is asked for: of a release, if it is of one.
func reindexAsked(asked []releaseWithID, want ReindexRequest) (entries []catalog.AuditEntry) {
	of := map[catalog.Repository][]catalog.Release{}
	for _, row := range asked {
		of[row.release.Repository] = append(of[row.release.Repository], row.release)
	}
	for _, r := range slices.SortedFunc(maps.Keys(of), func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) }) {
		e := catalog.AuditEntry{Action: catalog.ActionReindex, Target: of[r][0].String(), Detail: want.String(), By: want.By}
		if n := len(of[r]); n > 1 {
			e.Target, e.Detail = r.String(), fmt.Sprintf("%s of %d releases", want, n)
		}
		entries = append(entries, e)
	}
	return entries
}

// A releaseWithID is a release with the id of its row.
type releaseWithID struct {
	release catalog.Release
	id      int64
}

// releaseIDs returns the rows of releases, in ascending order of their ids.
func releaseIDs(ctx context.Context, tx *transaction, releases []catalog.Release) ([]releaseWithID, error) {
	wanted := map[catalog.Release]bool{}
	for _, r := range releases {
		wanted[r] = true
	}
	all, err := collect(ctx, tx, func(scan func(...any) error) (row releaseWithID, err error) {
		r := &row.release
		return row, scan(&row.id, &r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch)
	}, `SELECT r.id, p.owner, p.name, d.os, d.version, r.arch FROM `+releaseTables+` ORDER BY r.id`)
	return slices.DeleteFunc(all, func(row releaseWithID) bool { return !wanted[row.release] }), err
}

// askSome requests the reindexes of some releases, and adds their numbers to numbers.
func askSome(ctx context.Context, tx *transaction, some []releaseWithID, want ReindexRequest, lease Lease, now time.Time, numbers map[catalog.Release]int64) error {
	ids := make([]int64, len(some))
	for i, row := range some {
		ids[i] = row.id
	}
	where, args := in("x.release_id", ids)
	if err := tx.lock(ctx, ids); err != nil { // a row that is not there cannot be locked
		return err
	}
	found, err := collect(ctx, tx, scanReindex, `SELECT `+reindexColumns+` FROM `+reindexTables+` WHERE `+where, args...)
	if err != nil {
		return err
	}
	latest := map[catalog.Release]Reindex{}
	for _, x := range found {
		latest[x.Release] = x
	}
	for _, row := range some {
		x := latest[row.release]
		if err := x.ask(want, lease, now); err != nil {
			return err
		}
		if err := putReindex(ctx, tx, row.id, x); err != nil {
			return err
		}
		numbers[row.release] = x.Number
	}
	return nil
}

// ask adds a request to a reindex.
func (x *Reindex) ask(want ReindexRequest, lease Lease, now time.Time) error {
	others := x.Leased(now) && x.Owner != lease.Owner
	if x.Pending() && (x.Request.Source != want.Source || x.Request.Repair != want.Repair) {
		by := "an unnamed user"
		if x.Request.By != "" {
			by = strconv.Quote(x.Request.By)
		}
		return fmt.Errorf("%w: %s of %s, asked for by %s at %s; wait for it, or end it with repomill reindex cancel %s",
			ErrReindexing, x.Request, x.Release, by, x.Asked.Format(time.RFC3339), x.Release)
	}
	if !x.Pending() || others { // else the same attempt does
		x.Number, x.Attempts = x.Number+1, 0
	}
	x.Request, x.Renderer, x.Asked = want, max(x.Renderer, layout.Renderer), now
	if !others {
		x.Owner, x.Until = lease.Owner, now.Add(lease.For)
	}
	return nil
}

func putReindex(ctx context.Context, tx *transaction, release int64, x Reindex) error {
	finished := sql.NullInt64{}
	if x.Finished != nil {
		finished = sql.NullInt64{Int64: millis(*x.Finished), Valid: true}
	}
	if x.Result == nil {
		x.Result = []byte{}
	}
	_, err := tx.ExecContext(ctx, `REPLACE INTO reindexes (release_id, asked, done, source, repair, renderer, asked_by, asked_at,
			lease_owner, lease_until, attempts, rendered, outcome, result, finished_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		release, x.Number, x.Done, x.Request.Source, x.Request.Repair, x.Renderer, x.Request.By, millis(x.Asked),
		x.Owner, millis(x.Until), x.Attempts, x.Rendered, x.Outcome, string(x.Result), finished)
	return err
}
