package pages_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"repomill/publish"
	"repomill/publish/pages"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

var million = flag.Bool("million", false, "BenchmarkPages of 1,000,000 packages, too")

// perName is how many versions each package of a large repository has.
const perName = 10

// fill gives a repository some packages in jammy, ten versions of each name, by copies of the row of one that is published. With names,
// the list of names has them, and all their pages count as made.
func (w *world) fill(packages int, names bool) {
	w.t.Helper()
	w.push(pkg{jammy, "seed", "1.0", strings.Repeat("says something ", 4)})
	w.publish()
	db, err := sql.Open("sqlite", w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	exec := func(query string, args ...any) {
		w.t.Helper()
		if _, err := tx.Exec(query, args...); err != nil {
			w.t.Fatalf("%s: %v", query, err)
		}
	}
	exec(`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
		INSERT INTO packages (distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, file, size, sha256, md5, uploaded_at, state, stanza, pushed_by, pushed_job)
		SELECT distribution_id, component, printf('pkg-%06d', i / 10), printf('1.%02d', i % 10), printf('1.%02d', i % 10), arch, dir, CAST(printf('pkg-%06d 1.%02d', i / 10, i % 10) AS BLOB),
			printf('acme/tools/ubuntu/pool/jammy/main/p/pkg/%d.deb', i), printf('%d.deb', i), size, printf('%064x', i), md5, uploaded_at + i, state, stanza, '', ''
		FROM packages, n WHERE name = 'seed'`, packages)
	exec(`INSERT INTO visibility (release_id, package_id, came, came_at) SELECT a.release_id, k.id, a.came, a.came_at FROM packages k, visibility a JOIN packages s ON s.id = a.package_id AND s.name = 'seed'
		WHERE k.name <> 'seed'`)
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
	if !names {
		return
	}
	for { // all is queued, and made
		queued, err := w.db.QueuePages(w.t.Context(), 1_000_000, w.at())
		if err != nil {
			w.t.Fatal(err)
		}
		if queued == 0 {
			break
		}
	}
	m := w.maker()
	tx, err = db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	exec(`DELETE FROM page_requests`)
	for i := range packages / perName {
		name := fmt.Sprintf("pkg-%06d", i)
		exec(`INSERT INTO page_names (repository_id, name, level, summary, version, formats, at, packages) SELECT id, ?, ?, 'says something', '1.09', '["deb"]', 1, ? FROM repositories`, name, m.Level(name), perName)
	}
	exec(`UPDATE page_states SET packages = ?, names = ?`, packages, packages/perName)
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
	for level := range 3 { // the list has its levels
		w.bucket.Put(layout.NamesPageKey(tools, level, ""), []byte("x"))
		w.bucket.Put(layout.NamesTwinKey(tools, level, ""), []byte("x"))
	}
}

// BenchmarkPages pushes one more version of a package, and compares the publish with the pages: how many objects, bytes and seconds
// of the processor each takes.
func BenchmarkPages(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 100_000 && !*million {
				b.Skip("use -args -million")
			}
			w := newWorld(b)
			w.large = true
			w.fill(n, true)
			m := w.maker()
			p, err := publish.New(publish.Config{Bucket: w.bucket, Catalog: w.db, Signer: signer(), Rows: rowReader{}, PublicURL: publicURL, Now: w.bucket.Now,
				Log: slog.New(slog.DiscardHandler), CacheDir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			w.push(pkg{jammy, "pkg-000000", "1.90", "first"})
			w.publishWith(p)
			w.make(m)
			var done pages.Counts
			var publishing, making time.Duration
			rounds := 0
			for b.Loop() {
				rounds++
				w.push(pkg{jammy, fmt.Sprintf("pkg-%06d", (rounds*37)%(n/perName)), fmt.Sprintf("2.%d", rounds), "one more"})
				begin := cpu()
				w.publishWith(p)
				publishing += cpu() - begin
				begin = cpu()
				counts, failures := w.make(m)
				making += cpu() - begin
				if done.Add(counts); failures > 0 {
					b.Fatal(failures)
				}
			}
			per := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(rounds) }
			b.ReportMetric(float64(done.Written)/float64(rounds), "pages/op")
			b.ReportMetric(float64(done.Bytes)/float64(rounds), "page-bytes/op")
			b.ReportMetric(per(making), "pages-cpu-ms/op")
			b.ReportMetric(per(publishing), "publish-cpu-ms/op")
		})
	}
}

// publishWith publishes jammy.
func (w *world) publishWith(p *publish.Publisher) {
	w.t.Helper()
	w.pass(2 * time.Second)
	if _, err := p.Release(w.t.Context(), jammy); err != nil {
		w.t.Fatal(err)
	}
}

// cpu returns how long the process has used processors.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPagesWhole makes all pages of 100,000 packages.
func BenchmarkPagesWhole(b *testing.B) {
	for b.Loop() {
		w := newWorld(b)
		w.large = true
		w.fill(100_000, false)
		store := &sums{found: map[string]layout.Version{}}
		m := w.makerOn(store)
		begin, used := time.Now(), cpu()
		done := w.makeShares(m, 1000)
		b.ReportMetric(time.Since(begin).Seconds(), "s")
		b.ReportMetric((cpu() - used).Seconds(), "cpu-s")
		b.ReportMetric(float64(done.Written), "pages")
		b.ReportMetric(float64(done.Bytes)/1e6, "MB")
		b.ReportMetric(peak(), "peak-MB")
	}
}

// makeShares makes the pages that are due, in shares as the pipeline has them.
func (w *world) makeShares(m *pages.Maker, share int) (done pages.Counts) {
	w.t.Helper()
	for {
		w.pass(time.Second)
		queued, err := w.db.QueuePages(w.t.Context(), share, w.at())
		if err != nil {
			w.t.Fatal(err)
		}
		work, taken, err := w.db.TakePages(w.t.Context(), tools, catalogdb.Lease{Owner: "test", For: time.Hour}, share, w.at())
		if err != nil {
			w.t.Fatal(err)
		}
		if !taken && queued == 0 {
			return done
		}
		if !taken {
			continue
		}
		failed, counts, err := m.Make(w.t.Context(), work)
		if err != nil || len(failed) > 0 {
			w.t.Fatal(err, failed)
		}
		done.Add(counts)
		if err := w.db.EndPages(w.t.Context(), work, failed, w.at()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// peak returns how much memory the process had at most, in MB.
func peak() float64 {
	status, _ := os.ReadFile("/proc/self/status") //nolint:errcheck // 0 then
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB float64
	fmt.Sscan(rest, &kB) //nolint:errcheck // 0 then
	return kB / 1024
}

// sums is a bucket that keeps of its objects the digests alone: what it returns of an object is another text than was stored.
type sums struct {
	mu    sync.Mutex
	found map[string]layout.Version
}

func (s *sums) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	meta, err := s.Stat(ctx, key)
	return io.NopCloser(bytes.NewReader([]byte(meta.Version))), meta, err
}

func (s *sums) Stat(_ context.Context, key string) (layout.Meta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.found[key]
	if !ok {
		return layout.Meta{}, fs.ErrNotExist
	}
	return layout.Meta{Version: v}, nil
}

func (s *sums) List(context.Context, string, func(string, layout.Meta) error) error { return nil }

func (s *sums) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	_, err := s.Swap(ctx, "", o, body)
	if errors.Is(err, layout.ErrConflict) {
		return fs.ErrExist
	}
	return err
}

func (s *sums) Swap(_ context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return "", err
	}
	v := layout.Version(hex.EncodeToString(h.Sum(nil)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found[o.Key] != old {
		return "", layout.ErrConflict
	}
	s.found[o.Key] = v
	return v, nil
}

func (s *sums) Delete(_ context.Context, key string, _ layout.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.found, key)
	return nil
}

// BenchmarkPagesOfSnapshots takes one more snapshot of a repository that has many, and makes the pages.
func BenchmarkPagesOfSnapshots(b *testing.B) {
	for _, n := range []int{10, 1_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			w.large = true
			w.push(pkg{jammy, "hello", "1.0", "says hello"}, pkg{noble, "hello", "1.0", "says hello"}, pkg{el9, "tool", "1.0", "a tool"})
			w.publish()
			for range n {
				w.keep("", nil)
			}
			m := w.maker()
			w.make(m)
			var done pages.Counts
			rounds, used, begin := 0, time.Duration(0), time.Now()
			for b.Loop() {
				rounds++
				w.keep("", nil)
				from := cpu()
				counts, failures := w.make(m)
				used += cpu() - from
				if done.Add(counts); failures > 0 {
					b.Fatal(failures)
				}
			}
			b.ReportMetric(time.Since(begin).Seconds()/float64(rounds), "s/op")
			b.ReportMetric(float64(used.Microseconds())/1000/float64(rounds), "pages-cpu-ms/op")
			b.ReportMetric(float64(done.Written)/float64(rounds), "written/op")
			b.ReportMetric(float64(done.Same)/float64(rounds), "read/op")
		})
	}
}
