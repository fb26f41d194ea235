package stats_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	//lint:ignore SA1019 it is the runner of embedded pipelines
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/stats"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

func TestMain(m *testing.M) {
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Beam's own, too
	beamlog.SetLogger(silent{})
	os.Exit(m.Run())
}

type silent struct{}

func (silent) Log(context.Context, beamlog.Severity, int, string) {}

// A site is a catalog with one package, and a folder of logs.
type site struct {
	t        testing.TB
	db       *catalogdb.DB
	url, dir string
	hello    catalog.Package
}

func newSite(t testing.TB) *site {
	t.Helper()
	url := "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")
	db, err := catalogdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: db, url: url, dir: t.TempDir()}
	s.hello = s.add("hello", 3290)
	return s
}

// add adds a package of a size to the catalog.
func (s *site) add(name string, size int64) catalog.Package {
	s.t.Helper()
	now := time.Now()
	k := catalog.Package{
		Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}, Component: "main",
		Format: catalog.DEB, Name: name, Version: "1.0", Canonical: "1.0", Arch: "amd64", SortKey: []byte(name),
		File: catalog.File{Size: size, SHA256: strings.Repeat("ab", 32)}, Uploaded: now, Stanza: []byte("Package: " + name + "\n"),
	}
	k.Key = layout.PoolKey(k)
	distro, _ := layout.DefaultTable().Lookup(k.Distribution)
	u := catalog.Upload{Bucket: "staging", Object: k.Key, Generation: "1"}
	_, err := s.db.Declare(s.t.Context(), catalogdb.Declaration{Repository: k.Repository, Distro: distro, Component: "main"}, now)
	token, _, taken := s.db.Take(s.t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Minute}, now)
	_, _, claimed := s.db.Claim(s.t.Context(), k, catalog.Upload{})
	active := s.db.Activate(s.t.Context(), []catalogdb.Stored{{Upload: u, Token: token, Package: k}}, now)
	if err := errors.Join(err, taken, claimed, active); err != nil {
		s.t.Fatal(err)
	}
	return k
}

// line returns a line of nginx for a whole download of hello.
func (s *site) line(n int) string {
	return fmt.Sprintf("192.0.2.%d - - [29/Nov/2026:21:%02d:10 +0000] \"GET /%s HTTP/1.1\" 200 %d \"-\" \"Debian APT-HTTP/1.3 (2.4.9)\"\n", n, n%60, s.hello.Key, s.hello.File.Size)
}

func (s *site) lines(from, to int) (all string) {
	for n := from; n < to; n++ {
		all += s.line(n)
	}
	return all
}

func (s *site) write(name, text string) {
	s.t.Helper()
	body := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		body = zipped(s.t, text)
	}
	if err := os.WriteFile(filepath.Join(s.dir, name), body, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (s *site) remove(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

func embedded(ctx context.Context, _ string, p *beam.Pipeline) error {
	_, err := direct.Execute(ctx, p)
	return err
}

func (s *site) run() stats.Run {
	return stats.Run{DB: s.db, Catalog: s.url, Logs: []string{s.dir}, Keep: stats.DefaultKeep, Execute: embedded, Bounded: true}
}

// counts runs once and compares what it counted, and the downloads of all runs.
func (s *site) counts(want stats.Summary, downloads int64) {
	s.t.Helper()
	got, err := s.run().Do(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("the run (-want +got):\n%s", diff)
	}
	s.has(downloads)
}

func (s *site) has(downloads int64) {
	s.t.Helper()
	rows, err := s.db.Downloads(s.t.Context(), catalog.StatisticsQuery{})
	if err != nil || rows[0].Count != downloads {
		s.t.Errorf("there are %v downloads, %v; want %d", rows, err, downloads)
	}
}

func lines(n int64) catalog.LogLines { return catalog.LogLines{Lines: n, Downloads: n} }

// What logrotate does to a log on a busy host.
func TestLogsAreCountedOnceThroughRotations(t *testing.T) {
	s := newSite(t)
	s.write("access.log", s.lines(0, 10)+"192.0.2.9 - - [29/Nov") // nginx is writing
	s.counts(stats.Summary{Logs: 1, Lines: lines(10)}, 10)
	s.counts(stats.Summary{Logs: 0, Unchanged: 1}, 10)

	s.write("access.log", s.lines(0, 15))
	s.counts(stats.Summary{Logs: 1, Lines: lines(5)}, 15)

	s.write("access.log.1", s.lines(0, 17)) // rotated, and a new one
	s.write("access.log", s.lines(17, 20))
	s.counts(stats.Summary{Logs: 2, Lines: lines(2 + 3)}, 20)

	s.write("access.log.2.gz", s.lines(0, 18)) // compressed after the last lines
	s.write("access.log.1", s.lines(17, 21))
	s.remove("access.log")
	s.counts(stats.Summary{Logs: 2, Lines: lines(1 + 1)}, 22)

	s.write("access.log.3", s.lines(0, 18)) // both for a while
	s.counts(stats.Summary{Logs: 1, Unchanged: 1}, 22)

	s.write("late.log", s.lines(30, 34)) // of another server, late
	s.counts(stats.Summary{Logs: 1, Unchanged: 2, Lines: lines(4)}, 26)
}

func TestLogThatCannotBeReadCountsNothing(t *testing.T) {
	s := newSite(t)
	s.write("good.log", s.lines(0, 3))
	s.write("broken.log.gz", s.lines(10, 2000))
	body, err := os.ReadFile(filepath.Join(s.dir, "broken.log.gz"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("broken.log", string(body[:len(body)/2])) // gzip under another name, cut off
	s.remove("broken.log.gz")
	s.counts(stats.Summary{Logs: 1, Failed: 1, Lines: lines(3)}, 3)
	s.write("broken.log", string(body))
	s.counts(stats.Summary{Logs: 1, Unchanged: 1, Lines: lines(1990)}, 1993)
}

// A run that is killed between its batches, and its repetition.
func TestInterruptedRunCountsNothingTwice(t *testing.T) {
	s := newSite(t)
	s.write("a.log", s.lines(0, 3))
	s.write("b.log", s.lines(10, 15))
	r := s.run()
	for _, when := range []string{"before", "after"} {
		killed, kill := context.WithCancel(t.Context())
		r.Execute = func(ctx context.Context, name string, p *beam.Pipeline) (err error) {
			if when == "after" {
				err = embedded(t.Context(), name, p)
			}
			kill()
			return errors.Join(err, ctx.Err())
		}
		if _, err := r.Do(killed); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	s.counts(stats.Summary{Unchanged: 2}, 8)
}

// A server rotates its logs after they were listed, and before they are read.
func TestRotationDuringARunCountsNothingWrongly(t *testing.T) {
	s := newSite(t)
	s.write("access.log", s.lines(0, 3))
	s.counts(stats.Summary{Logs: 1, Lines: lines(3)}, 3)
	s.write("access.log", s.lines(0, 5))
	r := s.run()
	r.Execute = func(ctx context.Context, name string, p *beam.Pipeline) error {
		s.write("access.log.1", s.lines(0, 5))
		s.write("access.log", s.lines(20, 40)) // longer than what was counted of the old one
		return embedded(ctx, name, p)
	}
	if got, err := r.Do(t.Context()); err != nil || got.Failed != 1 || got.Logs != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	s.counts(stats.Summary{Logs: 2, Lines: lines(2 + 20)}, 25)
}

// Two runs plan the same logs. One of them finds that the other one has counted.
func TestConcurrentRunsCountOnce(t *testing.T) {
	s := newSite(t)
	s.write("a.log", s.lines(0, 3))
	slow := s.run()
	slow.Execute = func(ctx context.Context, name string, p *beam.Pipeline) error {
		s.counts(stats.Summary{Logs: 1, Lines: lines(3)}, 3)
		return embedded(ctx, name, p)
	}
	got, err := slow.Do(t.Context())
	if err != nil || got.Logs != 0 || got.Failed != 1 {
		t.Errorf("the slow run: %+v, %v", got, err)
	}
	s.has(3)
}

func TestPrismCountsTheSame(t *testing.T) {
	s := newSite(t)
	s.write("a.log", s.lines(0, 30))
	s.write("b.log.gz", s.lines(30, 50))
	r := s.run()
	r.Execute = func(ctx context.Context, _ string, p *beam.Pipeline) error {
		_, err := prism.Execute(ctx, p)
		return err
	}
	got, err := r.Do(t.Context())
	if diff := cmp.Diff(stats.Summary{Logs: 2, Lines: lines(50)}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	s.has(50)
}

// The size of the package separates partial downloads from whole ones, over several logs.
func TestDownloadsAreWhole(t *testing.T) {
	s := newSite(t)
	part := strings.Replace(s.lines(0, 7), " 200 3290 ", " 200 1000 ", 3)
	other := strings.Replace(s.line(20), "hello_1.0", "hello_9.9", 1)
	s.write("a.log", part+other)
	s.write("b.log", s.line(30)+strings.Replace(s.line(31), " 200 3290 ", " 200 3289 ", 1))
	s.counts(stats.Summary{Logs: 2, Lines: catalog.LogLines{Lines: 10, Downloads: 5, Partial: 4, Unknown: 1}}, 5)
}

func TestNothingOfAClientIsStored(t *testing.T) {
	s := newSite(t)
	s.write("a.log", strings.ReplaceAll(s.line(77), "GET /", "GET /priv/rmt_topsecret/"))
	s.counts(stats.Summary{Logs: 1, Lines: lines(1)}, 1)
	for _, name := range []string{"", "-wal"} {
		body, err := os.ReadFile(strings.TrimPrefix(s.url, "sqlite://") + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"192.0.2.77", "topsecret", "APT-HTTP"} {
			if bytes.Contains(body, []byte(secret)) {
				t.Errorf("the catalog has %q", secret)
			}
		}
	}
}
