package catalogdb

import (
	"context"
	"crypto/tls"
	"database/sql"
	"strconv"
	"testing"
	"time"
)

// Tx runs f, on MySQL, in a transaction that is repeated as every other.
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	return d.tx(ctx, func(tx *transaction) error { return f(tx.querier.(*sql.Tx)) })
}

// A Querier is what a transaction runs statements on.
type Querier = querier

// Member runs f in a transaction that is repeated and grouped as every other.
func (d *DB) Member(ctx context.Context, f func(Querier) error) error {
	return d.tx(ctx, func(tx *transaction) error { return f(tx.querier) })
}

// Gather keeps transactions of an SQLite catalog waiting until n of them do, and then lets them go together.
func (d *DB) Gather(n int) {
	d.commits.token <- struct{}{}
	go func() {
		defer func() { <-d.commits.token }()
		for waiting := 0; waiting < n; time.Sleep(time.Millisecond) {
			d.commits.mu.Lock()
			waiting = len(d.commits.waiting)
			d.commits.mu.Unlock()
		}
	}()
}

// TLSOf returns how a catalog's connections speak TLS, or nil for not at all.
func TLSOf(rawURL string) (*tls.Config, error) {
	t, err := parseMySQL(rawURL)
	if err != nil {
		return nil, err
	}
	return t.tls, nil
}

// SetPartSize makes parts smaller for a test.
func SetPartSize(t *testing.T, rows int) {
	was := partSize
	partSize = rows
	t.Cleanup(func() { partSize = was })
}

// SetListPage makes pages smaller for a test.
func SetListPage(t *testing.T, rows int) {
	was := listPage
	listPage = rows
	t.Cleanup(func() { listPage = was })
}

// SetRetainPage has fewer rows read at a time for a test.
func SetRetainPage(t *testing.T, rows int) {
	was := retainPage
	retainPage = rows
	t.Cleanup(func() { retainPage = was })
}

// SetHistoryPage has fewer rows of the history removed at a time for a test.
func SetHistoryPage(t *testing.T, rows int) {
	was := historyPage
	historyPage = rows
	t.Cleanup(func() { historyPage = was })
}

// SetMaxArchiving makes so few copies be under way to archives, until the test ends.
func SetMaxArchiving(t *testing.T, n int) {
	was := maxArchiving
	maxArchiving = n
	t.Cleanup(func() { maxArchiving = was })
}

// Exec executes a statement.
func (d *DB) Exec(ctx context.Context, statement string) error { return d.exec(ctx, statement) }

// SetMaxSelected sets how many packages a selection has at most, and returns what sets it back.
func SetMaxSelected(n int) (back func()) {
	before := maxSelected
	maxSelected = n
	return func() { maxSelected = before }
}

// SetRecovery has so many rows recovered in one transaction, and each by itself if alone is set, until the function that it returns is called.
func SetRecovery(rows int, alone bool) (back func()) {
	was, wasAlone := recoveryRows, recoverAlone
	recoveryRows, recoverAlone = rows, alone
	return func() { recoveryRows, recoverAlone = was, wasAlone }
}

// SetClock makes the database's clock say a time from now on, as after a jump.
func (d *DB) SetClock(now time.Time) { d.clock = "SELECT " + strconv.FormatInt(millis(now), 10) }

// SetClearBatch has the rows of deleted targets cleared n at a time, until the function that it returns is called.
func SetClearBatch(n int) func() {
	was := clearBatch
	clearBatch = n
	return func() { clearBatch = was }
}

// CountRows returns how many rows a table has.
func (d *DB) CountRows(ctx context.Context, table string) (n int, err error) {
	return n, d.ask(ctx, func(q querier) error { return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n) })
}
