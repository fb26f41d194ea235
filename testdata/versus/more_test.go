package versus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
)

// between pushes of a DEB package, because its release changes once a second at most. What the process does in that pause
// counts.
const between = 1100 * time.Millisecond

// BenchmarkOneMore publishes one more package, beside each peer's incremental mode.
func BenchmarkOneMore(b *testing.B) {
	for _, bb := range []struct {
		packed kind
		r      catalog.Release
		peers  []peer
	}{
		{debs, jammy, debPeers},
		{rpms, el9, rpmPeers},
	} {
		b.Run(fmt.Sprintf("%s=%d", bb.packed, sizes.packages), func(b *testing.B) {
			for b.Loop() {
				small(b, bb.r, sizes.packages).measure(b)
				for _, p := range bb.peers {
					if installed(p.needs...) {
						record(b, figure{who: p.name, e: p.oneMore(b, bb.packed), bar: oneMoreBars[p.name]})
					}
				}
			}
		})
	}
}

// oneMoreBars are the most CPU that repomill may use for one more, as shares of what a peer does.
var oneMoreBars = map[string]float64{aptly.name: 0.01}

// BenchmarkOneMoreOfMany is BenchmarkOneMore in releases of rows only, beside what the bytes themselves cost.
func BenchmarkOneMoreOfMany(b *testing.B) {
	for _, count := range sizes.rows {
		for _, r := range []catalog.Release{jammy, el9} {
			b.Run(fmt.Sprintf("%s=%d", r.Distribution.OS, count), func(b *testing.B) {
				for b.Loop() {
					p := small(b, r, count)
					p.bar = 1
					p.measure(b)
				}
			})
		}
	}
}

// BenchmarkOneMoreBig publishes one more package with 100,000 files into a release of such packages.
func BenchmarkOneMoreBig(b *testing.B) {
	b.Run(fmt.Sprintf("rpms=%d", sizes.big), func(b *testing.B) {
		for b.Loop() {
			r := el9
			r.Distribution.OS = "ol"
			pushing{
				r: r, count: 2, bar: 1,
				s:    seeded(b, r, sizes.big, func() corpus.Rows { return packages.BigRows(b, sizes.big) }),
				file: func(i int) string { return packages.BigRPMs(b, filepath.Join(work, "big-more"), i, i+1)[0] },
			}.measure(b)
			if installed(createrepo.needs...) {
				record(b, figure{who: createrepo.name, e: oneMoreBig(b)})
			}
		}
	})
}

// oneMoreBig measures createrepo_c.
func oneMoreBig(b *testing.B) expense {
	b.Helper()
	key(b)
	all := packages.BigRPMs(b, filepath.Join(work, "big"), 0, sizes.big)
	dir := filepath.Join(work, "createrepo-big")
	createrepo.begin(b, dir, all)
	measure(b, createrepo.cold(dir, all)...)
	var es []expense
	for run := range *runs {
		i := sizes.big + run
		createrepo.own(b, dir, packages.BigRPMs(b, filepath.Join(work, "big"), i, i+1)...)
		es = append(es, measure(b, createrepo.more(dir, "")...))
	}
	remove(b, dir)
	remove(b, filepath.Join(work, "big"))
	return median(es)
}

// A pushing is a number of pushes, of one package each, into a release.
type pushing struct {
	r     catalog.Release
	s     *site
	count int                // of pushes for one figure
	bar   float64            // of the allowance
	file  func(i int) string // writes package i
}

// small returns pushes of small packages into a release of rows.
func small(b *testing.B, r catalog.Release, count int) pushing {
	b.Helper()
	packed := debs
	if r.Arch != "" {
		packed = rpms
	}
	return pushing{r: r, s: seeded(b, r, count, rowsOf(b, r, count)), count: sizes.pushes, file: func(i int) string { return more(b, packed, i) }}
}

// measure records what a push takes, and what the index bytes that it changed cost at least.
func (p pushing) measure(b *testing.B) {
	b.Helper()
	p.s.start(b)
	p.s.drained(b, map[string]int{p.r.String(): p.s.rows})
	p.next(b) // what comes once, comes here
	p.s.idle(b)
	var es, clients, stored, plain []expense
	var mb float64
	for range *runs {
		before := p.s.objects(b, indexDir(p.r), isIndex)
		e, client := p.once(b)
		es, clients = append(es, e), append(clients, client)
		var fresh []string
		mb = 0
		for path, size := range p.s.objects(b, indexDir(p.r), isIndex) {
			if _, old := before[path]; !old {
				fresh = append(fresh, path)
				mb += float64(size) / 1e6 / float64(p.count)
			}
		}
		bytes, unpacked := touch(b, fresh)
		stored, plain = append(stored, bytes.over(p.count)), append(plain, bytes.plus(unpacked).over(p.count))
	}
	p.s.stop(b)
	b.ReportMetric(mb, "index-MB")
	record(b, figure{who: ours, e: median(es), note: "the running process"})
	record(b, figure{who: "repomill push", e: median(clients), note: "the process that pushes and waits"})
	record(b, figure{who: "30 ms + 1.5 × the index bytes", e: allowance(median(stored)), bar: p.bar, note: fmt.Sprintf("%.2f MB read, hashed, written: %s", mb, shown(median(stored).cpu))})
	record(b, figure{who: "the same, plain bytes hashed too", e: allowance(median(plain)), note: "an index lists both digests"})
}

// once returns what one push takes of the running process, and of the one that pushes.
func (p pushing) once(b *testing.B) (e, client expense) {
	b.Helper()
	var waits time.Duration
	e = p.s.during(b, func() {
		for range p.count {
			client = client.plus(p.next(b))
			if p.r.Arch == "" {
				time.Sleep(between)
				waits += between
			}
		}
	})
	e.wall -= waits
	return e.over(p.count), client.over(p.count)
}

// next pushes the next package that the release can take.
func (p pushing) next(b *testing.B) expense {
	b.Helper()
	for packages.RPMArch(p.s.next) != "x86_64" { // for amd64 as well: one index changes
		p.s.next++
	}
	file := p.file(p.s.next)
	p.s.next++
	defer os.Remove(file)
	return p.s.push(b, p.r, file)
}

// allowance returns what a publish may cost.
func allowance(bytes expense) expense {
	return expense{cpu: 30*time.Millisecond + bytes.cpu*3/2}
}
