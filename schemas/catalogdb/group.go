package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// A group is a group commit: it commits transactions of this process together. SQLite has one writer, and a commit
// costs it more than most of our transactions do. While one commit is written to disk, other transactions wait. The
// first of them that gets the token is the leader: it runs all that wait, each in a savepoint of its own, and
// commits them at once.
type group struct {
	db    *sql.DB       // of one connection
	token chan struct{} // held by the leader

	mu      sync.Mutex
	waiting []*waiter
}

// A waiter is a transaction that waits for its group to commit it.
type waiter struct {
	ctx  context.Context
	f    func(*transaction) error
	err  error         // once done is closed
	done chan struct{} // closed when it is committed, or is not and never will be
}

// errBroken says that a transaction was rolled back because of another one in its group. It is repeated.
var errBroken = errors.New("another transaction of the group failed")

func newGroup(db *sql.DB) *group { return &group{db: db, token: make(chan struct{}, 1)} }

// do runs f in a transaction, perhaps together with others, and returns when that is committed or has failed. Errors
// of other waiters do not matter to it, except that errBroken asks for another try. If ctx ends while f waits, f
// does not run.
func (g *group) do(ctx context.Context, f func(*transaction) error) error {
	w := &waiter{ctx: ctx, f: f, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	case g.token <- struct{}{}:
		func() {
			defer func() { <-g.token }()
			g.lead(ctx)
		}()
	case <-ctx.Done():
		if g.remove(w) {
			return ctx.Err()
		}
	}
	<-w.done
	return w.err
}

// remove takes a waiter out of the queue, and reports whether it was still there.
func (g *group) remove(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, waiting := range g.waiting {
		if waiting == w {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// lead runs all waiters in the queue. The caller has the token, and is one of them or done already. If the caller's
// ctx ends while another process has the database, the other waiters get errBroken and try again.
func (g *group) lead(ctx context.Context) {
	g.mu.Lock()
	waiters := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	if len(waiters) == 0 {
		return
	}
	err := errBroken // unless run returns: a closure may end its goroutine, as tests do
	defer func() {
		for _, w := range waiters {
			if w.err == nil {
				w.err = err
			}
			close(w.done)
		}
	}()
	err = g.run(ctx, waiters)
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) { // that of the caller's context is not the others' error
		err = errBroken
	}
}

// run runs waiters in one transaction. It sets the errors of those that failed alone, and returns the error of all
// others.
func (g *group) run(ctx context.Context, waiters []*waiter) error {
	conn, err := g.db.Conn(ctx)
	if err != nil {
		return assignEnded(waiters, err)
	}
	returned := false
	defer func() {
		if !returned { // a closure ended its goroutine: the transaction ends with the connection
			conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // see above
		}
		conn.Close() //nolint:errcheck // it goes back into the pool
	}()
	if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		err = assignEnded(waiters, err) // perhaps another process has the database
	} else if err = runAll(conn, waiters); err == nil {
		_, err = conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
			conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // the next group gets a new connection
		}
	}
	returned = true
	return err
}

// assignEnded gives each waiter whose context ended its own error, and returns the error of the others. If there are
// such waiters, their end may have caused err: the others get errBroken and try again.
func assignEnded(waiters []*waiter, err error) error {
	for _, w := range waiters {
		if w.err = w.ctx.Err(); w.err != nil {
			err = errBroken
		}
	}
	return err
}

// runAll runs waiters one after the other. errBroken says that nothing must be committed.
func runAll(conn *sql.Conn, waiters []*waiter) error {
	tx := &transaction{querier: uninterruptible{conn}}
	for _, w := range waiters {
		run := w.runApart
		if len(waiters) == 1 {
			run = w.runAlone
		}
		if !run(tx) {
			return errBroken
		}
	}
	return nil
}

// runAlone runs a waiter that has the transaction to itself, and reports whether that can be committed.
func (w *waiter) runAlone(tx *transaction) (whole bool) {
	if w.err = w.ctx.Err(); w.err == nil {
		w.err = w.try(tx)
	}
	return w.err == nil
}

// runApart runs a waiter so that its failure undoes what it did and nothing else, and reports whether
// that is so: some errors make SQLite roll back all of a transaction.
func (w *waiter) runApart(tx *transaction) (whole bool) {
	if w.err = w.ctx.Err(); w.err != nil {
		return true
	}
	ctx := context.WithoutCancel(w.ctx)
	if _, w.err = tx.ExecContext(ctx, "SAVEPOINT waiter"); w.err != nil {
		return false
	}
	if w.err = w.try(tx); w.err != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO waiter"); err != nil {
			return false
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE waiter"); err != nil {
		w.err = cmp.Or(w.err, err)
		return false
	}
	return true
}

// try calls f. Its panic is its own waiter's error: it runs in the goroutine of another.
func (w *waiter) try(tx *transaction) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return w.f(tx)
}

// An uninterruptible querier ends no statement half-way: SQLite answers an interrupted write by rolling back the
// whole transaction. A context that has ended already begins none.
type uninterruptible struct{ querier }

// ExecContext implements querier.
func (w uninterruptible) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return w.querier.ExecContext(unlessEnded(ctx), query, args...)
}

// QueryContext implements querier.
func (w uninterruptible) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return w.querier.QueryContext(unlessEnded(ctx), query, args...)
}

// QueryRowContext implements querier.
func (w uninterruptible) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return w.querier.QueryRowContext(unlessEnded(ctx), query, args...)
}

func unlessEnded(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
