package catalogdb

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func openGroup(t *testing.T) *DB {
	t.Helper()
	db, err := Open("sqlite://" + t.TempDir() + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// One whose own work is done and whose context has ended may lead others: they are repeated, not cancelled.
func TestALeadersEndIsNobodyElses(t *testing.T) {
	db := openGroup(t)
	other := &waiter{ctx: t.Context(), f: func(*transaction) error { return nil }, done: make(chan struct{})}
	db.commits.waiting = append(db.commits.waiting, other)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	db.commits.lead(ended)
	<-other.done
	if db.remedy(other.err) != repeat {
		t.Errorf("got %v, which is not repeated", other.err)
	}
}

// A closure that ends its goroutine, as t.FailNow does, keeps no one else out.
func TestAClosureMayEndItsGoroutine(t *testing.T) {
	db := openGroup(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.tx(context.Background(), func(*transaction) error { //nolint:errcheck // it never returns
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := db.exec(ctx, "DELETE FROM reindexes"); err != nil {
		t.Error(err)
	}
}
