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
