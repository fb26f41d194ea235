package versus_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sassoftware/go-rpmutils"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// floorBatch is how many packages share a transaction, as in a cold run.
const floorBatch = 32

// BenchmarkFloor measures what a cold run cannot do without, each part alone, in a loop of one goroutine that does nothing else: the files, reading
// what is packed in them, and the final rows of its catalog. Between them and the time of a cold run is what repomill does besides.
func BenchmarkFloor(b *testing.B) {
	for _, bb := range []struct {
		packed kind
		r      catalog.Release
		read   func(r io.Reader) error
	}{{debs, jammy, readControl}, {rpms, el9, readHeader}} {
		b.Run(fmt.Sprintf("%s=%d", bb.packed, sizes.packages), func(b *testing.B) {
			for b.Loop() {
				s := newSite(b, "floor-"+string(bb.packed))
				all := files(b, bb.packed, sizes.packages)
				link(b, s.staging(bb.r), all...)
				start := time.Now()
				s.start(b)
				s.drained(b, coldCounts(bb.r, len(all)))
				wall := time.Since(start)
				whole := s.stop(b)
				whole.wall = wall
				record(b, figure{who: ours, e: whole})
				record(b, figure{who: "files alone", e: ownExpense(func() { storeFiles(b, filepath.Join(work, "floor-files"), all) }),
					note: "each is read, hashed, written, synced and renamed, and so is a verdict"})
				record(b, figure{who: "reading alone", e: ownExpense(func() { readFiles(b, all, bb.read) }), note: "the control data or the header, parsed"})
				rows, e := copyRows(b, filepath.Join(s.data, "catalog.db"), filepath.Join(work, "floor.db"))
				record(b, figure{who: "rows alone", e: e, note: fmt.Sprintf("%d rows in their final form, %d packages in a transaction", rows, floorBatch)})
			}
		})
	}
}

// storeFiles keeps packages and a verdict for each, durably.
func storeFiles(b *testing.B, dir string, all []string) {
	b.Helper()
	for _, d := range []string{"pool", "results"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	verdict := bytes.Repeat([]byte("x"), 400)
	for _, file := range all {
		body, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256(body)
		for name, content := range map[string][]byte{"pool/": body, "results/": verdict} {
			if err := storeFile(filepath.Join(dir, name+fmt.Sprintf("%x", sum)), content); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// storeFile writes a file under another name, and renames it when it is on the disk.
func storeFile(path string, body []byte) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// readFiles reads what packages say of themselves.
func readFiles(b *testing.B, all []string, read func(io.Reader) error) {
	b.Helper()
	for _, file := range all {
		f, err := os.Open(file)
		if err == nil {
			err = read(f)
			f.Close() //nolint:errcheck // it was read
		}
		if err != nil {
			b.Fatalf("%s: %v", file, err)
		}
	}
}

func readControl(r io.Reader) error {
	_, err := deb.Peek(r)
	return err
}

func readHeader(r io.Reader) error {
	_, err := rpmutils.ReadHeader(r)
	return err
}

// copyRows writes the rows of a catalog into an empty one, those of all tables that grow with packages side by side, and returns how many there
// are and what that took. Constraints between tables are off, and rows are inserted many at a time.
func copyRows(b *testing.B, from, to string) (rows int, e expense) {
	b.Helper()
	ctx := b.Context()
	fresh, err := catalogdb.Open("sqlite://" + to)
	if err != nil {
		b.Fatal(err)
	}
	if err := fresh.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	fresh.Close() //nolint:errcheck // it is opened again
	tables := tablesOf(b, from)
	db, err := sql.Open("sqlite", "file:"+to+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(0)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	most := 0
	for _, t := range tables {
		rows, most = rows+len(t.rows), max(most, len(t.rows))
	}
	batches := (sizes.packages + floorBatch - 1) / floorBatch
	e = ownExpense(func() {
		for n := range batches {
			if err := copyBatch(ctx, db, tables, n, batches); err != nil {
				b.Fatal(err)
			}
		}
	})
	return rows, e
}

// A tableRows has the rows of a table in memory, which are not part of the figure.
type tableRows struct {
	name    string
	columns int
	rows    [][]any
}

func tablesOf(b *testing.B, path string) (tables []tableRows) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	names, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%migration%' ORDER BY rowid`)
	if err != nil {
		b.Fatal(err)
	}
	for names.Next() {
		var t tableRows
		if err := names.Scan(&t.name); err != nil {
			b.Fatal(err)
		}
		tables = append(tables, t)
	}
	for i := range tables {
		if err := tables[i].read(db); err != nil {
			b.Fatal(err)
		}
	}
	return tables
}

func (t *tableRows) read(db *sql.DB) error {
	found, err := db.Query("SELECT * FROM " + t.name)
	if err != nil {
		return err
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		return err
	}
	t.columns = len(columns)
	for found.Next() {
		row, at := make([]any, t.columns), make([]any, t.columns)
		for i := range row {
			at[i] = &row[i]
		}
		if err := found.Scan(at...); err != nil {
			return err
		}
		t.rows = append(t.rows, row)
	}
	return found.Err()
}

// copyBatch inserts the n-th part of each table in one transaction.
func copyBatch(ctx context.Context, db *sql.DB, tables []tableRows, n, batches int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it was committed
	for _, t := range tables {
		some := t.rows[len(t.rows)*n/batches : len(t.rows)*(n+1)/batches]
		if len(some) == 0 {
			continue
		}
		var args []any
		for _, row := range some {
			args = append(args, row...)
		}
		one := "(" + strings.TrimSuffix(strings.Repeat("?,", t.columns), ",") + ")"
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO "+t.name+" VALUES "+one+strings.Repeat(","+one, len(some)-1), args...); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return tx.Commit()
}
