package catalogdb_test

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/faults"
	"repomill/testdata/mysqltest"
)

var recoverRows = flag.Int("recover.rows", 10_000, "how many rows BenchmarkRecover takes over")

// BenchmarkRecover takes a published release over into an empty catalog, and reports how many rows a second, and how long the slowest write
// to another repository took at that time. With MariaDB it does so beside the server, and 2 ms away from it.
func BenchmarkRecover(b *testing.B) {
	for name, url := range map[string]func(b *testing.B) string{
		"SQLite":  func(b *testing.B) string { return "sqlite://" + filepath.Join(b.TempDir(), "catalog.db") },
		"MariaDB": func(b *testing.B) string { return mysqltest.NewServer(b).Database(b) },
		"MariaDB 2 ms away": func(b *testing.B) string {
			s := mysqltest.NewServer(b)
			return mysqltest.AtPort(s.Database(b), faults.NewSlow(b, s.Socket(), 2*time.Millisecond))
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				recoverOnce(b, url(b))
			}
		})
	}
}

func recoverOnce(b *testing.B, url string) {
	db := migrated(b, url)
	defer db.Close()
	if _, err := db.Declare(b.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy)}, start); err != nil {
		b.Fatal(err)
	}
	ctx, end := context.WithCancel(b.Context())
	var slowest time.Duration
	var beside sync.WaitGroup
	beside.Go(func() { slowest = writeBeside(ctx, b, db) })
	begin := time.Now()
	got, err := db.Recover(b.Context(), jammy, manyRows(*recoverRows), foreign, start)
	took := time.Since(begin)
	end()
	beside.Wait()
	if err != nil || got.Inserted != *recoverRows {
		b.Fatalf("recovered %+v, %v", got, err)
	}
	b.ReportMetric(float64(*recoverRows)/took.Seconds(), "rows/s")
	b.ReportMetric(float64(slowest.Milliseconds()), "ms/slowest-beside")
}

// writeBeside takes uploads of another repository until ctx ends, and returns how long the slowest took.
func writeBeside(ctx context.Context, b *testing.B, db *catalogdb.DB) (slowest time.Duration) {
	for i := 0; ctx.Err() == nil; i++ {
		u := catalog.Upload{Bucket: "staging", Object: fmt.Sprintf("acme/other/ubuntu/jammy/%d.deb", i), Generation: "1"}
		begin := time.Now()
		if _, _, err := db.Take(b.Context(), u, lease, start); err != nil {
			b.Error(err)
		}
		slowest = max(slowest, time.Since(begin))
		time.Sleep(10 * time.Millisecond)
	}
	return slowest
}

// manyRows yields packages whose stanzas have about the size of real ones.
func manyRows(n int) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for i := range n {
			k := deb(jammy, fmt.Sprintf("package-%07d", i), "1.2.3-4")
			k.State = catalog.Active
			k.Stanza = fmt.Appendf(nil, "Package: %s\nVersion: %s\nArchitecture: amd64\nDepends: libc6 (>= 2.34), libgcc-s1, lib%s\nFilename: %s\nSize: %d\nSHA256: %s\nDescription: %s\n%s\n",
				k.Name, k.Version, k.File.SHA256[:9], k.Key, k.File.Size, k.File.SHA256, k.File.SHA256[20:40], strings.Repeat(" a line of the description of a package, which is long enough\n", 6))
			if !yield(k, nil) {
				return
			}
		}
	}
}
