package versus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// releasesBar is how long it may take until 1,000 releases have published a package each.
const releasesBar = time.Minute

// BenchmarkReleases has one package wait for each of many repositories when the process starts: first for repositories that nothing was
// pushed to before, and then one more for each.
func BenchmarkReleases(b *testing.B) {
	b.Run(fmt.Sprintf("debs=%d", sizes.releases), func(b *testing.B) {
		for b.Loop() {
			s := newSite(b, "releases")
			s.more = []string{"--contents-max-size", "0"}
			all := make([]catalog.Release, sizes.releases)
			for i := range all {
				all[i] = jammy
				all[i].Repository.Name = fmt.Sprintf("tools%04d", i)
			}
			for round, what := range []string{"the first package of each", "one more for each"} {
				e := s.publishEach(b, all, round)
				record(b, figure{
					who: fmt.Sprintf("%s: %s", ours, what), e: e,
					limits: []limit{{fmt.Sprintf("wall ≤ %s", releasesBar), e.wall <= releasesBar}},
					note:   fmt.Sprintf("%.1f ms CPU for each; start of the program included", e.cpu.Seconds()*1000/float64(len(all))),
				})
			}
			remove(b, s.data)
		}
	})
}

// publishEach stages package i for each release, starts the process, and waits until clients see another pointer of each.
func (s *site) publishEach(b *testing.B, all []catalog.Release, i int) expense {
	b.Helper()
	file := more(b, debs, i)
	defer os.Remove(file)
	left := map[string]os.FileInfo{} // pointers as they were
	for _, r := range all {
		link(b, s.staging(r), file)
		pointer := filepath.Join(s.data, "bucket", layout.PointerKey(r))
		left[pointer] = look(b, pointer)
	}
	start := time.Now()
	s.start(b)
	for end := start.Add(20 * time.Minute); len(left) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d releases are not published; the log ends with\n%s", len(left), len(all), s.logEnd())
		}
		for pointer, old := range left {
			now := look(b, pointer)
			if now == nil || old != nil && os.SameFile(now, old) && now.ModTime().Equal(old.ModTime()) {
				break // the others are looked at next time: to look at all of them takes a part of the processor
			}
			delete(left, pointer)
		}
	}
	wall := time.Since(start)
	e := s.stop(b)
	e.wall = wall
	remove(b, filepath.Join(s.data, "staging")) // or all of it would be looked at next time
	return e
}

// look returns what a file is, or nil if there is none.
func look(b *testing.B, path string) os.FileInfo {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return info
}
