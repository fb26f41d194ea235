package publish_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"repomill/testdata/corpus"
	"repomill/testdata/debtest"
)

// BenchmarkArchitectureAll publishes one more package of "Architecture: all" into a release that has nothing else, and where each architecture
// shows it: CPU and bytes of a publish by a process that runs, and CPU of one that renders all.
func BenchmarkArchitectureAll(b *testing.B) {
	for _, n := range []int{3_000, 100_000} {
		data := b.TempDir()
		corpus.Seed(b, data, jammy, corpus.Corpus{}.DebRows(n))
		catalogFile, err := os.ReadFile(filepath.Join(data, "catalog.db"))
		if err != nil {
			b.Fatal(err)
		}
		all := []string{"amd64", "arm64", "armel", "armhf", "i386", "mips64el", "mipsel", "ppc64el", "riscv64", "s390x"}
		for _, arches := range []int{1, 4, 10} {
			b.Run(fmt.Sprintf("packages=%d/architectures=%d", n, arches), func(b *testing.B) {
				w := newWorld(b)
				w.restore(catalogFile)
				w.database(`UPDATE packages SET arch = 'all'`)
				w.database(`UPDATE distributions SET architectures = ?`, `["`+strings.Join(all[:arches], `","`)+`"]`)
				p := w.publisher()
				whole := cpuOf(func() { publishWith(b, p, jammy) })
				var more time.Duration
				var bytes int64
				for i := 0; b.Loop(); i++ {
					w.push(w.deb(jammy, "main", debtest.Spec{Name: fmt.Sprintf("%c-more-%d", 'b'+rune(i*7%24), i), Arch: "all"}))
					w.later()
					w.bucket.Writes()
					more += cpuOf(func() { publishWith(b, p, jammy) })
					for _, key := range w.bucket.Writes() {
						m, err := w.bucket.Stat(b.Context(), key)
						if err != nil {
							b.Fatal(err)
						}
						bytes += m.Size
					}
				}
				b.ReportMetric(float64(whole.Milliseconds()), "ms-CPU/whole")
				b.ReportMetric(float64(more.Microseconds())/1000/float64(b.N), "ms-CPU/more")
				b.ReportMetric(float64(bytes)/1e6/float64(b.N), "MB/more")
				debug.FreeOSMemory()
			})
		}
	}
}
