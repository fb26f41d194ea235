package worker

import (
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// inFlight knows the uploads that wait, are being worked on, or whose event is not settled yet, so that
// an event which comes twice costs nothing and is settled with the first. Its size is bounded by the
// queues, by maxDelayed, and by how many events a source has out. The zero value is ready.
type inFlight struct {
	mu      sync.Mutex
	entries map[catalog.Upload]*entry
	busy    int // entries that are active
	delayed int // of these, the ones that wait to be tried again
}

// An entry is an upload that is active or has events to be settled.
type entry struct {
	active bool // in a queue, in a run, or waiting to be tried again
	faults int  // in a row
	since  time.Time
	settle []func(final bool)
}

// keyOf leaves out what two events may say differently about one upload.
func keyOf(u catalog.Upload) catalog.Upload {
	u.Size = 0
	return u
}

// add makes an upload active, unless it is already, and reports whether it did. settle may be nil.
func (f *inFlight) add(u catalog.Upload, settle func(bool), now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.entries == nil {
		f.entries = map[catalog.Upload]*entry{}
	}
	e, there := f.entries[keyOf(u)]
	if !there {
		e = &entry{since: now}
		f.entries[keyOf(u)] = e
	}
	if settle != nil {
		e.settle = append(e.settle, settle)
	}
	if e.active {
		return false
	}
	e.active = true
	f.busy++
	return true
}

// park ends work on an upload that has no final verdict yet: another process works on it, or it is stored and
// its releases are to be published. Its events stay unsettled, unless that would keep all others away: a
// release that cannot be published must not hold a whole subscription. What is stored is in the catalog,
// and needs no event any more.
func (f *inFlight) park(u catalog.Upload, stored bool) {
	f.mu.Lock()
	e, there := f.entries[keyOf(u)]
	if !there {
		f.mu.Unlock()
		return
	}
	f.finish(e)
	e.faults = 0
	excess := stored && len(f.entries)-f.busy > maxParked
	if excess || len(e.settle) == 0 {
		delete(f.entries, keyOf(u))
	}
	f.mu.Unlock()
	if excess {
		e.settled(true)
	}
}

// done forgets an upload that has its final verdict, and settles its events.
func (f *inFlight) done(u catalog.Upload) {
	f.mu.Lock()
	e, there := f.entries[keyOf(u)]
	if there {
		f.finish(e)
		delete(f.entries, keyOf(u))
	}
	f.mu.Unlock()
	if there {
		e.settled(true)
	}
}

// finish notes that an entry is not active any more. The caller holds the lock.
func (f *inFlight) finish(e *entry) {
	if e.active {
		e.active = false
		f.busy--
	}
}

func (e *entry) settled(final bool) {
	for _, settle := range e.settle {
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
	f.entries, f.busy, f.delayed = nil, 0, 0
	f.mu.Unlock()
	for _, e := range entries {
		e.settled(false)
	}
}

// delay counts a fault of an upload that is to be tried again later, and returns how many it met in a
// row. If too many uploads wait for that already, it parks this one instead, for the sweep to find.
func (f *inFlight) delay(u catalog.Upload) (faults int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, there := f.entries[keyOf(u)]
	if !there { // given up
		return 0, false
	}
	if f.delayed >= maxDelayed {
		f.finish(e)
		if len(e.settle) == 0 {
			delete(f.entries, keyOf(u))
		}
		return 0, false
	}
	f.delayed++
	e.faults++
	return e.faults, true
}

// resume ends what delay began.
func (f *inFlight) resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delayed = max(f.delayed-1, 0)
}

// idle reports whether nothing is active but what waits to be tried again.
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
