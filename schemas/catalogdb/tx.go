package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"net"
	"time"
)

// maxTries is how often a transaction, or a question, is tried in all.
const maxTries = 10

// A remedy is what helps against an error of the database.
type remedy int

const (
	none      remedy = iota // nothing: the error is the caller's
	repeat                  // others were in the way: the same again
	reconnect               // the server went away, or does not write any more: again, on other connections
)

// delays are the first and the longest pause of a remedy; each one may be twice the one before.
var delays = map[remedy]struct{ first, longest time.Duration }{
	repeat:    {5 * time.Millisecond, 500 * time.Millisecond},
	reconnect: {100 * time.Millisecond, 5 * time.Second}, // about 20 s in all, in which a fail-over ends
}

// retry calls try up to maxTries times, while the database asks for a repeat.
func (d *DB) retry(ctx context.Context, try func() error) error {
	var last error // of the database
	for n := 1; ; n++ {
		err := try()
		if last != nil && outOfTime(ctx, err) {
			return last // what the database said explains more
		}
		if err == nil || n == maxTries || ctx.Err() != nil {
			return err
		}
		if d.missingTable(err) || d.missingField(err) {
			return &schemaError{err}
		}
		r := d.remedy(err)
		if r == none {
			return err
		}
		if !pause(ctx, backoff(r, n)) {
			if last != nil && outOfTime(ctx, err) {
				return last
			}
			return err
		}
		last = err
		if r == reconnect {
			d.closeIdle()
		}
	}
}

// outOfTime reports whether a try ended because the time of its context did. A new connection that is cut short by that says "i/o timeout".
func outOfTime(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() == nil {
		return false
	}
	var network net.Error
	return errors.Is(err, ctx.Err()) || errors.As(err, &network) && network.Timeout()
}

// closeIdle closes connections that are not in use: after a fail-over they lead to the wrong server.
func (d *DB) closeIdle() {
	for _, pool := range []*sql.DB{d.write, d.read, d.views} {
		pool.SetMaxIdleConns(0)
		pool.SetMaxIdleConns(connections)
	}
}

// backoff returns the time after try n, at random, so that writers who met do not meet again.
func backoff(r remedy, n int) time.Duration {
	limit := min(delays[r].first<<n, delays[r].longest)
	return limit/2 + rand.N(limit/2)
}

// pause waits, and reports whether ctx lives on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A transaction is one transaction of a writer. On MySQL each statement sees what was committed before
// it, so a transaction that decides by what it reads locks that first: the repository, then releases in
// ascending order, then uploads, then packages.
type transaction struct {
	querier
	forUpdate string // ends a SELECT whose rows stay locked until the transaction ends
}

// tx runs f in one transaction: committed if f returns nil, else rolled back. f may run several times,
// each time in a transaction of its own, and even after one whose commit went through unreported.
func (d *DB) tx(ctx context.Context, f func(*transaction) error) error {
	return d.retry(ctx, func() error { return d.once(ctx, f) })
}

func (d *DB) once(ctx context.Context, f func(*transaction) error) error {
	if d.commits != nil {
		return d.commits.do(ctx, f)
	}
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if err := f(&transaction{tx, d.forUpdate}); err != nil {
		return err
	}
	return tx.Commit()
}

// exec runs one statement that may be repeated.
func (d *DB) exec(ctx context.Context, query string, args ...any) error {
	return d.tx(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// ask runs f, which only reads, and may run it several times.
func (d *DB) ask(ctx context.Context, f func(q querier) error) error {
	return d.retry(ctx, func() error { return f(d.read) })
}

// askOnce is ask, and everything that f reads is of one moment.
func (d *DB) askOnce(ctx context.Context, f func(q querier) error) error {
	return d.retry(ctx, func() error {
		tx, err := d.read.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // a read
		return f(tx)
	})
}

// list reads all rows of a query through scan.
func list[T any](ctx context.Context, d *DB, scan func(func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	err = d.ask(ctx, func(q querier) error {
		all, err = collect(ctx, q, scan, query, args...)
		return err
	})
	return all, err
}

// collect reads all rows of a query through scan.
func collect[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// notFound turns the absence of a row into [ErrNotFound].
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// scanID reads a row that is one id.
func scanID(scan func(...any) error) (id int64, err error) { return id, scan(&id) }
