package catalogdb_test

import (
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// The answer to a commit does not come. Whether it went through or not, a reindex is asked for and taken once, and ends.
func TestMySQLReindexesOnceWithoutAnAnswer(t *testing.T) {
	s := mysqltest.NewServer(t)
	for _, f := range []fault{lost, stored} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, s.Socket())
			direct := onMySQL(s.Database(t))
			_, name, _ := strings.Cut(direct.dsn, "/test")
			declare(t, direct.cleared(t), jammy)
			db := open(t, "mysql://root@127.0.0.1:"+p.port+"/test"+name)
			breaks := func() { p.next.Store(int32(f)) }

			breaks()
			if n := askReindex(t, db, jammy, plainReindex, start); n != 1 {
				t.Errorf("it has number %d, want 1", n)
			}
			breaks()
			x := takeReindex(t, db, jammy, worker, start)
			breaks()
			if kept, err := db.KeepReindex(t.Context(), x, worker, 1, after(time.Second)); err != nil || !kept {
				t.Errorf("kept: %t, %v", kept, err)
			}
			breaks()
			checkEnd(t, db, x, catalogdb.OutcomeIdentical, after(time.Second), true)
			askReindex(t, db, jammy, plainReindex, after(time.Second))
			breaks()
			if cancelled, err := db.CancelReindexes(t.Context(), []catalog.Release{jammy}, after(time.Second)); err != nil || len(cancelled) != 1 {
				t.Errorf("cancelled: %v, %v", cancelled, err)
			}
			if n := p.faults.Load(); n != 5 {
				t.Errorf("%d commits met a fault, want 5", n)
			}
		})
	}
}
