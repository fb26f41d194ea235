package pipelines

import (
	"sync"

	"repomill/schemas/catalog"
)

// inFlight is the set of uploads that wait or are being worked on, so that an event that comes twice
// costs nothing. Its size is bounded by the lanes and by maxDelayed. The zero value is ready.
type inFlight struct {
	mu      sync.Mutex
	faults  map[catalog.Upload]int // how many each met in a row
	delayed int                    // uploads that wait to be tried again
}

// keyOf leaves out what two events may say differently about one upload.
func keyOf(u catalog.Upload) catalog.Upload {
	u.Size = 0
	return u
}

// add puts an upload into the set, and reports whether it was not there.
func (f *inFlight) add(u catalog.Upload) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults == nil {
		f.faults = map[catalog.Upload]int{}
	}
	if _, there := f.faults[keyOf(u)]; there {
		return false
	}
	f.faults[keyOf(u)] = 0
	return true
}

// done forgets an upload.
func (f *inFlight) done(u catalog.Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.faults, keyOf(u))
}

// delay counts a fault of an upload that is to be tried again later, and returns how many it met in a
// row. If too many uploads wait for that already, it forgets this one instead.
func (f *inFlight) delay(u catalog.Upload) (faults int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.delayed >= maxDelayed {
		delete(f.faults, keyOf(u))
		return 0, false
	}
	f.delayed++
	f.faults[keyOf(u)]++
	return f.faults[keyOf(u)], true
}

// resume ends what delay began.
func (f *inFlight) resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delayed--
}
