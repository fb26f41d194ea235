package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// maxTarget is what the column of a target holds.
const maxTarget = 2048

// auditChunk is how many rows one statement adds.
const auditChunk = 200

// record adds entries to the audit log, in the transaction of what they say. Time and, unless an entry has its own, user,
// job and reason are those of the change.
func record(ctx context.Context, tx *transaction, now time.Time, entries ...catalog.AuditEntry) error {
	actor := catalog.ActorOf(ctx)
	for some := range slices.Chunk(entries, auditChunk) {
		var args []any
		for _, e := range some {
			p := strings.SplitN(e.Target, "/", 3)
			if e.Target == catalog.AllRepositories {
				p[0] = ""
			}
			owner, name := p[0], ""
			if len(p) > 1 {
				name = p[1]
			}
			args = append(args, millis(now), cut(cmp.Or(e.By, actor.User), maxUser), e.Action, owner, name, cut(e.Target, maxTarget), e.Detail,
				cmp.Or(e.Why, actor.Why), cut(cmp.Or(e.Job, actor.Job), maxJob), elsewhereColumn(e))
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, actor, action, owner, name, target, detail, why, job, elsewhere) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, len(some)-1), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func elsewhereColumn(e catalog.AuditEntry) string {
	if e.Elsewhere == nil {
		return ""
	}
	return e.Elsewhere.String()
}

// elsewhereOf returns the repository that a column names, or nil.
func elsewhereOf(column string) *catalog.Repository {
	owner, name, is := strings.Cut(column, "/")
	if !is || owner == "" {
		return nil
	}
	return &catalog.Repository{Owner: owner, Name: name}
}

// recordNow is [record] for a change whose caller names no time: it goes by the database's clock.
func (d *DB) recordNow(ctx context.Context, tx *transaction, entries ...catalog.AuditEntry) error {
	var now time.Time
	if err := tx.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now)); err != nil {
		return err
	}
	return record(ctx, tx, now, entries...)
}

// A logRow is a line of the log with its place among others of the same time.
type logRow struct {
	entry catalog.AuditEntry
	at    int64
	id    int64
}

// logPage is how many rows one question reads.
const logPage = 500

// Log returns what was changed since a time, oldest first: the entries of the audit log, and a line for each upload. A
// target of one repository, or of an owner, has also what was done to its owner, or to all.
func (d *DB) Log(ctx context.Context, target catalog.Target, since time.Time) iter.Seq2[catalog.AuditEntry, error] {
	return func(yield func(catalog.AuditEntry, error) bool) {
		for line, err := range d.LogFrom(ctx, target, LogSince(since)) {
			if !yield(line.AuditEntry, err) {
				return
			}
		}
	}
}

// A LogPlace is a place between two lines of a log.
type LogPlace struct {
	Audit, Uploads LogMark
}

// A LogMark is the last line of one of the tables that a log is made of.
type LogMark struct {
	At int64 // milliseconds since 1970
	ID int64
}

// LogSince returns the place before the first line of a time.
func LogSince(t time.Time) LogPlace {
	m := LogMark{millis(t), -1}
	return LogPlace{m, m}
}

// A LogLine is a line of a log.
type LogLine struct {
	catalog.AuditEntry
	Behind LogPlace // the place behind it
}

// LogFrom is [DB.Log] of what is behind a place. Lines that are recorded in the meantime come at the end, as far as their time is not before
// that of the last line.
func (d *DB) LogFrom(ctx context.Context, target catalog.Target, from LogPlace) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		audit, uploads := &logSource{read: d.auditPage, at: from.Audit.At, id: from.Audit.ID}, &logSource{read: d.uploadPage, at: from.Uploads.At, id: from.Uploads.ID}
		for {
			var first *logSource
			for _, s := range []*logSource{audit, uploads} {
				row, err := s.peek(ctx, target)
				if err != nil {
					yield(LogLine{}, fmt.Errorf("read the log: %w", err))
					return
				}
				if row != nil && (first == nil || row.at < first.rows[0].at) {
					first = s
				}
			}
			if first == nil {
				return
			}
			row := first.rows[0]
			if mark := (LogMark{row.at, row.id}); first == audit {
				from.Audit = mark
			} else {
				from.Uploads = mark
			}
			if !yield(LogLine{row.entry, from}, nil) {
				return
			}
			first.rows = first.rows[1:]
		}
	}
}

// A logSource is one of the tables that the log is made of.
type logSource struct {
	read   func(ctx context.Context, target catalog.Target, at, id int64) ([]logRow, error)
	rows   []logRow
	at, id int64 // of the last row that was read
	ended  bool
}

// peek returns the next row, or nil at the end.
func (s *logSource) peek(ctx context.Context, target catalog.Target) (*logRow, error) {
	if len(s.rows) == 0 && !s.ended {
		var err error
		if s.rows, err = s.read(ctx, target, s.at, s.id); err != nil {
			return nil, err
		}
		s.ended = len(s.rows) < logPage
		if len(s.rows) > 0 {
			last := s.rows[len(s.rows)-1]
			s.at, s.id = last.at, last.id
		}
	}
	if len(s.rows) == 0 {
		return nil, nil
	}
	return &s.rows[0], nil
}

func (d *DB) auditPage(ctx context.Context, target catalog.Target, at, id int64) ([]logRow, error) {
	where, args := `at >= ? AND (at > ? OR id > ?)`, []any{at, at, id} // the first term is for the index
	if target.Owner != "" {
		where, args = where+` AND (owner = '' OR owner = ?`, append(args, target.Owner)
		if target.Name != "" {
			where, args = where+` AND (name = '' OR name = ?)`, append(args, target.Name)
		}
		where += `)`
	}
	return list(ctx, d, func(scan func(...any) error) (row logRow, err error) {
		e := &row.entry
		var elsewhere string
		err = scan(&row.id, &row.at, &e.By, &e.Action, &e.Target, &e.Detail, &e.Why, &e.Job, &elsewhere)
		e.At, e.Elsewhere = instant(row.at), elsewhereOf(elsewhere)
		return row, err
	}, `SELECT id, at, actor, action, target, detail, why, job, elsewhere FROM audit WHERE `+where+` ORDER BY at, id LIMIT ?`, append(args, logPage)...)
}

// uploadPage returns uploads as lines of the log, without those that are under embargo. Who pushed one is known once a worker has read it.
func (d *DB) uploadPage(ctx context.Context, target catalog.Target, at, id int64) ([]logRow, error) {
	where, args := `u.received_at >= ? AND (u.received_at > ? OR u.id > ?)`, []any{at, at, id}
	prefix := ""
	if target.Owner != "" {
		prefix = target.String() + "/"
	}
	terms, more := below(prefix)
	where, args = where+` AND `+terms, append(args, more...)
	return list(ctx, d, func(scan func(...any) error) (row logRow, err error) {
		e := &row.entry
		var object, state string
		var reason, detail sql.NullString
		var k [3]string
		var from [2]string
		if err = scan(&from[0], &from[1], &row.id, &row.at, &object, &state, &reason, &detail, &e.By, &e.Job, &k[0], &k[1], &k[2]); err != nil {
			return row, err
		}
		e.Elsewhere = elsewhereOf(from[0] + "/" + from[1])
		e.At, e.Action, e.Package = instant(row.at), catalog.ActionUpload, strings.TrimSpace(strings.Join(k[:], " "))
		dir, file := path.Split(layout.ShownStaging(object))
		said := slices.DeleteFunc([]string{file + " " + state, reason.String, detail.String}, func(s string) bool { return s == "" })
		e.Target, e.Detail = strings.TrimSuffix(dir, "/"), strings.Join(said, ": ")
		return row, nil
	}, `SELECT `+promotedFrom+`u.id, u.received_at, u.object, u.state, u.reason, u.detail, u.pushed_by, u.pushed_job,
			COALESCE(k.name, ''), COALESCE(k.version, ''), COALESCE(k.arch, '') FROM `+verdictTables+` WHERE `+where+` ORDER BY u.received_at, u.id LIMIT ?`, append(args, logPage)...)
}
