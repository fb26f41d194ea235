package catalogdb_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// The answer to a commit does not come. Whether it went through or not, pages are asked for, taken and ended once.
func TestMySQLPagesOnceWithoutAnAnswer(t *testing.T) {
	s := mysqltest.NewServer(t)
	for _, f := range []fault{lost, stored} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, s.Socket())
			direct := onMySQL(s.Database(t))
			_, name, _ := strings.Cut(direct.dsn, "/test")
			declare(t, direct.cleared(t), jammy)
			db := open(t, "mysql://root@127.0.0.1:"+p.port+"/test"+name)
			pushAll(t, db, deb(jammy, "hello", "1"))
			publishLatest(t, db, start, jammy)
			breaks := func() { p.next.Store(int32(f)) }

			breaks()
			queuePages(t, db, 9, start)
			pushAll(t, db, deb(jammy, "hello", "2"))
			publishLatest(t, db, seconds(1), jammy)
			breaks()
			queuePages(t, db, 9, start)
			breaks()
			w := takePages(t, db, seconds(1))
			if diff := cmp.Diff([]string{"hello +0s", "hello 2 +1s"}, requested(w)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			breaks()
			if kept, err := db.RenewPages(t.Context(), w, lease, seconds(2)); err != nil || !kept {
				t.Errorf("kept: %t, %v", kept, err)
			}
			breaks()
			endPages(t, db, w, map[int64]string{w.Requests[0].ID: "why"}, seconds(3))
			if s := pageState(t, db); s.Requests != 1 || s.Fault != "why" {
				t.Errorf("after that: %+v", s)
			}
			w = takePages(t, db, seconds(13))
			breaks()
			if err := db.ReturnPages(t.Context(), w); err != nil || len(w.Requests) != 1 || w.Requests[0].Attempts != 1 {
				t.Errorf("given back %+v, %v", w, err)
			}
			breaks()
			putName(t, db, catalogdb.PageName{Name: "hello", At: start, Packages: 2}, true)
			breaks()
			putName(t, db, catalogdb.PageName{Name: "hello", At: start, Packages: 3}, true)
			checkCounts(t, db, "counted once", 1, 3)
			breaks()
			if gone, err := db.DeletePageName(t.Context(), tools, "hello"); err != nil || !gone {
				t.Errorf("gone: %t, %v", gone, err)
			}
			checkCounts(t, db, "counted once", 0, 0)
			breaks()
			if err := db.AskPages(t.Context(), []catalog.Repository{tools}, seconds(14)); err != nil {
				t.Error(err)
			}
			if n := asksOfAll(t, db); n != 1 {
				t.Errorf("the audit log has %d requests, want 1", n)
			}
			if n := p.faults.Load(); n != 10 {
				t.Errorf("%d commits met a fault, want 10", n)
			}
		})
	}
}
