package pipelines_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

// Sizes of the tests in this file. make scale has large ones, and prints the figures of deploy/scale.md.
var (
	scaleLost     = flag.Int("scale.lost", 100, "how many uploads lose their events")
	scalePackages = flag.Int("scale.packages", 24, "how many packages the workers publish that are killed")
	scaleWorkers  = flag.Int("scale.workers", 2, "how many workers there are, which are killed")
	scaleKills    = flag.Int("scale.kills", 4, "how often one of them is killed")
	scalePushes   = flag.Int("scale.pushes", 8, "how many pushes are timed beside a poisoned repository, and without")
)

// await waits as long as anything that a large size may need.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 minutes: %s", what)
		}
	}
}

// countStates returns how many uploads are in which state.
func (s *site) countStates(uploads []catalog.Upload) map[catalog.UploadState]int {
	s.t.Helper()
	n := map[catalog.UploadState]int{}
	for some := range slices.Chunk(uploads, 500) {
		states, err := s.Catalog.States(s.t.Context(), some)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, state := range states {
			n[state]++
		}
	}
	return n
}

// The events of all uploads are lost. The scan of staging finds each of them, in one pass, and each has one verdict.
func TestI03LostEventsAtScale(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	uploads := s.putDebs(jammy, "lost", *scaleLost)
	start := time.Now()
	stop := s.serve(mute, grace)
	var found time.Duration
	await(t, "all are published", func() bool {
		n := s.countStates(uploads)
		known := 0
		for _, of := range n {
			known += of
		}
		if found == 0 && known == len(uploads) {
			found = time.Since(start)
		}
		return n[catalog.Published] == len(uploads)
	})
	t.Logf("%d uploads without events: the scan that began with the worker had found all after %s, and all were published after %s",
		len(uploads), found.Round(10*time.Millisecond), time.Since(start).Round(10*time.Millisecond))
	wantStopped(t, stop)
	if got, problems, err := s.read(jammy); err != nil || got.Packages != len(uploads) || len(problems) > 0 {
		t.Errorf("clients see %d packages, %v, %v", got.Packages, problems, err)
	}
}

// Several workers on Cloud Storage, Pub/Sub, MySQL and S3 share the uploads of one release, and are killed at random times. All is published
// once, and a client that reads all the time never sees half of anything.
func TestI06WorkersKilledAtRandom(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	p := newProduction(t, s3test.Start(t))
	var uploads []catalog.Upload
	push := func(before int) { // all in all, as many as are wanted
		for n := len(uploads); n < *scalePackages*before/(*scaleKills+1); n++ {
			uploads = append(uploads, p.putDebs(jammy, fmt.Sprintf("killed%d-", n), 1)...)
		}
	}
	c := p.watchAsClient(jammy)
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Now()
	workers := make([]*victim, *scaleWorkers)
	begin := func(i int) {
		workers[i] = &victim{started: make(chan struct{}), ended: make(chan struct{})}
		workers[i].start(p)
	}
	for i := range workers {
		begin(i)
	}
	busy := 0
	for n := range *scaleKills {
		push(n + 1)
		time.Sleep(time.Duration(r.IntN(700)) * time.Millisecond)
		i := r.IntN(len(workers))
		workers[i].kill()
		if !workers[i].cmd.ProcessState.Exited() { // else nothing was left for it
			busy++
		}
		begin(i)
	}
	push(*scaleKills + 1)
	time.Sleep(time.Duration(r.IntN(700)) * time.Millisecond)
	for _, w := range workers {
		w.kill()
	}
	took := time.Since(start)
	if err := p.Catalog.EndLeases(t.Context()); err != nil { // or the leases of the dead run out in a minute
		t.Fatal(err)
	}
	left := p.countStates(uploads)
	stop := p.serve(p.source(), grace)
	proctest.Eventually(t, "the rest is published", func() bool { return p.countStates(uploads)[catalog.Published] == len(uploads) })
	c.stop()
	t.Logf("%d packages, %d workers, %d kills in %s, of them %d of one at work, and then all; %d were published then, and the rest after %s; a client read %d times", len(uploads), len(workers), *scaleKills,
		took.Round(10*time.Millisecond), busy, left[catalog.Published], (time.Since(start) - took).Round(10*time.Millisecond), c.reads)
	wantStopped(t, stop)
	p.wantRelease(jammy, len(uploads))
	if recent, err := p.Catalog.Recent(t.Context(), "", 2*len(uploads)); err != nil || len(recent) != len(uploads) {
		t.Errorf("%d uploads were recorded, %v", len(recent), err)
	}
}

// The uploads of one repository hang, fail and panic. Pushes to others, one after the other, are seen by clients about as soon as without.
func TestI07PoisonDelaysNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.guard(func(ctx context.Context, key string) error {
		switch {
		case strings.Contains(key, "hangs"):
			<-ctx.Done()
			return ctx.Err()
		case strings.Contains(key, "fails"):
			return errors.New("it cannot be stored")
		case strings.Contains(key, "panics"):
			panic("a mistake of our own")
		}
		return nil
	})
	events := make(chan catalog.Upload)
	stop := s.serve(onDemand(events), time.Second)
	const repositories = 8 // a release is published once a second at most
	push := func(i int, name string) time.Duration {
		r := release(fmt.Sprintf("acme/other%d/ubuntu/jammy", i%repositories))
		u := s.putDebs(r, name, 1)
		begin := time.Now()
		events <- u[0]
		proctest.Eventually(t, "it is published", func() bool { return s.allAre("published", u) })
		return time.Since(begin)
	}
	measure := func(name string) (took []time.Duration) {
		for i := range *scalePushes {
			took = append(took, push(i, fmt.Sprintf("%s%d-", name, i)))
			time.Sleep(50 * time.Millisecond)
		}
		return took
	}
	for i := range repositories {
		push(i, "first") // creates it
	}
	without := measure("without")
	poison := release("acme/poison/ubuntu/jammy")
	for kind, n := range map[string]int{"hangs": 20, "fails": 200, "panics": 20} {
		for _, u := range s.putDebs(poison, kind, n) {
			events <- u
		}
	}
	with := measure("with")
	t.Logf("push to published elsewhere, %d pushes: without poison %s, with 20 uploads that hang, 200 that fail and 20 that panic %s", *scalePushes, percentiles(without), percentiles(with))
	if worst := slices.Max(with); worst > time.Minute { // as long as one that hangs may, when it is tried alone
		t.Errorf("one push took %s", worst)
	}
	wantStopped(t, stop)
}

// percentiles says how a set of times is.
func percentiles(all []time.Duration) string {
	slices.Sort(all)
	at := func(p int) time.Duration { return all[min(len(all)-1, len(all)*p/100)].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p99 %s, longest %s", at(50), at(99), at(100))
}
