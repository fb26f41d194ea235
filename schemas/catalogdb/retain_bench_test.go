package catalogdb_test

import (
	"database/sql"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// BenchmarkRetention applies "newest 3" to 1,000,000 packages of one release, ten versions of each name, of which all need another one
// by exact version; it lists what leaves, and withdraws as many as one transaction does. It reports how much the heap grew at most.
func BenchmarkRetention(b *testing.B) {
	const packages = 1_000_000
	for name, database := range map[string]func() database{
		"SQLite": func() database { return onSQLite(filepath.Join(b.TempDir(), "catalog.db")) },
		"MySQL":  func() database { return onMySQL(mysqltest.Start(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			e := database()
			db := migrated(b, e.url)
			defer db.Close()
			emptyRelease(b, db)
			fillPages(b, e, packages)
			text, blob := `randomblob(600)`, "BLOB"
			if e.driver == "mysql" {
				text, blob = `REPEAT(SHA2(id, 256), 9)`, "BINARY"
			}
			raw, err := sql.Open(e.driver, e.dsn)
			if err == nil {
				_, err = raw.Exec(`UPDATE packages SET sort_key = CAST(sort_key AS ` + blob + `), stanza = ` + text)
			}
			if err == nil {
				_, err = raw.Exec(`INSERT INTO exact_needs (distribution_id, package_id, name, from_version, until_version)
					SELECT n.distribution_id, n.id, k.name, k.canonical, k.canonical FROM packages n JOIN packages k ON k.id = n.id + 10`)
			}
			if err == nil {
				err = raw.Close()
			}
			if err == nil {
				_, err = db.ChangeSettings(b.Context(), tools, start, func(s *catalog.Settings) error { s.Retention = []catalog.Retention{{Newest: 3}}; return nil })
			}
			if err != nil {
				b.Fatal(err)
			}
			benchmarkRetention(b, db, packages/10*7)
		})
	}
}

func benchmarkRetention(b *testing.B, db *catalogdb.DB, leave int) {
	for b.Loop() {
		peak := heapPeak()
		begin, used := time.Now(), cpuTime()
		s, err := db.Retention(b.Context(), wholeTools, start.AddDate(0, 0, 90))
		if err != nil || s.Leave != leave {
			b.Fatal(s.Leave, err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s/plan")
		b.ReportMetric((cpuTime() - used).Seconds(), "cpu-s/plan")
		listed := 0
		for _, err := range db.Leaving(b.Context(), s) {
			if listed++; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s/plan+list")
		b.ReportMetric(float64(peak())/(1<<20), "MiB-heap")
		begin = time.Now()
		done, err := db.Retain(b.Context(), wholeTools, catalogdb.Retaining{At: start.AddDate(0, 0, 90), Yank: asExpired}, start.AddDate(0, 0, 90), agree)
		if err != nil || len(done.Packages) != 100_000 || done.Left != leave-100_000 || listed != leave {
			b.Fatal(len(done.Packages), done.Left, listed, err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s/run")
	}
}

// cpuTime returns what this process has used; a server of the database is another one.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heapPeak samples the heap until the function that it returns is called, which returns how much that grew at most.
func heapPeak() func() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, peak, stop, stopped := m.HeapInuse, m.HeapInuse, make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(stop); <-stopped; return peak - before }
}
