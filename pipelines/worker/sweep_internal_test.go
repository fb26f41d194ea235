package worker

import (
	"slices"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// A release that cannot be published is tried less and less often, and holds no other one up.
func TestLeftReleases(t *testing.T) {
	stuck, fine := catalog.Release{Arch: "stuck"}, catalog.Release{Arch: "fine"}
	start := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	var l leftReleases
	var tries []time.Duration
	for after := time.Duration(0); after < 20*time.Minute; after += minRetryDelay {
		due := l.due([]catalog.Release{stuck, fine}, start.Add(after))
		if !slices.Contains(due, fine) {
			t.Errorf("after %s a release that does not fail is not due", after)
		}
		if slices.Contains(due, stuck) {
			tries = append(tries, after)
			l.tried(stuck, true, start.Add(after))
		}
		l.tried(fine, false, start.Add(after))
	}
	s := time.Second
	want := []time.Duration{0, 10 * s, 30 * s, 70 * s, 150 * s, 310 * s, 610 * s, 910 * s}
	if !slices.Equal(tries, want) {
		t.Errorf("tried after %v, want %v", tries, want)
	}
	l.due(nil, start)
	if due := l.due([]catalog.Release{stuck}, start); len(due) != 1 || len(l.waits) != 0 {
		t.Errorf("a release that was published is not forgotten: due %v, %d wait", due, len(l.waits))
	}
}

// What is tried again does not pile up: the sweep finds what is parked here.
func TestInFlightIsBounded(t *testing.T) {
	var f inFlight
	now := time.Unix(0, 0)
	u := catalog.Upload{Object: "a", Size: 1}
	if !f.add(u, nil, now) || f.add(catalog.Upload{Object: "a", Size: 2}, nil, now) {
		t.Error("an upload is there once, whatever its size is said to be")
	}
	for i := range maxDelayed {
		if faults, ok := f.delay(u); !ok || faults != i+1 {
			t.Fatalf("fault %d: got %d, %v", i+1, faults, ok)
		}
	}
	if _, ok := f.delay(u); ok || !f.add(u, nil, now) {
		t.Error("one more upload waits than may")
	}
	f.resume()
	if _, ok := f.delay(u); !ok {
		t.Error("no upload may wait although there is room")
	}
	f.done(u)
	if len(f.entries) != 0 {
		t.Errorf("%d uploads are remembered", len(f.entries))
	}
}

// A release that cannot be published does not keep all events from others: what is stored needs none.
func TestInFlightParksSoManyEvents(t *testing.T) {
	var f inFlight
	settled := 0
	for i := range 2 * maxParked {
		u := catalog.Upload{Object: string(rune('a' + i))}
		f.add(u, func(bool) { settled++ }, time.Unix(0, 0))
		f.park(u, i != 0) // somebody else works on the first
	}
	if len(f.entries) != maxParked || settled != maxParked {
		t.Errorf("%d events are parked and %d settled", len(f.entries), settled)
	}
	if f.add(catalog.Upload{Object: "a"}, nil, time.Unix(0, 0)); settled != maxParked {
		t.Error("the event of an upload that is not stored is settled")
	}
}

// Events are settled once each: with the first final verdict, or when the process gives up.
func TestInFlightSettlesEvents(t *testing.T) {
	now := time.Unix(0, 0)
	u, other := catalog.Upload{Object: "a"}, catalog.Upload{Object: "b"}
	var f inFlight
	var settled []bool
	settle := func(final bool) { settled = append(settled, final) }
	f.add(u, settle, now)
	f.add(u, settle, now) // delivered twice
	f.park(u, true)       // stored, not published yet
	if len(settled) != 0 || !slices.Equal(f.parked(), []catalog.Upload{u}) {
		t.Errorf("settled %v, parked %v", settled, f.parked())
	}
	if !f.add(u, nil, now) {
		t.Error("what is parked cannot become active")
	}
	f.done(u)
	f.done(u)
	if !slices.Equal(settled, []bool{true, true}) || !f.idle() {
		t.Errorf("settled %v, idle %v; want both, final", settled, f.idle())
	}
	f.add(other, settle, now)
	f.abandon()
	f.done(other)
	if !slices.Equal(settled, []bool{true, true, false}) {
		t.Errorf("settled %v; want the last to be somebody else's", settled)
	}
	f.add(other, nil, now)
	f.park(other, false)
	if len(f.entries) != 0 {
		t.Errorf("%d uploads without an event are remembered", len(f.entries))
	}
}
