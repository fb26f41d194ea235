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
func reached(catalog.Repository) func() bool { return func() bool { return true } }

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
	q := newSchedule(func(context.Context, catalog.Release) { published <- ready.Load() }, func(catalog.Repository) func() bool { return ready.Load })
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

// What is queued behind a mark does not count, what is processed out of order does not either, nor do uploads of others.
func TestBatcherAhead(t *testing.T) {
	b := newBatcher(1, 2, nil)
	tools, other := catalog.Repository{Owner: "acme", Name: "tools"}, catalog.Repository{Owner: "acme", Name: "other"}
	put := func(name string) []queued {
		b.put(t.Context(), catalog.Upload{Object: name})
		return []queued{<-b.uploads}
	}
	first, second := put("acme/tools/el/9/a.rpm"), put("acme/tools/el/9/b.rpm")
	reached := b.aheadOf(tools)
	third := put("acme/tools/el/9/c.rpm")
	b.begin(first)
	b.begin(second)
	b.end(second)
	if reached() {
		t.Error("reached while the first is being processed")
	}
	if !b.aheadOf(other)() {
		t.Error("a repository without uploads waits for those of another one")
	}
	b.end(first)
	if !reached() {
		t.Error("not reached although only a later one waits")
	}
	if b.aheadOf(tools)() {
		t.Error("nothing is ahead although one waits")
	}
	b.end(third)
	if len(b.ahead) != 0 {
		t.Errorf("what was processed is remembered: %v", b.ahead)
	}
}

// An upload that found no place when the worker ended is ahead of nothing.
func TestBatcherForgetsWhatFoundNoPlace(t *testing.T) {
	b := newBatcher(1, 1, nil)
	b.uploads = make(chan queued) // no room
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b.put(ctx, catalog.Upload{Object: "acme/tools/el/9/a.rpm"})
	if len(b.ahead) != 0 {
		t.Errorf("it is remembered: %v", b.ahead)
	}
}

// Publishes wait for a batch as long as one takes that is well: many uploads, or large ones, take longer than one.
func TestBatchesAreAwaited(t *testing.T) {
	many := make([]queued, 40)
	sized := func(bytes int64) []queued { return []queued{{Upload: catalog.Upload{Size: bytes}}} }
	for name, tt := range map[string]struct {
		batch []queued
		want  time.Duration
	}{
		"one small upload":    {sized(1), 5025 * time.Millisecond},
		"40 small uploads":    {many, 6 * time.Second},
		"an upload of 64 MiB": {sized(64 << 20), 7025 * time.Millisecond},
		"an upload of 4 GiB":  {sized(4 << 30), maxHold},
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
		b.put(t.Context(), catalog.Upload{Object: "acme/tools/el/9/hangs.rpm"})
		reached := b.aheadOf(catalog.Repository{Owner: "acme", Name: "tools"})
		batch := b.gather(t.Context())
		b.begin(batch)
		time.Sleep(awaited(batch) - time.Millisecond)
		if reached() {
			t.Error("a batch is not awaited although it may be well")
		}
		time.Sleep(time.Millisecond)
		if !reached() {
			t.Error("a batch that hangs is awaited")
		}
	})
}
