package worker

import (
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// The bounds of unsettled events. A source delivers no more while a thousand of its events are unsettled: those of one repository,
// and those of uploads that make no progress, must not keep the events of other uploads away.
const (
	maxEventsOf    = 250  // of one repository
	maxParked      = 500  // uploads that wait for a publish or for another process, and whose events are kept
	maxEventFaults = 1    // faults in a row after which the events of an upload are kept
	maxDelayed     = 5000 // uploads that wait to be tried again; the catalog or the scan gives the others back
)

// inFlight knows the uploads that wait, are being worked on, or whose event is not settled yet, so that
// an event which comes twice costs nothing and is settled with the first. An event that may not be kept is returned to its source,
// which delivers it again later: by then the upload has its verdict, or another process works on it. Its size is bounded by the
// queue, by maxDelayed, and by how many events a source has out. The zero value is ready.
type inFlight struct {
	mu      sync.Mutex
	entries map[catalog.Upload]*entry
	busy    int                        // entries that are active
	delayed int                        // of these, the ones that wait to be tried again
	events  map[catalog.Repository]int // unsettled events; without zeros
}

// An entry is an upload that is active or has events to be settled.
type entry struct {
	active bool // in a queue, in a run, or waiting to be tried again
	faults int  // in a row
	since  time.Time
	settle []func(final bool)
}

// keyOf leaves out the size: two events may state it differently for one upload.
func keyOf(u catalog.Upload) catalog.Upload {
	u.Size = 0
	return u
}

// add makes an upload active, unless it is already, and reports whether it did. settle may be nil.
func (f *inFlight) add(u catalog.Upload, settle func(bool), now time.Time) (added bool) {
	f.mu.Lock()
	if f.entries == nil {
		f.entries, f.events = map[catalog.Upload]*entry{}, map[catalog.Repository]int{}
	}
	e, known := f.entries[keyOf(u)]
	if !known {
		e = &entry{since: now}
		f.entries[keyOf(u)] = e
	}
	if added = !e.active; added {
		e.active = true
		f.busy++
	}
	r := repositoryOf(u.Object)
	kept := settle != nil && e.faults <= maxEventFaults && f.events[r] < maxEventsOf
	if kept {
		e.settle = append(e.settle, settle)
		f.events[r]++
	}
	f.mu.Unlock()
	if settle != nil && !kept {
		settle(false)
	}
	return added
}

// isActive reports whether an upload is in a queue or a run, or waits to be tried again.
func (f *inFlight) isActive(u catalog.Upload) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, known := f.entries[keyOf(u)]
	return known && e.active
}

// park ends work on an upload that has no final verdict yet: another process works on it, or it is stored and its releases are to
// be published. Its events stay unsettled, unless too many are.
func (f *inFlight) park(u catalog.Upload) {
	f.mu.Lock()
	var returned []func(bool)
	if e, known := f.entries[keyOf(u)]; known {
		f.finish(e)
		e.faults = 0
		if len(e.settle) == 0 || len(f.entries)-f.busy > maxParked {
			returned = f.remove(u, e)
		}
	}
	f.mu.Unlock()
	settleAll(returned, false)
}

// done forgets an upload that has its final verdict, and settles its events.
func (f *inFlight) done(u catalog.Upload) { f.forget(u, true) }

// leave forgets an upload that is left in staging, or to other processes, and returns its events.
func (f *inFlight) leave(u catalog.Upload) { f.forget(u, false) }

func (f *inFlight) forget(u catalog.Upload, final bool) {
	f.mu.Lock()
	var events []func(bool)
	if e, known := f.entries[keyOf(u)]; known {
		f.finish(e)
		events = f.remove(u, e)
	}
	f.mu.Unlock()
	settleAll(events, final)
}

// finish notes that an entry is not active any more. The caller holds the lock.
func (f *inFlight) finish(e *entry) {
	if e.active {
		e.active = false
		f.busy--
	}
}

// remove removes an entry and returns its events. The caller holds the lock.
func (f *inFlight) remove(u catalog.Upload, e *entry) (events []func(bool)) {
	delete(f.entries, keyOf(u))
	return f.takeEvents(u, e)
}

// takeEvents takes the events of an entry. The caller holds the lock, and settles them without it.
func (f *inFlight) takeEvents(u catalog.Upload, e *entry) (events []func(bool)) {
	r := repositoryOf(u.Object)
	if f.events[r] -= len(e.settle); f.events[r] == 0 {
		delete(f.events, r)
	}
	events, e.settle = e.settle, nil
	return events
}

func settleAll(events []func(bool), final bool) {
	for _, settle := range events {
		settle(final)
	}
}

// parked returns the uploads that are not active and have events to be settled.
func (f *inFlight) parked() (uploads []catalog.Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for u, e := range f.entries {
		if !e.active {
			uploads = append(uploads, u)
		}
	}
	return uploads
}

// abandon leaves all that is not settled to other processes, or to the next start.
func (f *inFlight) abandon() {
	f.mu.Lock()
	entries := f.entries
	f.entries, f.events, f.busy, f.delayed = nil, nil, 0, 0
	f.mu.Unlock()
	for _, e := range entries {
		settleAll(e.settle, false)
	}
}

// delay counts a fault of an upload that is to be tried again later, and returns how many it met in a row. An upload that meets
// faults again and again keeps no event. If too many uploads wait to be tried again, it forgets this one.
func (f *inFlight) delay(u catalog.Upload) (faults int, ok bool) {
	f.mu.Lock()
	e, known := f.entries[keyOf(u)]
	if !known { // given up
		f.mu.Unlock()
		return 0, false
	}
	var returned []func(bool)
	if ok = f.delayed < maxDelayed; ok {
		f.delayed++
		e.faults++
		if faults = e.faults; faults > maxEventFaults {
			returned = f.takeEvents(u, e)
		}
	} else {
		f.finish(e)
		returned = f.remove(u, e)
	}
	f.mu.Unlock()
	settleAll(returned, false)
	return faults, ok
}

// resume ends what delay began.
func (f *inFlight) resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delayed = max(f.delayed-1, 0)
}

// active returns how many uploads are in the queue, in a run, or wait to be tried again.
func (f *inFlight) active() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy
}

// idle reports whether all active uploads wait to be tried again.
func (f *inFlight) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy <= f.delayed
}

// oldest returns since when the oldest upload is known here, and how many there are.
func (f *inFlight) oldest() (since time.Time, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if since.IsZero() || e.since.Before(since) {
			since = e.since
		}
	}
	return since, len(f.entries)
}
