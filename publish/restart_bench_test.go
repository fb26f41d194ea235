package publish_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
)

// BenchmarkRestart publishes one more package into a large release: by a process that runs, by one that has just started with the folder of
// rendered indexes that a killed one and one that ended in good order have left, and by one without. Figures are CPU milliseconds of a
// publish, without the start of the process.
func BenchmarkRestart(b *testing.B) {
	for _, r := range []catalog.Release{jammy, el9} {
		for _, n := range []int{20_000, 100_000} {
			b.Run(fmt.Sprintf("%s=%d", r.Distribution.OS, n), func(b *testing.B) { benchmarkRestart(b, r, n) })
		}
	}
}

func benchmarkRestart(b *testing.B, r catalog.Release, n int) {
	w := newWorld(b)
	data, rows := b.TempDir(), corpus.Corpus{}.DebRows(n)
	if r.Arch != "" {
		rows = corpus.Corpus{}.RPMRows(b, n)
	}
	corpus.Seed(b, data, r, rows)
	catalogFile, err := os.ReadFile(filepath.Join(data, "catalog.db"))
	if err != nil {
		b.Fatal(err)
	}
	w.restore(catalogFile)
	w.declare(r, "", "amd64")
	pushed := 0
	more := func() {
		pushed++
		w.push(w.some(r, fmt.Sprintf("%c-more-%d", 'b'+rune(pushed*7%24), pushed)))
		w.later()
		runtime.GC()
	}
	p := newRestarting(w, b.TempDir())
	publishMore := func(with *publish.Publisher) time.Duration {
		more()
		return cpuOf(func() { publishWith(b, with, r) })
	}
	publishMore(p.Publisher)
	var running, killed, ended, whole time.Duration
	for b.Loop() {
		for range 5 {
			running += publishMore(p.Publisher) / 5
		}
		p.kill()
		killed += publishMore(p.Publisher)
		p.restart()
		ended += publishMore(p.Publisher)
		whole += publishMore(w.publisher())
		debug.FreeOSMemory()
	}
	p.Close()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(ms(running), "ms/running")
	b.ReportMetric(ms(killed), "ms/after-kill")
	b.ReportMetric(ms(ended), "ms/after-end")
	b.ReportMetric(ms(whole), "ms/without")
}

// cpuOf returns the CPU time that the process takes while f runs.
func cpuOf(f func()) time.Duration {
	begin := cpuTime()
	f()
	return cpuTime() - begin
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
