package year_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	//lint:ignore SA1019 it is what the worker runs pipelines with
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"repomill/ingest"
	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var (
	days         = flag.Int("year.days", 54, "how many days pass")
	repositories = flag.Int("year.repositories", 6, "how many repositories there are")
	uploads      = flag.Int("year.uploads", 3, "how many uploads there are on each day, in all repositories together")
	history      = flag.Int("year.history", 8, "days for which history is kept; repomill keeps 32 at least")
	retention    = flag.Int("year.retention", 1, "days for which superseded objects and finished uploads are kept")
	each         = flag.Int("year.month", 6, "days of a month")
	seed         = flag.Uint64("year.seed", 1, "seed of the random choices")
	out          = flag.String("year.out", "", "folder for RESULTS.md and rows.svg; empty for none")
	folder       = flag.String("year.dir", "", "folder for the site, which stays; empty for one in memory, if there is any, that goes")
)

func TestMain(m *testing.M) {
	flag.Parse()
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Beam's own, too
	beamlog.SetLogger(silent{})
	tellSQLite()
	os.Exit(m.Run())
}

type silent struct{}

func (silent) Log(context.Context, beamlog.Severity, int, string) {}

// A year is one site, and what was counted of it.
type year struct {
	t       *testing.T
	dir     string
	r       *pipelines.Resources
	traffic *traffic
	months  []month
	began   time.Duration // when the year began, by the stopwatch
	begun   time.Duration // when the month did
	where   string        // the machine, its date, and the commit
	log     *logged
}

// TestYear lets time pass.
func TestYear(t *testing.T) {
	dir := *folder
	if dir == "" {
		dir = inMemory(t)
	}
	now, err := machineTime(dir)
	if err != nil {
		t.Fatal(err)
	}
	y := &year{dir: dir, log: &logged{}, began: stopwatch(), where: where()}
	synctest.Test(t, func(t *testing.T) {
		y.t = t
		// The simulation ends before the time of the machine: files that are written within a day are younger than it.
		time.Sleep(time.Until(now.AddDate(0, 0, -*days-30).Truncate(day)))
		if err := y.pass(); err != nil {
			t.Fatal(err)
		}
	})
	if t.Failed() || len(y.months) == 0 {
		return
	}
	fmt.Print(y.table())
	for _, sentence := range judge(y.months) {
		t.Error(sentence)
	}
	if *out != "" {
		if err := y.report(*out, true); err != nil {
			t.Error(err)
		}
	}
}

// inMemory returns a folder in memory, or a temporary one.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "repomill-year-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// open makes the site.
func (y *year) open() error {
	key, err := sign.Generate("key of a year", sign.MinRSABits, time.Now())
	if err != nil {
		return err
	}
	private, err := key.Private()
	if err == nil {
		err = os.WriteFile(y.dir+"/key.asc", private, 0o600)
	}
	if err != nil {
		return err
	}
	catalogURL := "sqlite://" + y.dir + "/catalog.db"
	db, err := catalogdb.Open(catalogURL)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Migrate(y.t.Context()), db.Close()); err != nil {
		return err
	}
	y.r, err = pipelines.Open(context.WithoutCancel(y.t.Context()), pipelines.Config{
		Staging: "file://" + y.dir + "/staging", Bucket: "file://" + y.dir + "/bucket", Catalog: catalogURL, SigningKey: "file://" + y.dir + "/key.asc",
		PublicURL: "http://packages.example.org", Create: true, MaxPackageSize: ingest.DefaultMaxSize, CacheDir: y.dir + "/cache", MaxContents: 16 << 20,
		Retention: time.Duration(*retention) * day, History: time.Duration(*history) * day,
	})
	if err == nil { // as repomill worker does
		err = errors.Join(y.r.Catalog.Ready(y.t.Context()), y.r.CheckKey(context.WithoutCancel(y.t.Context())))
	}
	if err == nil {
		y.r.Log = slog.New(slog.NewTextHandler(y.log, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	return err
}

// pass lets the days pass.
func (y *year) pass() error {
	if err := y.open(); err != nil {
		return err
	}
	defer y.r.Close()
	y.traffic = &traffic{t: y.t, r: y.r, rand: rand.New(rand.NewPCG(*seed, 0))}
	first, err := y.traffic.declare(*repositories)
	if err == nil {
		_, err = y.work(first)
	}
	for i, p := range y.traffic.repositories {
		if err == nil {
			err = y.traffic.rules(i, p)
		}
	}
	for n := 0; n < *days && err == nil; n++ {
		if n%*each == 0 {
			y.months, y.begun = append(y.months, month{}), stopwatch()
		}
		err = y.day(n)
		if err == nil && n%*each == *each-1 {
			err = y.endMonth()
		}
	}
	if n := len(y.months); n > 0 && y.months[n-1].rows == nil {
		y.months = y.months[:n-1] // it is not over
	}
	return err
}

// day is one day: people and CI by day, and the worker at night.
func (y *year) day(n int) error {
	night := time.Now().Add(day)
	held, err := y.traffic.week(n)
	if err != nil {
		return fmt.Errorf("day %d: %w", n, err)
	}
	all, err := y.traffic.day(*uploads)
	if err != nil {
		return err
	}
	all = append(all, held...)
	spent, err := y.work(all)
	if err != nil {
		return fmt.Errorf("day %d: %w", n, err)
	}
	m := &y.months[len(y.months)-1]
	m.spent += spent
	m.uploads += len(all)
	time.Sleep(time.Until(night))
	return nil
}

// work has a worker take uploads, run all of its passes, and end. It demands the verdict of each upload.
func (y *year) work(all []upload) (spent time.Duration, err error) {
	since, err := machineTime(y.dir)
	if err != nil {
		return 0, err
	}
	ctx := context.WithoutCancel(y.t.Context())
	d := &worker.Dispatcher{Resources: y.r, Source: events(all), Run: runDirect, Once: true}
	begin := cpu()
	if err := d.Serve(ctx, time.Minute); err != nil {
		return 0, err
	}
	spent = cpu() - begin
	for _, u := range all {
		v, err := y.r.Catalog.Verdict(ctx, u.Upload)
		if err != nil || v.State != u.want || v.Reason != u.why {
			return 0, fmt.Errorf("%s is %s %s, %w; want %s %s", u.Upload, v.State, v.Reason, err, u.want, u.why)
		}
	}
	if said := y.log.take(); said != "" {
		return 0, fmt.Errorf("the worker says\n%s", said)
	}
	behind, err := y.r.Catalog.Unpublished(ctx)
	if err != nil || len(behind) > 0 {
		return 0, fmt.Errorf("%v are not published, %w", behind, err)
	}
	return spent, date(y.dir+"/bucket", since, time.Now())
}

func runDirect(ctx context.Context, p *beam.Pipeline) error {
	_, err := direct.Execute(ctx, p)
	return err
}

// endMonth counts, and measures publishes.
func (y *year) endMonth() (err error) {
	m, err := y.count()
	if err != nil {
		return err
	}
	last := &y.months[len(y.months)-1]
	m.uploads, m.spent, m.took = last.uploads, last.spent, stopwatch()-y.begun
	m.slow, m.least, err = y.publishes(publishesEnd)
	*last = m
	y.t.Logf("month %d of %d: %.1f s, CPU %.1f s", len(y.months), *days / *each, m.took.Seconds(), m.spent.Seconds())
	if err == nil && *out != "" { // a year that is ended early leaves what it has
		err = y.report(*out, false)
	}
	return err
}

// publishes returns the median of how long it takes from an upload until clients see it, one at a time, without other work, and the
// least processor time.
func (y *year) publishes(n int) (median, least time.Duration, err error) {
	ctx := context.WithoutCancel(y.t.Context())
	since, err := machineTime(y.dir)
	if err != nil {
		return 0, 0, err
	}
	var took, spent []time.Duration
	for i := range n {
		p := y.traffic.repositories[i%len(y.traffic.repositories)]
		u, err := y.traffic.fresh(p)
		if err != nil {
			return 0, 0, err
		}
		begin, used := stopwatch(), cpu()
		token, _, err := y.r.Catalog.Take(ctx, u.Upload, catalogdb.Lease{Owner: "year", For: time.Minute}, time.Now())
		if err != nil {
			return 0, 0, err
		}
		pipe, root := beam.NewPipelineWithRoot()
		task := pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token}
		pipelines.Ingest(root, y.r.Config, beam.Create(root, pipelines.Batch{Tasks: []pipelines.Task{task}}))
		if err := runDirect(ctx, pipe); err != nil {
			return 0, 0, err
		}
		if res := y.r.PublishRelease(ctx, p.release, ""); res.Err != nil {
			return 0, 0, res.Err
		}
		took, spent = append(took, stopwatch()-begin), append(spent, cpu()-used)
		if state, err := y.r.Catalog.State(ctx, u.Upload); err != nil || state != catalog.Published {
			return 0, 0, fmt.Errorf("%s is %s, %w", u.Upload, state, err)
		}
	}
	slices.Sort(took)
	return took[n/2], slices.Min(spent), date(y.dir+"/bucket", since, time.Now())
}

// An eventSource is the events of some uploads.
type eventSource []upload

func events(all []upload) queue.Source { return eventSource(all) }

// Receive implements queue.Source.
func (s eventSource) Receive(ctx context.Context, f func(queue.Event)) error {
	for _, u := range s {
		f(queue.Event{Upload: u.Upload})
	}
	<-ctx.Done()
	return nil
}

// logged keeps what the worker logs as an error.
type logged struct{ text []byte }

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logged) take() string {
	said := string(l.text)
	l.text = nil
	return said
}

var _ io.Writer = (*logged)(nil)
