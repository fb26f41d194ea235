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
func TestScheduleHolds(t *testing.T) { synctest.Test(t, scheduleHolds) }

func scheduleHolds(t *testing.T) {
	var ready atomic.Bool
	published := make(chan bool, 2)
	q := newSchedule(func(context.Context, catalog.Release) { published <- ready.Load() }, func(catalog.Repository) func() bool { return ready.Load })
	q.add(t.Context(), t.Context(), []catalog.Release{at(0)})
	time.Sleep(time.Second)
	if len(published) > 0 {
		t.Fatal("published before what is ahead")
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

// While many uploads wait, a release that takes long is published less often, but not more seldom than maxHold; the last publish does
// not wait once few are left.
func TestScheduleRestsWhileManyUploadsWait(t *testing.T) {
	for _, tt := range []struct {
		name       string
		many       time.Duration // from the begin on
		took, want time.Duration // of a publish; between the starts of two
	}{
		{"few", 0, 3 * time.Second, 3 * time.Second},
		{"many", time.Hour, 3 * time.Second, rests * 3 * time.Second},
		{"many, of a small release", time.Hour, 50 * time.Millisecond, minSpacing},
		{"many, of a slow store", time.Hour, 10 * time.Second, 10*time.Second + maxHold},
		{"few are left soon", 5 * time.Second, 3 * time.Second, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, starts := time.Now(), []time.Duration{}
				var q *schedule
				q = newSchedule(func(ctx context.Context, r catalog.Release) {
					starts = append(starts, time.Since(begin))
					time.Sleep(tt.took)
					if len(starts) == 1 {
						q.add(ctx, ctx, []catalog.Release{r}) // a change came while it was published
					}
				}, reached)
				q.many = func(catalog.Repository) bool { return time.Since(begin) < tt.many }
				q.add(t.Context(), t.Context(), []catalog.Release{at(0)})
				q.running.Wait()
				if len(starts) != 2 || starts[1]-starts[0] < tt.want || starts[1]-starts[0] > tt.want+10*time.Millisecond {
					t.Errorf("starts at %s, want two, %s apart", starts, tt.want)
				}
			})
		})
	}
}

// The releases of a train do not rest: clients are to see all of them at once.
func TestScheduleOfATrainDoesNotRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, starts := time.Now(), []time.Duration{}
		q := newSchedule(func(context.Context, catalog.Release) {
			starts = append(starts, time.Since(begin))
			time.Sleep(3 * time.Second)
		}, reached)
		q.many = func(catalog.Repository) bool { return true }
		q.add(t.Context(), t.Context(), []catalog.Release{at(0)})
		time.Sleep(2 * time.Second)
		q.add(t.Context(), t.Context(), []catalog.Release{at(0)}) // uploads came
		time.Sleep(3 * time.Second)
		q.addSoon(t.Context(), t.Context(), []catalog.Release{at(0)}) // while it rests
		q.running.Wait()
		if len(starts) != 2 || starts[1] > 5*time.Second+10*time.Millisecond {
			t.Errorf("starts at %s, want the second one after 5 s", starts)
		}
	})
}
