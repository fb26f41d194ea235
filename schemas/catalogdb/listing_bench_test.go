package catalogdb_test

import (
	"database/sql"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// BenchmarkListPackages lists pages of a repository of 100,000 packages, each with a stanza of a kilobyte, as the calls of
// packagecloud's API do.
func BenchmarkListPackages(b *testing.B) {
	path := filepath.Join(b.TempDir(), "catalog.db")
	db, err := catalogdb.Open("sqlite://" + path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Declare(b.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy)}, start); err != nil {
		b.Fatal(err)
	}
	fill(b, path)
	for _, bb := range []struct {
		name string
		q    catalog.PackageQuery
	}{
		{"first page", catalog.PackageQuery{Limit: 30}},
		{"last page", catalog.PackageQuery{Limit: 30, Offset: 99_970}},
		{"part of a file name", catalog.PackageQuery{Limit: 30, File: "pkg-0999"}},
		{"versions of a name", catalog.PackageQuery{Limit: 250, Name: "pkg-05000"}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			bb.q.Repository = tools
			before := cpu(b)
			for b.Loop() {
				if page, err := db.ListPackages(b.Context(), bb.q); err != nil || len(page.Packages) == 0 {
					b.Fatal(page.Total, err)
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// fill inserts the packages, which is quicker than to claim and activate each.
func fill(b *testing.B, path string) {
	b.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
		INSERT INTO packages (distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, file, size, sha256, md5, uploaded_at, state, stanza)
		SELECT 1, 'main', printf('pkg-%05d', i / 10), '1.' || (i % 10), '1.' || (i % 10), 'amd64', '', printf('%05d.%d', i / 10, i % 10),
			printf('acme/tools/ubuntu/pool/jammy/main/p/pkg-%05d/pkg-%05d_1.%d_amd64.deb', i / 10, i / 10, i % 10), printf('pkg-%05d_1.%d_amd64.deb', i / 10, i % 10), 1000, printf('%064d', i), '', 0, 'active', randomblob(1000) FROM n`); err != nil {
		b.Fatal(err)
	}
}

// cpu returns the time that this process has spent so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
