package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A fakeEngine rejects the uploads of its jobs, which is to finish them, and fails a job in which a file
// is called poison, before any other is finished.
type fakeEngine struct {
	db     *catalogdb.DB
	broken bool
	jobs   []int // how many uploads each had
	files  []string
}

func (e *fakeEngine) run(ctx context.Context, _ string, batches []pipelines.Batch, detach bool) error {
	var tasks []pipelines.Task
	for _, b := range batches {
		tasks = append(tasks, b.Tasks...)
	}
	e.jobs = append(e.jobs, len(tasks))
	if e.broken || slices.ContainsFunc(tasks, func(t pipelines.Task) bool { return strings.Contains(t.Object, "poison") }) {
		return errors.New("worker lost\nand a long log")
	}
	for _, t := range tasks {
		e.files = append(e.files, filepath.Base(t.Object))
		if err := e.db.Reject(ctx, t.Upload(), t.Token, catalog.Rejection{Reason: catalog.Empty, Detail: "x"}, time.Now()); err != nil {
			return err
		}
	}
	if detach {
		return errDetached
	}
	return nil
}

// newDrain makes an embedded site with files in staging, and a drain on a fake engine.
func newDrain(t *testing.T, maxJob int, names ...string) (*drain, *fakeEngine) {
	t.Helper()
	dir := t.TempDir()
	staging, err := objects.OpenStaging(t.Context(), "file://"+dir+"/staging")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	db, err := catalogdb.Open("sqlite://" + dir + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := &fakeEngine{db: db}
	d := &drain{resources: &pipelines.Resources{Catalog: db, Staging: staging, Log: slog.Default()}, run: e.run, name: "test", maxJob: maxJob}
	push(t, d, names...)
	return d, e
}

// push puts files into staging, of acme/tools/ubuntu/jammy unless they name something else.
func push(t *testing.T, d *drain, names ...string) {
	t.Helper()
	for _, name := range names {
		if !strings.Contains(name, "/") {
			name = "acme/tools/ubuntu/jammy/" + name
		}
		if _, err := d.resources.Staging.Put(t.Context(), name, strings.NewReader("x"), catalog.Pusher{}); err != nil {
			t.Fatal(err)
		}
	}
}

// once stores what is staged, as one run does.
func once(t *testing.T, d *drain) {
	t.Helper()
	fresh, suspect, err := d.staged(t.Context(), waitsForNone)
	if err != nil {
		t.Fatal(err)
	}
	d.store(t.Context(), fresh, suspect)
}

// reasons returns how the staged uploads ended, and how many in each way.
func reasons(t *testing.T, d *drain) map[catalog.Reason]int {
	t.Helper()
	got := map[catalog.Reason]int{}
	err := d.resources.Staging.List(t.Context(), time.Now(), func(u catalog.Upload) {
		v, _ := d.resources.Catalog.Verdict(t.Context(), u)
		got[v.Reason]++
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("a%03d.deb", i))
	}
	return names
}

// logged returns what is logged until the test ends.
func logged(t *testing.T) *bytes.Buffer {
	before, log := slog.Default(), &bytes.Buffer{}
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return log
}

// Finished uploads stay in staging for days: they must not fill the only job there is.
func TestDetachedJobTakesWhatIsNew(t *testing.T) {
	d, e := newDrain(t, 3, numbered(10)...)
	once(t, d)
	push(t, d, "z1.deb", "z2.deb")
	e.files = nil
	if err := d.submit(t.Context()); !errors.Is(err, errDetached) {
		t.Errorf("got %v, want that a job is submitted", err)
	}
	if diff := cmp.Diff([]string{"z1.deb", "z2.deb"}, e.files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := d.submit(t.Context()); err != nil {
		t.Errorf("nothing is left: got %v", err)
	}
}

// What a job has leases on is not offered to the next one: others are.
func TestDetachedJobsFollowEachOther(t *testing.T) {
	d, e := newDrain(t, 2, numbered(5)...)
	d.run = func(_ context.Context, _ string, batches []pipelines.Batch, _ bool) error {
		for _, b := range batches {
			e.jobs = append(e.jobs, len(b.Tasks))
		}
		return errDetached
	}
	for range 3 {
		if err := d.submit(t.Context()); !errors.Is(err, errDetached) {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]int{2, 2, 1}, e.jobs); diff != "" {
		t.Errorf("uploads of jobs (-want +got):\n%s", diff)
	}
}

// An engine's workers have the built-in table only, and a rejection is for good.
func TestOtherDistributionsAreLeftAlone(t *testing.T) {
	log := logged(t)
	d, e := newDrain(t, 10, "a.deb", "acme/tools/acmeos/1/b.deb", "acme/tools/acmeos/1/main/c.deb", "acme/d.deb")
	once(t, d)
	slices.Sort(e.files)
	if diff := cmp.Diff([]string{"a.deb", "d.deb"}, e.files); diff != "" {
		t.Errorf("files that workers got (-want +got):\n%s", diff)
	}
	if n, err := d.resources.Catalog.Backlog(t.Context()); n != 0 || err != nil {
		t.Errorf("the catalog has %d of them, %v", n, err)
	}
	if s := log.String(); !strings.Contains(s, "uploads left to repomill worker") || !strings.Contains(s, "uploads=2") {
		t.Errorf("the log says\n%s", s)
	}
}

// An upload that stops its worker is found, counted and at last rejected; its neighbours are stored at once.
func TestPoison(t *testing.T) {
	d, e := newDrain(t, 100, append(numbered(40), "a020-poison.deb")...)
	for range catalogdb.MaxAttempts {
		if got, want := reasons(t, d)[catalog.Poison], 0; got != want {
			t.Fatalf("%d poisonous before all attempts are made", got)
		}
		once(t, d)
		if got := reasons(t, d)[catalog.Empty]; got != 40 {
			t.Errorf("%d neighbours are stored, want 40", got)
		}
	}
	if diff := cmp.Diff(map[catalog.Reason]int{catalog.Empty: 40, catalog.Poison: 1}, reasons(t, d)); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
	jobs := len(e.jobs)
	if jobs > 2*6+3+2*catalogdb.MaxAttempts {
		t.Errorf("%d jobs: %v", jobs, e.jobs)
	}
	if once(t, d); len(e.jobs) != jobs {
		t.Errorf("jobs after the last: %v", e.jobs[jobs:])
	}
}

// If no job can run, no attempt counts, and the number of jobs is bounded.
func TestBrokenEngineBlamesNobody(t *testing.T) {
	for _, n := range []int{1, 20} {
		d, e := newDrain(t, 10, numbered(n)...)
		e.broken = true
		for range catalogdb.MaxAttempts + 2 {
			once(t, d)
		}
		if got, most := len(e.jobs), 2*(catalogdb.MaxAttempts+2); got > most {
			t.Errorf("%d uploads: %d jobs, want %d at most", n, got, most)
		}
		e.broken = false
		once(t, d)
		if diff := cmp.Diff(map[catalog.Reason]int{catalog.Empty: n}, reasons(t, d)); diff != "" {
			t.Errorf("%d uploads (-want +got):\n%s", n, diff)
		}
	}
}

// However many uploads stop their workers, jobs have a bound.
func TestJobsAreBounded(t *testing.T) {
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf("poison%03d.deb", i))
	}
	d, e := newDrain(t, 200, names...)
	once(t, d)
	if got := len(e.jobs); got < maxExtra || got > maxExtra+2 {
		t.Errorf("%d jobs, want about %d", got, maxExtra)
	}
}
