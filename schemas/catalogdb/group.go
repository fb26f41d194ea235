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

// A group commits transactions of this process together: SQLite has one writer, and a commit costs it
// more than most of our transactions do. While one commit is on its way to the disk, others gather, and
// one of them runs all that wait, each in a savepoint of its own, and commits them at once.
type group struct {
	db   *sql.DB       // of one connection
	turn chan struct{} // held by who runs the joiners that wait

	mu      sync.Mutex
	waiting []*joiner
}

// A joiner is one transaction of a group.
type joiner struct {
	ctx  context.Context
	f    func(*transaction) error
	err  error         // once done is closed
	done chan struct{} // closed when it is committed, or is not and never will be
}

// errBroken says that a transaction was rolled back because of another one in its group. It is repeated.
var errBroken = errors.New("another transaction of the group failed")

func newGroup(db *sql.DB) *group { return &group{db: db, turn: make(chan struct{}, 1)} }

// do runs f in a transaction, perhaps together with others, and returns when that is over. What other
// joiners do or meet does not matter to it, except that errBroken asks for another try.
func (g *group) do(ctx context.Context, f func(*transaction) error) error {
	m := &joiner{ctx: ctx, f: f, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	g.mu.Unlock()
	select {
	case <-m.done:
		return m.err
	case g.turn <- struct{}{}:
		func() {
			defer func() { <-g.turn }()
			g.lead(ctx)
		}()
	case <-ctx.Done():
		if g.leave(m) {
			return ctx.Err()
		}
	}
	<-m.done
	return m.err
}

// leave takes a joiner out of the queue, and reports whether it was still in.
func (g *group) leave(m *joiner) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == m {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// lead runs all joiners that wait. The caller, who is one of them or done already, has the turn. If ctx,
// which is the caller's, ends while another process has the database, the others are left to themselves.
func (g *group) lead(ctx context.Context) {
	g.mu.Lock()
	joiners := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	if len(joiners) == 0 {
		return
	}
	err := errBroken // unless run returns: a closure may end its goroutine, as tests do
	defer func() {
		for _, m := range joiners {
			if m.err == nil {
				m.err = err
			}
			close(m.done)
		}
	}()
	err = g.run(ctx, joiners)
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) { // the caller's end is nobody else's
		err = errBroken
	}
}

// run runs joiners in one transaction. It sets the errors of those that have one of their own, and
// returns that of all others.
func (g *group) run(ctx context.Context, joiners []*joiner) error {
	conn, err := g.db.Conn(ctx)
	if err != nil {
		return blame(joiners, err)
	}
	returned := false
	defer func() {
		if !returned { // a closure ended its goroutine: the transaction ends with the connection
			conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // see above
		}
		conn.Close() //nolint:errcheck // it goes back into the pool
	}()
	if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		err = blame(joiners, err) // perhaps another process has the database
	} else if err = runAll(conn, joiners); err == nil {
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

// blame gives joiners whose context ended their own error, and returns that of the others. If there are
// such joiners, it may have been their end that was met: the others try again.
func blame(joiners []*joiner, err error) error {
	for _, m := range joiners {
		if m.err = m.ctx.Err(); m.err != nil {
			err = errBroken
		}
	}
	return err
}

// runAll runs joiners one after the other. errBroken says that nothing must be committed.
func runAll(conn *sql.Conn, joiners []*joiner) error {
	tx := &transaction{querier: whole{conn}}
	for _, m := range joiners {
		run := m.runApart
		if len(joiners) == 1 {
			run = m.runAlone
		}
		if !run(tx) {
			return errBroken
		}
	}
	return nil
}

// runAlone runs a joiner that has the transaction to itself, and reports whether that can be committed.
func (m *joiner) runAlone(tx *transaction) (whole bool) {
	if m.err = m.ctx.Err(); m.err == nil {
		m.err = m.try(tx)
	}
	return m.err == nil
}

// runApart runs a joiner so that its failure undoes what it did and nothing else, and reports whether
// that is so: some errors make SQLite roll back all of a transaction.
func (m *joiner) runApart(tx *transaction) (whole bool) {
	if m.err = m.ctx.Err(); m.err != nil {
		return true
	}
	ctx := context.WithoutCancel(m.ctx)
	if _, m.err = tx.ExecContext(ctx, "SAVEPOINT joiner"); m.err != nil {
		return false
	}
	if m.err = m.try(tx); m.err != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO joiner"); err != nil {
			return false
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE joiner"); err != nil {
		m.err = cmp.Or(m.err, err)
		return false
	}
	return true
}

// try calls f. Its panic is its own joiner's error: it runs in the goroutine of another.
func (m *joiner) try(tx *transaction) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return m.f(tx)
}

// A whole querier ends no statement half-way: SQLite answers an interrupted write by rolling back the
// whole transaction. A context that has ended already begins none.
type whole struct{ querier }

// ExecContext implements querier.
func (w whole) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return w.querier.ExecContext(unlessEnded(ctx), query, args...)
}

// QueryContext implements querier.
func (w whole) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return w.querier.QueryContext(unlessEnded(ctx), query, args...)
}

// QueryRowContext implements querier.
func (w whole) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return w.querier.QueryRowContext(unlessEnded(ctx), query, args...)
}

func unlessEnded(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
