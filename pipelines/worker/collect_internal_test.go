package worker

import (
	"testing"
	"time"

	"repomill/publish/collect"
)

// What a sweep leaves is marked by one that begins as soon as it may remove what the first one has marked: half a million objects a day of each
// repository that has more garbage than a sweep marks.
func TestSweepsFollowEachOtherWhileMuchIsLeft(t *testing.T) {
	if got := untilNextSweep(collect.Swept{Marked: collect.DefaultMaxMarked, Full: 1}); got != collect.MinWait {
		t.Errorf("a sweep that left garbage is followed after %s", got)
	}
	if got := untilNextSweep(collect.Swept{Marked: 1}); got != collectPeriod {
		t.Errorf("a sweep that left none is followed after %s", got)
	}
	if day := int(24*time.Hour/collect.MinWait) * collect.DefaultMaxMarked; day < 400_000 {
		t.Errorf("a repository loses %d objects a day at most", day)
	}
}
