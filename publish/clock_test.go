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
	skipUnderRace(t)
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
						w.bucket.SetClock(want) // the clock is corrected
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

// If the clock stops, the dates of releases run ahead of it, but never so far that apt refuses them.
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

// A publisher that waits for the clock publishes what is pushed in the meantime, too.
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

// Nothing is published by a machine whose clock, or whose store's clock, is wrong.
func TestI14Skew(t *testing.T) {
	skipUnderRace(t)
	for _, tt := range []struct {
		name  string
		ahead time.Duration // this machine's clock, of the store's
		want  string        // part of the error; empty: it is published
	}{
		{"the clocks agree", 0, ""},
		{"5 seconds ahead", 5 * time.Second, ""},
		{"5 seconds behind", -5 * time.Second, ""},
		{"6 seconds ahead", 6 * time.Second, "this machine's clock is 6s ahead of that of the store behind --bucket (2026-08-01T12:00:06Z here, 2026-08-01T12:00:00Z there): set the clock right"},
		{"an hour ahead", time.Hour, "this machine's clock is 1h0m0s ahead of that of the store behind --bucket"},
		{"an hour behind", -time.Hour, "this machine's clock is 1h0m0s behind that of the store behind --bucket"},
	} {
		for _, r := range []catalog.Release{jammy, el9} {
			t.Run(tt.name, func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					w.bucket.StopClock()
					w.push(w.some(r, "hello"))
					w.publish(in(el9, "SRPMS")) // settings are published
					w.bucket.Writes()
					c := w.config()
					c.Now = func() time.Time { return w.bucket.Now().Add(tt.ahead) }
					_, err := newPublisher(t, c).Release(t.Context(), r)
					if tt.want == "" {
						if err != nil {
							t.Error(err)
						}
						w.check(r)
						return
					}
					if err == nil || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("got %v, want %q", err, tt.want)
					}
					w.checkSilent("a clock that is wrong")
					w.publish(r) // another machine's clock is right
					if _, err := newPublisher(t, c).Release(t.Context(), r); err != nil {
						t.Errorf("there was nothing to publish, and got %v", err)
					}
				})
			})
		}
	}
}

// The clock of a store that answers slowly is not taken for wrong.
func TestSlowStoreIsNoSkew(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.bucket.After("Get", layout.PointerKey(jammy), func() { time.Sleep(time.Minute) })
		w.publish(jammy)
		w.check(jammy)
	})
}

// An explicit command takes back a Date that a wrong clock put into the future.
func TestRedate(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.bucket.SetClock(publishtest.Start.Add(time.Hour))
			begin(w, r, true)
			w.bucket.SetClock(publishtest.Start)
			w.bucket.StopClock()
			if _, err := w.publisher().Release(t.Context(), r); err == nil {
				t.Errorf("%s: got no error", r)
			}
			if _, err := w.publisher().Redate(t.Context(), r); err != nil {
				t.Errorf("%s: %v", r, err)
			}
			checkDate(w, r, publishtest.Start)
			w.check(r)
		})
	}
}

// What is recorded of a publish is when clients see it, by the store's clock: a rollback to a time before
// is one to what they saw then.
func TestPublishIsRecordedWhenClientsSeeIt(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		t.Run(r.Distribution.String(), func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				begin(w, r, true)
				w.bucket.Before("Create", "*", func() { time.Sleep(time.Hour) }) // as a render may take
				w.publish(r)
				seen, err := w.bucket.Stat(t.Context(), layout.PointerKey(r))
				if err != nil {
					t.Fatal(err)
				}
				states, err := w.db.Releases(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range states {
					if s.Release == r && (s.Since == nil || seen.Now.Sub(*s.Since).Abs() > time.Minute) {
						t.Errorf("%s was published at %s, and is recorded as of %v", r, seen.Now, s.Since)
					}
				}
			})
		})
	}
}
