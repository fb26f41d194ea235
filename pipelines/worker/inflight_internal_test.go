package worker

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// of returns an upload of a repository.
func of(repository, file string) catalog.Upload {
	return catalog.Upload{Object: "acme/" + repository + "/el/9/" + file}
}

// A tally counts how events were settled.
type tally struct{ final, returned int }

func (c *tally) settle(final bool) {
	if final {
		c.final++
	} else {
		c.returned++
	}
}

// What is tried again does not pile up: the catalog gives back what is forgotten here.
func TestInFlightBoundsRetries(t *testing.T) {
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

// Releases that cannot be published keep the events of some uploads, and return the others to the source.
func TestInFlightParksSoManyEvents(t *testing.T) {
	var f inFlight
	var events tally
	for i := range 2 * maxParked {
		u := of(strconv.Itoa(i%10), strconv.Itoa(i))
		f.add(u, events.settle, time.Unix(0, 0))
		f.park(u)
	}
	if len(f.entries) != maxParked || events != (tally{returned: maxParked}) {
		t.Errorf("%d events are kept, and settled are %+v", len(f.entries), events)
	}
}

// The events of one repository are no more than a part of those that a source has out, so that it delivers those of others.
func TestInFlightKeepsSoManyEventsOfARepository(t *testing.T) {
	var f inFlight
	var events, other tally
	now := time.Unix(0, 0)
	for i := range 10_000 {
		if !f.add(of("flood", strconv.Itoa(i)), events.settle, now) {
			t.Fatalf("upload %d is not taken", i)
		}
	}
	if f.add(of("other", "a"), other.settle, now); other != (tally{}) {
		t.Errorf("the event of another repository is settled: %+v", other)
	}
	if events != (tally{returned: 10_000 - maxEventsOf}) {
		t.Errorf("settled are %+v, want all but %d returned", events, maxEventsOf)
	}
	for i := range 10_000 {
		f.done(of("flood", strconv.Itoa(i)))
	}
	if events.final != maxEventsOf || len(f.events) != 1 {
		t.Errorf("settled are %+v, and kept those of %v", events, f.events)
	}
}

// An upload that fails again and again keeps no event, and stays at work.
func TestInFlightReturnsEventsOfFailingUploads(t *testing.T) {
	var f inFlight
	var events tally
	u := of("tools", "a")
	f.add(u, events.settle, time.Unix(0, 0))
	for range maxEventFaults {
		f.delay(u)
	}
	if events != (tally{}) {
		t.Errorf("after %d faults settled are %+v", maxEventFaults, events)
	}
	f.delay(u)
	if added := f.add(u, events.settle, time.Unix(0, 0)); added || events != (tally{returned: 2}) {
		t.Errorf("added %v, settled %+v; want both events returned, and the upload still active", added, events)
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
	f.park(u)             // stored, not published yet
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
		t.Errorf("settled %v; want the last to be left to other processes", settled)
	}
	f.add(other, nil, now)
	f.park(other)
	if len(f.entries) != 0 {
		t.Errorf("%d uploads without an event are remembered", len(f.entries))
	}
}
