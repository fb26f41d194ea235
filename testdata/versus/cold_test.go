package versus_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// BenchmarkCold takes a staging folder of small packages to published releases, start and end of the program
// included. The peers read the same files; createrepo_c both in one folder, and as repomill publishes them: a
// repository for each architecture, with the noarch packages in both. The latter has the bars.
func BenchmarkCold(b *testing.B) {
	for _, bb := range []struct {
		packed kind
		r      catalog.Release
		peers  []peer
	}{
		{debs, jammy, debPeers},
		{xzDebs, jammy, debPeers},
		{rpms, el9, append(rpmPeers, createrepoEach)},
	} {
		b.Run(fmt.Sprintf("%s=%d", bb.packed, sizes.packages), func(b *testing.B) {
			for b.Loop() {
				var es []expense
				for run := range *runs {
					es = append(es, cold(b, fmt.Sprintf("cold-%s-%d", bb.packed, run), bb.packed, bb.r))
				}
				e := median(es)
				record(b, figure{who: ours, e: e, note: fmt.Sprintf("%.1f of %d CPUs busy", e.cpu.Seconds()/e.wall.Seconds(), runtime.NumCPU())})
				for _, p := range bb.peers {
					if installed(p.needs...) {
						record(b, p.coldFigure(b, bb.packed))
					}
				}
			}
		})
	}
}

// coldFigure measures a peer. One that stores no packages is charged for a copy of them.
func (p peer) coldFigure(b *testing.B, packed kind) figure {
	b.Helper()
	r := p.publish(b, packed, *runs)
	bars := coldBars[p.name]
	f := figure{who: p.name, e: r.expense, bar: bars.cpu, wallBar: bars.wall}
	if p.stores != nil {
		f.who, f.e = p.name+" + cp -r", r.expense.plus(r.copied)
		f.note = fmt.Sprintf("cp -r: %s CPU, %s", shown(r.copied.cpu), shown(r.copied.wall))
	}
	return f
}

// coldBars are the most that repomill may use in a cold run, as shares of what peers do that do the same work.
var coldBars = map[string]struct{ cpu, wall float64 }{
	aptly.name:          {0.5, 0.35},
	createrepoEach.name: {1.5, 1.2},
}

// cold measures one run of repomill up over the corpus.
func cold(b *testing.B, name string, packed kind, r catalog.Release) expense {
	b.Helper()
	s := newSite(b, name)
	defer remove(b, s.data)
	all := files(b, packed, sizes.packages)
	link(b, s.staging(r), all...)
	start := time.Now()
	s.start(b)
	s.drained(b, coldCounts(r, len(all)))
	wall := time.Since(start)
	e := s.stop(b)
	e.wall = wall
	return e
}

// coldCounts returns how many of the first packages of the corpus each release shows.
func coldCounts(r catalog.Release, count int) map[string]int {
	if r.Arch == "" {
		return map[string]int{r.String(): count}
	}
	want := map[string]int{}
	for i := range count {
		arch := packages.RPMArch(i)
		for _, dir := range []string{"x86_64", "aarch64"} {
			if arch == dir || arch == "noarch" {
				r.Arch = dir
				want[r.String()]++
			}
		}
	}
	return want
}
