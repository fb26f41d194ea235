package worker

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"repomill/schemas/catalog"
)

func at(i int) catalog.Release { return catalog.Release{Arch: fmt.Sprint(i)} }

// reached says that nothing is ahead of a publish.
func reached() func() bool { return func() bool { return true } }

// A release that hangs holds up no other, and changes while it is published make one more publish.
func TestScheduleKeepsReleasesApart(t *testing.T) {
	begun, stuck, free := make(chan struct{}, 2), make(chan struct{}), make(chan catalog.Release, 10)
	var publishes atomic.Int32
	q := newSchedule(func(_ context.Context, r catalog.Release) {
		if r == at(0) {
			publishes.Add(1)
			begun <- struct{}{}
			<-stuck
			return
		}
		free <- r
	}, reached)
	q.add(t.Context(), t.Context(), []catalog.Release{at(0)})
	<-begun
	for i := range 5 {
		q.add(t.Context(), t.Context(), []catalog.Release{at(0), at(i + 1)})
	}
	var got []catalog.Release
	for range 5 {
		got = append(got, <-free)
	}
	for i := range 5 {
		if !slices.Contains(got, at(i+1)) {
			t.Errorf("release %d is not published", i+1)
		}
	}
	if q.idle() {
		t.Error("a schedule with a release at work is idle")
	}
	close(stuck)
	q.running.Wait()
	if n := publishes.Load(); n != 2 || !q.idle() {
		t.Errorf("%d publishes, idle %v; want 2 and idle", n, q.idle())
	}
}

// However often a release changes, it is published at most once a second.
func TestScheduleSpacesPublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var starts []time.Duration
		q := newSchedule(func(context.Context, catalog.Release) { starts = append(starts, time.Since(begin)) }, reached)
		for time.Since(begin) < minSpacing*3/2 {
			q.add(t.Context(), t.Context(), []catalog.Release{at(0)})
			time.Sleep(5 * time.Millisecond)
		}
		q.running.Wait()
		if want := []time.Duration{0, minSpacing, 2 * minSpacing}; !slices.Equal(starts, want) {
			t.Errorf("what changed for %s was published after %v, want %v", minSpacing*3/2, starts, want)
		}
	})
}

// A publish waits for the uploads that are queued before it, and at the end for none.
func TestScheduleHolds(t *testing.T) {
	var ready atomic.Bool
	published := make(chan bool, 2)
	q := newSchedule(func(context.Context, catalog.Release) { published <- ready.Load() }, func() func() bool { return ready.Load })
	q.add(t.Context(), t.Context(), []catalog.Release{at(0)})
	select {
	case <-published:
		t.Fatal("published before what is ahead")
	case <-time.After(50 * time.Millisecond):
	}
	ready.Store(true)
	if !<-published {
		t.Error("published before what is ahead")
	}
	ready.Store(false)
	ctx, stop := context.WithCancel(t.Context())
	q.add(ctx, t.Context(), []catalog.Release{at(1)})
	stop()
	<-published // although something is ahead
	q.running.Wait()
}

// What is queued behind a mark does not count, and what is processed out of order does not either.
func TestBatcherAhead(t *testing.T) {
	b := newBatcher(1, 2, nil)
	first, second, third := catalog.Upload{Object: "a"}, catalog.Upload{Object: "b"}, catalog.Upload{Object: "c"}
	b.put(t.Context(), first)
	b.put(t.Context(), second)
	reached := b.ahead()
	b.put(t.Context(), third)
	endA := b.begin([]catalog.Upload{first})
	endB := b.begin([]catalog.Upload{second})
	endB()
	if reached() {
		t.Error("reached while the first is being processed")
	}
	endA()
	if !reached() {
		t.Error("not reached although only a later one waits")
	}
	if b.ahead()() {
		t.Error("nothing is ahead although one waits")
	}
}

// Publishes wait for a batch as long as one takes that is well: many uploads, or large ones, take longer than one.
func TestBatchesAreAwaited(t *testing.T) {
	many := make([]catalog.Upload, 40)
	for name, tt := range map[string]struct {
		batch []catalog.Upload
		want  time.Duration
	}{
		"one small upload":    {[]catalog.Upload{{Size: 1}}, 5025 * time.Millisecond},
		"40 small uploads":    {many, 6 * time.Second},
		"an upload of 64 MiB": {[]catalog.Upload{{Size: 64 << 20}}, 7025 * time.Millisecond},
		"an upload of 4 GiB":  {[]catalog.Upload{{Size: 4 << 30}}, maxHold},
	} {
		if got := awaited(tt.batch); got != tt.want {
			t.Errorf("%s: awaited for %s, want %s", name, got, tt.want)
		}
	}
}

// A batch with an upload that hangs holds publishes up for a while, and not for longer.
func TestHangingBatchIsNotAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(1, 1, nil)
		u := catalog.Upload{Object: "hangs"}
		b.put(t.Context(), u)
		reached := b.ahead()
		end := b.begin([]catalog.Upload{u})
		time.Sleep(awaited([]catalog.Upload{u}) - time.Millisecond)
		if reached() {
			t.Error("a batch is not awaited although it may be well")
		}
		time.Sleep(time.Millisecond)
		if !reached() {
			t.Error("a batch that hangs is awaited")
		}
		end()
	})
}
