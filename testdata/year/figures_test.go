package year_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// A month is what was counted at the end of a simulated month.
type month struct {
	end     time.Time
	uploads int // that were pushed in it
	rows    map[string]int
	bytes   int64 // of the database
	bucket  size
	staging size
	heap    uint64        // bytes, after a garbage collection
	spent   time.Duration // processor time of the worker, for all uploads and passes
	took    time.Duration // what the machine needed for it
	slow    time.Duration // the median of publishes of one package each
	least   time.Duration // processor time of the one of them that needed least
}

// A size is how many objects there are, and their bytes.
type size struct{ objects, bytes int64 }

// A figure is one of a month.
type figure struct {
	name  string
	of    func(month) float64
	kind  kind
	slack float64 // how much a bounded figure may grow besides; 0 means that of tables
}

// A kind says what is demanded of a figure.
type kind int

const (
	bounded  kind = iota // it must not grow
	grows                // it grows with what is kept for good
	measured             // it depends on what else the machine does: it is shown
)

// figures are those besides the rows of tables. Files of packages and indexes are bounded by retention; what grows in the bucket is the list of
// withdrawn packages, which names each.
var figures = []figure{
	{"database, kB", func(m month) float64 { return float64(m.bytes) / 1000 }, grows, 0},
	{"objects in the bucket", func(m month) float64 { return float64(m.bucket.objects) }, bounded, 0},
	{"bucket, kB", func(m month) float64 { return float64(m.bucket.bytes) / 1000 }, grows, 0},
	{"objects in staging", func(m month) float64 { return float64(m.staging.objects) }, bounded, 0},
	{"staging, kB", func(m month) float64 { return float64(m.staging.bytes) / 1000 }, bounded, 0},
	{"heap, MB", func(m month) float64 { return float64(m.heap) / 1e6 }, bounded, 0},
	{"CPU of the worker for an upload, ms", func(m month) float64 { return m.spent.Seconds() * 1000 / float64(max(m.uploads, 1)) }, measured, 0},
	{"publish of one package, ms", func(m month) float64 { return m.slow.Seconds() * 1000 }, measured, 0},
	// The least of many does not depend on what else the machine does, as their median does.
	{"CPU of a publish, ms", func(m month) float64 { return m.least.Seconds() * 1000 }, bounded, 3},
	{"a day of the simulation, ms", func(m month) float64 { return m.took.Seconds() * 1000 / float64(*each) }, measured, 0},
}

// count counts what there is now.
func (y *year) count() (m month, err error) {
	m.end, m.rows = time.Now(), map[string]int{}
	m.bucket, err = measure(y.dir + "/bucket")
	if err != nil {
		return m, err
	}
	if m.staging, err = measure(y.dir + "/staging"); err != nil {
		return m, err
	}
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	m.heap = mem.HeapAlloc
	db, err := sql.Open("sqlite", "file:"+y.dir+"/catalog.db?mode=ro")
	if err != nil {
		return m, err
	}
	defer db.Close()
	tables, err := column1(db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`)
	if err != nil {
		return m, err
	}
	for _, name := range tables {
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM ` + name).Scan(&n); err != nil {
			return m, err
		}
		m.rows[name] = n
	}
	// What is free in the file is used again.
	return m, db.QueryRow(`SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`).Scan(&m.bytes)
}

// column1 returns the one column of a query.
func column1(db *sql.DB, query string) (all []string, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// measure counts the files below a folder.
func measure(root string) (s size, err error) {
	err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			s.objects++
			s.bytes += info.Size()
		}
		return err
	})
	return s, err
}
