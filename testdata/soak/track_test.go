package soak_test

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// A set is packages of a release: digests of their files, by id.
type set map[string]string

// A track is the states that clients may see of a release that only the manager changes, one after the other.
type track struct {
	release catalog.Release

	mu    sync.Mutex
	steps []change
	seen  position
}

// A change is the way from one state of a release to the next.
type change struct {
	to     set
	atomic bool      // clients see all of it or nothing; else more and more of it
	begun  time.Time // before the command
	done   time.Time // when the command had said that clients see it; zero before
}

// A position is how far clients have seen a track: all of so many steps, and some packages of the next one.
type position struct{ steps, packages int }

// state returns the packages after so many steps.
func (t *track) state(steps int) set {
	if steps == 0 {
		return set{}
	}
	return t.steps[steps-1].to
}

// now returns the packages after the last step.
func (t *track) now() set {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.state(len(t.steps)))
}

// begin notes that a change begins. It returns what is to be called once a command has said that clients see it.
func (t *track) begin(to set, atomic bool) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if maps.Equal(t.state(len(t.steps)), to) {
		return func() {}
	}
	t.steps = append(t.steps, change{to: to, atomic: atomic, begun: time.Now()})
	n := len(t.steps) - 1
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.steps[n].done = time.Now()
	}
}

// saw judges what a client read in a pointer that it fetched between two times: the states come in order, none is between two of
// them unless the change is one that is made in parts, none comes back, and what a command has said is seen from then on. It returns what is wrong, or "".
func (t *track) saw(shown set, begin, end time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	least, most := t.seen.steps, 0
	for i, c := range t.steps {
		if !c.done.IsZero() && c.done.Before(begin) {
			least = max(least, i+1)
		}
		if c.begun.Before(end) {
			most = i + 1
		}
	}
	for n := least; n <= most; n++ {
		at := position{steps: n}
		if n < most && !t.steps[n].atomic {
			if moved, is := between(t.state(n), shown, t.steps[n].to); is && moved < distance(t.state(n), t.steps[n].to) {
				at.packages = moved
			}
		}
		if (at.packages > 0 || maps.Equal(shown, t.state(n))) && (n > t.seen.steps || at.packages >= t.seen.packages) {
			t.seen = at
			return ""
		}
	}
	return fmt.Sprintf("%s shows %d packages, which is not a state of steps %d to %d; it lacks %v of the state %d, and has %v besides", t.release, len(shown), least, most,
		few(without(t.state(most), shown)), most, few(without(shown, t.state(most))))
}

// between reports whether a set is on the way from one to another, and how many packages it is from the first.
func between(from, x, to set) (moved int, is bool) {
	for id, sum := range x {
		if from[id] != sum && to[id] != sum {
			return 0, false
		}
	}
	for id, sum := range from {
		if to[id] == sum && x[id] != sum {
			return 0, false
		}
	}
	return distance(from, x), true
}

// distance returns how many packages two sets differ by.
func distance(a, b set) int { return len(without(a, b)) + len(without(b, a)) }

// without returns the packages of a that b does not have.
func without(a, b set) (ids []string) {
	for id, sum := range a {
		if b[id] != sum {
			ids = append(ids, id)
		}
	}
	return ids
}

func few(ids []string) []string { return ids[:min(len(ids), 4)] }
