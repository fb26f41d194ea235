package catalogdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// A writing is a method that commits; those of one statement are alike. It works on a catalog in which prepare has put jammy with the
// package "old", published, and "new", claimed by an upload that holds a lease.
type writing struct {
	name string
	do   func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error
}

func prepare(t *testing.T, db *catalogdb.DB) catalogdb.Stored {
	t.Helper()
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "old", "1"))
	publish(t, db, jammy, 2, start)
	return store(t, db, deb(jammy, "new", "1"), "1")
}

var writings = []writing{
	{"take", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		token, state, err := db.Take(ctx, hello, lease, start)
		if token == "" {
			err = errors.Join(err, fmt.Errorf("no token in state %s", state))
		}
		return err
	}},
	{"take again", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		token, state, err := db.Take(ctx, s.Upload, lease, after(time.Hour))
		if token == "" || token == s.Token {
			err = errors.Join(err, fmt.Errorf("no new token in state %s", state))
		}
		return err
	}},
	{"return", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.Return(ctx, s.Upload, s.Token)
	}},
	{"give up", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.GiveUp(ctx, s.Upload, s.Token, "why", start)
	}},
	{"reject", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.Reject(ctx, s.Upload, s.Token, catalog.Rejection{Reason: catalog.Empty}, start)
	}},
	{"claim", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		k := deb(jammy, "hello", "1")
		holder, _, err := db.Claim(ctx, k, catalog.Upload{})
		if holder.File != k.File {
			err = errors.Join(err, errors.New("another upload has it"))
		}
		return err
	}},
	{"activate", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.Activate(ctx, []catalogdb.Stored{s}, start)
	}},
	{"publish", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.Publish(ctx, jammy, 3, start)
	}},
	{"declare", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		created, err := db.Declare(ctx, catalogdb.Declaration{Repository: lab, Distro: distro(el9)}, start)
		if len(created) != 5 {
			err = errors.Join(err, fmt.Errorf("created %q", created))
		}
		return err
	}},
	{"declare more", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		_, err := db.Declare(ctx, catalogdb.Declaration{Repository: tools, Distro: distro(jammy), Component: "contrib"}, start)
		return err
	}},
	{"create repository", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.CreateRepository(ctx, catalog.Settings{Repository: lab}, start)
	}},
	{"change settings", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		_, err := db.ChangeSettings(ctx, tools, start, func(s *catalog.Settings) error {
			if len(s.Tokens) > 0 {
				return errors.New("the token is there already")
			}
			s.Tokens = append(s.Tokens, readers)
			return nil
		})
		return err
	}},
	{"import settings", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		return db.ImportSettings(ctx, inBucket(), start)
	}},
	{"yank", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		found, err := db.Yank(ctx, selectorOf(deb(jammy, "old", "1")), record, start)
		if len(found) != 1 {
			err = errors.Join(err, fmt.Errorf("yanked %d packages", len(found)))
		}
		return err
	}},
	{"yank selected", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		w := catalogdb.Selection{Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "o*"}}, States: []catalog.PackageState{catalog.Active, catalog.Yanked}}
		done, err := db.YankSelected(ctx, w, catalogdb.Withdrawal{Yank: record, Now: true}, start, everything)
		if len(done.Packages) != 1 || done.Packages[0].Yank == nil || done.Revisions[jammy] != 3 {
			err = errors.Join(err, fmt.Errorf("yanked %+v", done))
		}
		return err
	}},
	{"phase", phaseWriting},
	{"forget history", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		f, err := db.ForgetHistory(ctx, after(1000*day))
		if f.Audit != 1 {
			err = errors.Join(err, fmt.Errorf("removed %+v", f))
		}
		return err
	}},
	{"recover", func(ctx context.Context, db *catalogdb.DB, s catalogdb.Stored) error {
		got, err := db.Recover(ctx, jammy, published(deb(jammy, "old", "1"), deb(jammy, "lost", "1")), foreign, start)
		if got.Inserted != 1 {
			err = errors.Join(err, fmt.Errorf("recovered %+v", got))
		}
		return err
	}},
}

// The answer to a commit does not come, and no one knows whether it went through. Both ways lead to
// what one commit does, and the caller hears what it hears after one.
func TestMySQLCommitsOnceWithoutAnAnswer(t *testing.T) {
	s := mysqltest.NewServer(t)
	for i, w := range writings {
		if testing.Short() && i%4 != 0 {
			continue // each takes three rounds
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, s.Socket())
			direct := onMySQL(s.Database(t))
			_, name, _ := strings.Cut(direct.dsn, "/test")
			broken := open(t, "mysql://root@127.0.0.1:"+p.port+"/test"+name)
			want := afterWriting(t, direct, broken, p, w, noFault)
			for _, f := range []fault{lost, stored} {
				if diff := cmp.Diff(want, afterWriting(t, direct, broken, p, w, f)); diff != "" {
					t.Errorf("%s (-without fault +with):\n%s", f, diff)
				}
			}
		})
	}
}

// afterWriting returns what is in a catalog, reached through a proxy, after a writing whose first commit
// meets a fault.
func afterWriting(t *testing.T, direct database, db *catalogdb.DB, p *proxy, w writing, f fault) string {
	t.Helper()
	direct.cleared(t)
	state := prepare(t, db)
	before := p.faults.Load()
	p.next.Store(int32(f))
	if err := w.do(t.Context(), db, state); err != nil {
		t.Errorf("%s: %v", f, err)
	}
	if happened := p.faults.Load() - before; happened != min(1, int32(f)) {
		t.Errorf("%s happened %d times", f, happened)
	}
	return dump(t, direct)
}

// dump returns all that a catalog has, but for what is random and for ids, of which a lost try wastes some.
func dump(t *testing.T, e database) string {
	t.Helper()
	var b strings.Builder
	e.do(t, func(db *sql.DB) {
		for _, table := range tables {
			rows, err := db.Query("SELECT * FROM " + table + " ORDER BY 1, 2")
			if err != nil {
				t.Fatal(err)
			}
			dumpRows(t, &b, table, rows)
		}
	})
	return b.String()
}

func dumpRows(t *testing.T, b *strings.Builder, table string, rows *sql.Rows) {
	t.Helper()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]sql.RawBytes, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		b.WriteString(table)
		for i, c := range columns {
			if !strings.Contains(c, "nonce") && !strings.Contains(c, "token") && c != "id" && !strings.HasSuffix(c, "_id") {
				fmt.Fprintf(b, " %s=%q", c, values[i])
			}
		}
		b.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

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
			if kept, err := db.RenewReindex(t.Context(), x, worker, 1, after(time.Second)); err != nil || !kept {
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
