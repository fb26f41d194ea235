package versus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// BenchmarkReindex renders all indexes in whole from rows, beside what peers do from their databases.
func BenchmarkReindex(b *testing.B) {
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
				if knows(b, "reindex") {
					reindexed(b, bb.r, sizes.packages, *runs)
				} else {
					b.Log("this repomill has no command reindex: peers only")
				}
				for _, p := range bb.peers {
					if !installed(p.needs...) {
						continue
					}
					dir := p.publish(b, bb.packed, 1).dir
					var es []expense
					for range *runs {
						es = append(es, measure(b, p.again(dir)...))
					}
					record(b, figure{who: p.name, e: median(es), bar: reindexBars[p.name]})
				}
			}
		})
	}
}

// reindexBars are the most CPU that repomill may use for a reindex, as shares of what a peer does.
var reindexBars = map[string]float64{aptly.name: 0.25}

// reindexPeak is the most memory that a reindex of any size may use, in MB.
const reindexPeak = 512

// BenchmarkReindexOfMany renders all indexes of large releases in whole. The bars are 512 MB at 1,000,000 rows, and
// 1.5 times the cost of a package at 20,000.
func BenchmarkReindexOfMany(b *testing.B) {
	for _, count := range sizes.rows {
		for _, r := range []catalog.Release{jammy, el9} {
			b.Run(fmt.Sprintf("%s=%d", r.Distribution.OS, count), func(b *testing.B) {
				if !knows(b, "reindex") {
					b.Skip("this repomill has no command reindex")
				}
				for b.Loop() {
					e := reindexed(b, r, count, 1)
					b.ReportMetric(float64(e.cpu.Microseconds())/float64(count), "µs/package")
				}
			})
		}
	}
}

// reindexed measures repomill reindex of a release that was never published, and once more when it was.
func reindexed(b *testing.B, r catalog.Release, count, times int) expense {
	b.Helper()
	s := seeded(b, r, count, rowsOf(b, r, count))
	reindex := func() expense {
		return measure(b, command(s.data, *binary, "reindex", "--data", s.data, "--all", "--json", "--public-url", "http://127.0.0.1:8080"))
	}
	var es, again []expense
	for range times {
		s.reset(b)
		es = append(es, reindex())
		if _, err := os.Stat(filepath.Join(s.data, "bucket", layout.PointerKey(r))); err != nil {
			b.Fatalf("reindex published nothing: %v", err)
		}
		again = append(again, reindex())
	}
	e := median(es)
	record(b, figure{
		who: ours, e: e, limits: []limit{{fmt.Sprintf("peak ≤ %d MB", reindexPeak), e.peak <= reindexPeak}},
		note: fmt.Sprintf("%.1f µs a package", float64(e.cpu.Microseconds())/float64(count)),
	})
	record(b, figure{who: "repomill, nothing changed", e: median(again)})
	return e
}

// knows reports whether the program has a command.
func knows(b *testing.B, name string) bool {
	b.Helper()
	_, out, err := expenseOf(command(work, *binary, name, "--help"))
	return err == nil || !strings.Contains(string(out), "unexpected argument")
}
