package catalogdb_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// fillPages gives the first release a number of packages of ten versions each, which came with revisions of ten packages, and a line
// in the list for each name. It publishes them a second after another.
func fillPages(tb testing.TB, e database, packages int) {
	tb.Helper()
	db, err := sql.Open(e.driver, e.dsn)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	insert := func(into string, rows int, row func(int) []any) {
		tb.Helper()
		tx, err := db.Begin()
		if err != nil {
			tb.Fatal(err)
		}
		defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
		for from := 0; from < rows; from += 500 {
			var args []any
			n := min(500, rows-from)
			for i := range n {
				args = append(args, row(from+i)...)
			}
			marks := "(?" + strings.Repeat(", ?", len(args)/n-1) + ")"
			if _, err := tx.Exec("INSERT INTO "+into+" VALUES "+marks+strings.Repeat(", "+marks, n-1), args...); err != nil {
				tb.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			tb.Fatal(err)
		}
	}
	var release, distribution, repository int64
	if err := db.QueryRow(`SELECT r.id, d.id, d.repository_id FROM releases r JOIN distributions d ON d.id = r.distribution_id`).Scan(&release, &distribution, &repository); err != nil {
		tb.Fatal(err)
	}
	name := func(i int) string { return fmt.Sprintf("pkg-%06d", i/10) }
	insert(`packages (id, distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, file, size, sha256, md5, uploaded_at, state, pushed_by, pushed_job, yanked_by)`, packages, func(i int) []any {
		version := fmt.Sprint("1.", i%10)
		return []any{i + 1, distribution, "main", name(i), version, version, "amd64", "", fmt.Sprintf("%06d.%d", i/10, i%10), fmt.Sprint("pool/", i), fmt.Sprint(i), 1, fmt.Sprint(i), "",
			start.UnixMilli(), "active", "", "", ""}
	})
	insert(`visibility (release_id, package_id, came, came_at)`, packages, func(i int) []any {
		return []any{release, i + 1, 2 + i/10, start.Add(time.Duration(i/10) * time.Second).UnixMilli()}
	})
	insert(`publications (release_id, revision, nonce, drawn_at, published_at)`, packages/10, func(i int) []any {
		return []any{release, 2 + i, "aa", start.UnixMilli(), start.Add(time.Duration(i) * time.Second).UnixMilli()}
	})
	insert(`page_names (repository_id, name, level, summary, version, formats, at, packages)`, packages/10, func(i int) []any {
		level := 0
		for n := i; n > 0 && n%128 == 0; n /= 128 {
			level++
		}
		return []any{repository, name(10 * i), level, "does it", "1.9", `["deb"]`, start.UnixMilli(), 10}
	})
	if _, err := db.Exec(`UPDATE releases SET revision = ?, published_revision = ?`, 1+packages/10, 1+packages/10); err != nil {
		tb.Fatal(err)
	}
}

// emptyRelease makes a repository with one release, of which all is queued.
func emptyRelease(tb testing.TB, db *catalogdb.DB) {
	tb.Helper()
	_, err := db.Declare(tb.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy)}, start)
	if err == nil {
		err = db.Publish(tb.Context(), jammy, 1, start)
	}
	if err == nil {
		_, err = db.QueuePages(tb.Context(), 9, start)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// Each question reads as many rows as it answers, times a few, however many packages there are.
func TestMySQLPagesReadFewRows(t *testing.T) {
	const packages = 20_000
	s := mysqltest.NewServer(t)
	e := onMySQL(s.Database(t))
	db := open(t, e.url)
	emptyRelease(t, db)
	fillPages(t, e, packages)
	e.exec(t, `ANALYZE TABLE packages, visibility, publications, page_names`)
	read := func() (rows int64) {
		t.Helper()
		e.do(t, func(db *sql.DB) {
			if err := db.QueryRow(`SELECT CAST(SUM(VARIABLE_VALUE) AS SIGNED) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE 'Handler\_read\_%'`).Scan(&rows); err != nil {
				t.Fatal(err)
			}
		})
		return rows
	}
	read() // the first question reads more
	own := -read() + read()
	ask := func(what string, limit int64, f func(ctx context.Context) error) {
		t.Helper()
		before := read()
		if err := f(t.Context()); err != nil {
			t.Fatal(what, err)
		}
		n := read() - before - own
		t.Logf("%s: %d rows", what, n)
		if n > limit {
			t.Errorf("%s read %d rows, want %d at most", what, n, limit)
		}
	}
	ask("QueuePages, 500 packages", 3000, func(ctx context.Context) error {
		_, err := db.QueuePages(ctx, 500, start)
		return err
	})
	for n := 1; n > 0; {
		var err error
		if n, err = db.QueuePages(t.Context(), 5000, start); err != nil {
			t.Fatal(err)
		}
	}
	e.exec(t, `ANALYZE TABLE page_requests`)
	ask("QueuePages with nothing to do", 50, func(ctx context.Context) error {
		_, err := db.QueuePages(ctx, 500, start)
		return err
	})
	ask("PagesBehind with 20,000 requests", 50, func(ctx context.Context) error {
		_, err := db.PagesBehind(ctx, 9, start)
		return err
	})
	var w catalogdb.PageWork
	ask("TakePages, 100 requests", 1000, func(ctx context.Context) (err error) {
		w, _, err = db.TakePages(ctx, tools, lease, 100, start)
		return err
	})
	ask("EndPages, 100 requests", 1000, func(ctx context.Context) error { return db.EndPages(ctx, w, nil, start) })
	ask("PageVersions of 10 packages", 150, func(ctx context.Context) error {
		_, err := db.PageVersions(ctx, tools, "pkg-000777")
		return err
	})
	ask("PagePackages, 10 packages", 250, func(ctx context.Context) error {
		_, err := db.PagePackages(ctx, tools, "pkg-000777", nil, true)
		return err
	})
	ask("PageFront, 50 changes", 2000, func(ctx context.Context) error {
		f, err := db.PageFront(ctx, tools, 50)
		if len(f.Changes) != 50 {
			t.Errorf("%d changes", len(f.Changes))
		}
		return err
	})
	ask("PageNames, a part", 300, func(ctx context.Context) error {
		_, err := db.PageNames(ctx, tools, 0, "pkg-000128", "pkg-000256", 500)
		return err
	})
	ask("PageBorder and those beside", 60, func(ctx context.Context) error {
		from, err := db.PageBorder(ctx, tools, 0, "pkg-000777")
		if err == nil {
			_, _, err = db.PageBordersAround(ctx, tools, 0, from)
		}
		return err
	})
	ask("PutPageName", 60, func(ctx context.Context) error {
		_, err := db.PutPageName(ctx, tools, catalogdb.PageName{Name: "new", At: start})
		return err
	})
	e.exec(t, `UPDATE page_states SET wanted = wanted + 1, walk = queued + 1, next_name = 'pkg-001500'`)
	ask("all pages, 100 names of 10 versions from the middle on", 2000, func(ctx context.Context) error {
		_, err := db.QueuePages(ctx, 100, start)
		return err
	})
	e.exec(t, `UPDATE page_states SET wanted = queued`)
	e.exec(t, `UPDATE page_cursors SET walking = 1, next_name = 'pkg-001500'`)
	ask("a release, 100 names of 10 versions from the middle on", 2000, func(ctx context.Context) error {
		_, err := db.QueuePages(ctx, 100, start)
		return err
	})
}
