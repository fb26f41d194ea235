package versus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkPushBesideJunk measures how long pushes into one repository take until clients see them, while very many files that are no packages wait in
// another one: those are queued at once, just before the first push.
func BenchmarkPushBesideJunk(b *testing.B) {
	junk := jammy
	junk.Repository.Name = "junk"
	for _, count := range sizes.junk {
		b.Run(fmt.Sprintf("junk=%d", count), func(b *testing.B) {
			for b.Loop() {
				s := newSite(b, fmt.Sprintf("junk-%d", count))
				outside := junkFiles(b, filepath.Join(s.data, "junk"), count)
				s.start(b)
				s.push(b, junk, more(b, debs, sizes.latency)) // its repository is there
				s.push(b, jammy, more(b, debs, sizes.latency+1))
				if err := os.Rename(outside, filepath.Join(s.staging(junk), "contrib")); err != nil {
					b.Fatal(err)
				}
				took := s.steady(b, jammy, 1300*time.Millisecond, sizes.latency)
				e := s.stop(b)
				remove(b, s.data)
				slices.Sort(took)
				p50, last := quantile(took, 0.5), took[len(took)-1]
				b.ReportMetric(float64(p50.Milliseconds()), "p50-ms")
				b.ReportMetric(float64(last.Milliseconds()), "longest-ms")
				record(b, figure{who: ours, e: e, limits: []limit{{"longest ≤ 1 s", last <= time.Second}},
					note: fmt.Sprintf("%d pushes: p50 %d ms, longest %d ms", len(took), p50.Milliseconds(), last.Milliseconds())})
			}
		})
	}
}

// junkFiles writes files of ten bytes into a new folder, and returns its path.
func junkFiles(b *testing.B, dir string, count int) string {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range count {
		write(b, dir, fmt.Sprintf("junk-%07d.deb", i), fmt.Sprintf("%010d", i))
	}
	return dir
}
