package soak_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// A judge collects what violates an invariant.
type judge struct {
	fail  func(format string, args ...any)
	mu    sync.Mutex
	found map[string]int       // violations by invariant
	torn  map[string]time.Time // files that do not fit their pointer: since when they have been as they are
	mends map[string]*mended   // by who found them torn
}

// A mended is about torn files that were whole when they were looked at again.
type mended struct {
	count int
	worst time.Duration // the longest time that one was torn, as seen: up to the next look
}

// Who looks at files beside pointers.
const (
	byReader = "read" // repomd.xml.asc, all the time
	byCheck  = "check"
)

// newJudge returns a judge that reports each violation with fail.
func newJudge(fail func(format string, args ...any)) *judge {
	return &judge{fail: fail, found: map[string]int{}, torn: map[string]time.Time{}, mends: map[string]*mended{byReader: {}, byCheck: {}}}
}

// maxShown is the number of violations of an invariant that are reported one by one.
const maxShown = 20

// violated notes a violation, and fails the test.
func (j *judge) violated(invariant, format string, args ...any) {
	j.mu.Lock()
	j.found[invariant]++
	n := j.found[invariant]
	j.mu.Unlock()
	if n <= maxShown {
		j.fail("%s %s: %s", time.Now().Format(time.StampMilli), invariant, fmt.Sprintf(format, args...))
	}
}

// total returns how many violations there were.
func (j *judge) total() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, count := range j.found {
		n += count
	}
	return n
}

// pairWindow is how long after a restart files beside a pointer may not fit it (publish/PROTOCOL.md, "Pair files").
const pairWindow = 5 * time.Second

// busy is how long a machine may take for what another one does at once.
const busy = 10 * time.Second

// pairs judges the files beside one or several pointers, which a reader reads again and again: which are torn now,
// each with the state that it is in. One that stays in its state is a violation when nothing has disturbed the
// programs for longer than the window, with an allowance for a busy machine.
func (j *judge) pairs(by, what string, states []string, calm time.Duration) {
	reading := by + " of " + what
	now, still := time.Now(), map[string]bool{}
	for _, s := range states {
		id := reading + ": " + s
		still[id] = true
		j.mu.Lock()
		since, seen := j.torn[id]
		if !seen {
			since = now
			j.torn[id] = now
		}
		j.mu.Unlock()
		if now.Sub(since) > busy && calm > pairWindow+busy {
			j.violated("pair", "%s, for %s, %s after the last restart", id, now.Sub(since).Round(time.Millisecond), calm.Round(time.Millisecond))
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, since := range j.torn {
		if strings.HasPrefix(id, reading+": ") && !still[id] {
			delete(j.torn, id)
			m := j.mends[by]
			m.count++
			m.worst = max(m.worst, now.Sub(since))
		}
	}
}
