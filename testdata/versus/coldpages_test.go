package versus_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkColdPages is BenchmarkCold of .rpms, whose pages need no contents, until their pages are made, too: those follow the last publish.
func BenchmarkColdPages(b *testing.B) {
	for b.Loop() {
		s := newSite(b, "cold-pages")
		all := files(b, rpms, sizes.packages)
		link(b, s.staging(el9), all...)
		start := time.Now()
		s.start(b)
		s.drained(b, coldCounts(el9, len(all)))
		published := expense{cpu: cpuOf(b, s.up.Cmd.Process.Pid), wall: time.Since(start)}
		s.idle(b)
		wall := time.Since(start)
		e := s.stop(b)
		e.wall = wall
		remove(b, s.data)
		each := (e.cpu - published.cpu) / time.Duration(len(all))
		record(b, figure{who: ours, e: e, note: fmt.Sprintf("published after %s of CPU; pages of a package %s", shown(published.cpu), each)})
	}
}
