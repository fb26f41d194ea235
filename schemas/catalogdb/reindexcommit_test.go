package catalogdb_test

import (
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// The answer to a commit does not come. Whether it went through or not, a reindex is begun, or continued, once,
// stays with its process and ends.
func TestMySQLReindexesOnceWithoutAnAnswer(t *testing.T) {
	s := mysqltest.NewServer(t)
	for _, f := range []fault{lost, stored} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, s.Socket())
			direct := onMySQL(s.Database(t))
			_, name, _ := strings.Cut(direct.dsn, "/test")
			direct.cleared(t)
			db := open(t, "mysql://root@127.0.0.1:"+p.port+"/test"+name)
			breaks := func() { p.next.Store(int32(f)) }

			breaks()
			run, left := startReindex(t, db, start, nil, jammy, noble)
			outcome(t, db, run, jammy, catalogdb.OutcomeIdentical)
			breaks()
			if is, err := db.TouchReindex(t.Context(), run, after(time.Second)); err != nil || is.State != catalogdb.ReindexRunning {
				t.Errorf("touched: %+v, %v", is, err)
			}
			breaks()
			endReindex(t, db, run, catalogdb.ReindexInterrupted, after(time.Second), catalogdb.ReindexInterrupted)
			breaks()
			again, rest := startReindex(t, db, after(time.Minute), nil, jammy, noble)
			if again.ID != run.ID || again.Holder == run.Holder || len(left) != 2 || len(rest) != 1 {
				t.Errorf("run %d with %v left goes on as %d with %v", run.ID, left, again.ID, rest)
			}
			breaks()
			endReindex(t, db, again, catalogdb.ReindexDone, after(time.Minute), catalogdb.ReindexDone)
			if n := p.faults.Load(); n != 5 {
				t.Errorf("%d commits met a fault, want 5", n)
			}
			if runs, err := db.ReindexRuns(t.Context(), 10, after(time.Minute)); err != nil || len(runs) != 1 {
				t.Errorf("there are the runs %+v, %v, want one", runs, err)
			}
		})
	}
}
