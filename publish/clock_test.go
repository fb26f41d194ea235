package publish_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// checkDate fails unless the release that clients see has this date.
func checkDate(w *world, r catalog.Release, want time.Time) {
	w.t.Helper()
	if got := newestManifest(w, r).Date; !got.Equal(want) {
		w.t.Errorf("%s has Date %v, want %v", r, got, want)
	}
}

// Date is the store's time in whole seconds, and always later than the last one.
func TestDate(t *testing.T) {
	start := publishtest.Start
	for _, tt := range []struct {
		name string
		now  time.Time // at the second publish; the first one is dated start
		want time.Time // zero: it is refused
	}{
		{"the clock goes", start.Add(90*time.Second + 700*time.Millisecond), start.Add(90 * time.Second)},
		{"the clock has hardly moved", start.Add(1900 * time.Millisecond), start.Add(1 * time.Second)},
		{"the clock stands", start.Add(500 * time.Millisecond), start.Add(1 * time.Second)},
		{"the clock was set back by 5 seconds", start.Add(-5 * time.Second), start.Add(1 * time.Second)},
		{"the clock was set back by 6 seconds", start.Add(-6 * time.Second), time.Time{}},
		{"the clock was set back by an hour", start.Add(-time.Hour), time.Time{}},
		{"the clock is years behind", start.AddDate(-9, 0, 0), time.Time{}},
	} {
		for _, r := range []catalog.Release{jammy, el9} {
			t.Run(tt.name, func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					begin(w, r, true)
					checkDate(w, r, start)
					w.bucket.SetClock(tt.now)
					w.bucket.StopClock()
					res, err := w.publisher().Release(t.Context(), r)
					want := tt.want
					if want.IsZero() {
						if err == nil || !strings.Contains(err.Error(), "set the clock right") {
							t.Errorf("got %+v, %v; want an error about the clock", res, err)
						}
						checkDate(w, r, start)
						w.checkSilent("a clock that is behind")
						want = start.Add(time.Minute)
						w.bucket.SetClock(want) // somebody set it right
						w.publish(r)
					} else if err != nil {
						t.Error(err)
					}
					checkDate(w, r, want)
					w.check(r)
				})
			})
		}
	}
}

// With a clock that stands, releases run ahead of it for a while, but never so far that apt refuses.
func TestStoppedClock(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.bucket.StopClock()
			for i := range 10 {
				w.push(w.some(r, fmt.Sprintf("p%d", i)))
				_, err := w.publisher().Release(t.Context(), r)
				if refused := err != nil; refused != (i > 6) {
					t.Errorf("%s, publish %d: %v", r, i, err)
				}
			}
			checkDate(w, r, publishtest.Start.Add(6*time.Second))
			if _, problems := w.read(r); len(problems) > 0 {
				t.Errorf("clients find: %v", problems)
			}
		})
	}
}

// apt takes two releases of one second for one. dnf does not: only a long row of them waits.
func TestPause(t *testing.T) {
	for _, tt := range []struct {
		name    string
		release catalog.Release
		want    []time.Duration // when each of several publishes in a row is done
	}{
		{"DEB", jammy, []time.Duration{900 * time.Millisecond, 1900 * time.Millisecond, 2900 * time.Millisecond, 3900 * time.Millisecond}},
		{"RPM", el9, []time.Duration{900 * time.Millisecond, 900 * time.Millisecond, 900 * time.Millisecond, 900 * time.Millisecond, 1000 * time.Millisecond, 2 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				watch(w, tt.release)
				time.Sleep(tt.want[0])
				for i, want := range tt.want {
					w.push(w.some(tt.release, fmt.Sprintf("p%d", i)))
					w.publish(tt.release)
					if got := w.bucket.Now().Sub(publishtest.Start); got != want {
						t.Errorf("publish %d was done after %v, want %v", i, got, want)
					}
				}
			})
		})
	}
}

// Who waits for the clock takes along what is pushed meanwhile.
func TestPauseAbsorbsUploads(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publish(jammy)
		w.push(w.some(jammy, "first"))
		go func() {
			time.Sleep(900 * time.Millisecond)
			w.push(w.some(jammy, "second"))
		}()
		if res := w.publish(jammy); res.Packages != 2 {
			t.Errorf("published %d packages, want 2", res.Packages)
		}
		w.check(jammy)
		if modified := w.bucket.Now(); modified.Before(publishtest.Start.Add(time.Second)) {
			t.Errorf("%s was swapped again at %v", layout.PointerKey(jammy), modified)
		}
	})
}
