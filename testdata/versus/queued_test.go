package versus_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
)

// codenames are those of the six releases.
var codenames = []string{"ubuntu/focal", "ubuntu/jammy", "ubuntu/noble", "debian/bullseye", "debian/bookworm", "debian/trixie"}

// perRelease is the number of packages that wait for each of them.
const perRelease = 9

// BenchmarkQueued starts repomill up when 54 packages are staged for six releases that are published already.
func BenchmarkQueued(b *testing.B) {
	b.Run(fmt.Sprintf("releases=6/debs=%d", sizes.queued), func(b *testing.B) {
		for b.Loop() {
			s := newSite(b, "queued")
			defer remove(b, s.data)
			s.ofRows(sizes.queued)
			want := map[string]int{}
			var releases []catalog.Release
			for _, name := range codenames {
				os, version, _ := strings.Cut(name, "/")
				r := catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: os, Version: version}}
				corpus.Seed(b, s.data, r, packages.DebRows(sizes.queued))
				releases, want[r.String()] = append(releases, r), sizes.queued
			}
			s.start(b)
			s.drained(b, want)
			s.stop(b)
			next := sizes.queued
			var es []expense
			publishes := 0
			for range *runs {
				queued := packages.Debs(b, filepath.Join(work, "queue"), next, next+perRelease)
				next += perRelease
				for _, r := range releases {
					link(b, s.staging(r), queued...)
					want[r.String()] += perRelease
				}
				before := len(s.objects(b, ".history", manifest))
				start := time.Now()
				s.start(b)
				s.drained(b, want)
				wall := time.Since(start)
				e := s.stop(b)
				e.wall = wall
				es = append(es, e)
				publishes = len(s.objects(b, ".history", manifest)) - before
			}
			b.ReportMetric(float64(publishes), "publishes")
			record(b, figure{who: ours, e: median(es), note: fmt.Sprintf("%d publishes of %d packages, start of the program included", publishes, perRelease*len(codenames))})
		}
	})
}

// manifest reports whether an object is the manifest of a publish.
func manifest(path string) bool { return strings.HasSuffix(path, ".json") }
