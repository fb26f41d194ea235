package versus_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// BenchmarkPushToVisible measures how long after it is in staging a package is in an index that the InRelease of its release names:
// with one push at a time, and under a steady load.
func BenchmarkPushToVisible(b *testing.B) {
	for _, bb := range []struct {
		name  string
		every time.Duration // from one push to the next
		total int
		half  time.Duration // the most that half of the pushes may take; 0 if there is no bar
		most  time.Duration // the most that 99 of 100 may take
	}{
		{"quiet", 1300 * time.Millisecond, sizes.latency, 250 * time.Millisecond, 1200 * time.Millisecond},
		{"50-a-second", 20 * time.Millisecond, 50 * sizes.latency, 0, 2 * time.Second},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				s := newSite(b, "latency-"+bb.name)
				s.start(b)
				took := s.steady(b, jammy, bb.every, bb.total)
				e := s.stop(b)
				remove(b, s.data)
				slices.Sort(took)
				p50, p99, last := quantile(took, 0.5), quantile(took, 0.99), took[len(took)-1]
				b.ReportMetric(float64(p50.Milliseconds()), "p50-ms")
				b.ReportMetric(float64(p99.Milliseconds()), "p99-ms")
				limits := []limit{{fmt.Sprintf("p99 ≤ %s", bb.most), p99 <= bb.most}}
				if bb.half > 0 {
					limits = append(limits, limit{fmt.Sprintf("p50 ≤ %s", bb.half), p50 <= bb.half})
				}
				record(b, figure{who: ours, e: e, limits: limits, note: fmt.Sprintf("%d pushes: p50 %d ms, p99 %d ms, longest %d ms",
					bb.total, p50.Milliseconds(), p99.Milliseconds(), last.Milliseconds())})
			}
		})
	}
}

// quantile returns the smallest of the sorted durations that a share q of them does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// steady pushes so many packages, one every so often, and returns how long each took until clients could see it.
func (s *site) steady(b *testing.B, r catalog.Release, every time.Duration, total int) (took []time.Duration) {
	b.Helper()
	outside := filepath.Join(s.data, "pushed")
	all := packages.Debs(b, outside, 0, total)
	if err := os.MkdirAll(s.staging(r), 0o755); err != nil {
		b.Fatal(err)
	}
	w := &watcher{dists: filepath.Join(s.data, "bucket", indexDir(r)), pushed: map[string]time.Time{}}
	done := make(chan error, 1)
	go func() { done <- w.watch(total, time.Now().Add(time.Duration(total)*every+5*time.Minute)) }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for _, file := range all {
		<-tick.C
		name := filepath.Base(file)
		w.mu.Lock()
		w.pushed[name] = time.Now()
		w.mu.Unlock()
		if err := os.Rename(file, filepath.Join(s.staging(r), name)); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatalf("%v; the log ends with\n%s", err, s.logEnd())
	}
	return w.took
}

// A watcher reads a DEB release as a client does, from its InRelease on, as soon as that changes.
type watcher struct {
	dists string // the folder of the release
	took  []time.Duration

	mu     sync.Mutex
	pushed map[string]time.Time // packages that were not seen yet, by the names of their files
}

// watch returns when so many packages were seen.
func (w *watcher) watch(total int, until time.Time) error {
	var last []byte
	for ; len(w.took) < total; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			return fmt.Errorf("clients see %d of %d packages", len(w.took), total)
		}
		pointer, err := os.ReadFile(filepath.Join(w.dists, "InRelease"))
		if err != nil || bytes.Equal(pointer, last) {
			continue // the first one is not there yet, or nothing has changed
		}
		seen := time.Now()
		last = pointer
		if err := w.see(pointer, seen); err != nil {
			return err
		}
	}
	return nil
}

// see reads the indexes that a pointer names.
func (w *watcher) see(pointer []byte, at time.Time) error {
	_, sums, _ := strings.Cut(string(pointer), "\nSHA256:\n")
	for line := range strings.Lines(sums) {
		f := strings.Fields(line)
		if !strings.HasPrefix(line, " ") || len(f) != 3 {
			break
		}
		if filepath.Base(f[2]) != "Packages.gz" {
			continue
		}
		text, err := os.Open(filepath.Join(w.dists, filepath.Dir(f[2]), "by-hash", "SHA256", f[0]))
		if err != nil {
			return err
		}
		err = w.list(text, at)
		text.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", f[2], err)
		}
	}
	return nil
}

func (w *watcher) list(compressed *os.File, at time.Time) error {
	text, err := gzip.NewReader(compressed)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		path, ok := strings.CutPrefix(lines.Text(), "Filename: ")
		if !ok {
			continue
		}
		name := filepath.Base(path)
		if since, waits := w.pushed[name]; waits {
			w.took = append(w.took, at.Sub(since))
			delete(w.pushed, name)
		}
	}
	return lines.Err()
}
