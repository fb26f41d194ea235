package versus_test

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A figure is one line of the table.
type figure struct {
	work, who string
	e         expense
	bar       float64 // the most CPU that repomill may use, as a share of this one; 0 if this is not a bar
	wallBar   float64 // the same of wall time
	limits    []limit // bars of this figure itself
	note      string
}

// A limit is a bar that is a figure of its own, such as the peak of memory.
type limit struct {
	text string // such as "peak ≤ 512 MB"
	met  bool
}

var figures []figure

// ours is the name of repomill in the table.
const ours = "repomill"

// record keeps a figure for the table and reports it as metrics of the benchmark.
func record(b *testing.B, f figure) {
	b.Helper()
	f.work = strings.TrimPrefix(b.Name(), "Benchmark")
	figures = append(figures, f)
	unit := strings.NewReplacer(" ", "-", ",", "").Replace(f.who)
	b.ReportMetric(f.e.cpu.Seconds(), unit+"-cpu-s")
	b.ReportMetric(0, "ns/op")
	if f.who != ours {
		return
	}
	if f.e.wall > 0 {
		b.ReportMetric(f.e.wall.Seconds(), unit+"-wall-s")
	}
	if f.e.peak > 0 {
		b.ReportMetric(f.e.peak, unit+"-peak-MB")
	}
}

// printTable prints all figures in Markdown.
func printTable(w io.Writer) {
	if len(figures) == 0 {
		return
	}
	fmt.Fprintf(w, "\n| work | who | CPU | wall | peak MB | repomill's share of that CPU | of that wall | bars | |\n|---|---|---|---|---|---|---|---|---|\n")
	own := map[string]expense{}
	for _, f := range figures {
		if f.who == ours {
			own[f.work] = f.e
		}
	}
	for _, f := range figures {
		cpu, wall, bars := f.beside(own[f.work])
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			f.work, f.who, shown(f.e.cpu), shown(f.e.wall), shownMB(f.e.peak), cpu, wall, strings.Join(bars, "; "), f.note)
	}
	fmt.Fprintf(w, "\n%s, %d CPUs (%s), %s", runtime.GOOS, runtime.NumCPU(), processor(), runtime.Version())
	for _, p := range slices.Concat(debPeers, rpmPeers) {
		if v, ok := versionOf(p); ok {
			fmt.Fprintf(w, "; %s %s", p.name, v)
		}
	}
	fmt.Fprintf(w, "\n\n")
}

// beside returns what repomill takes as shares of another figure of the same work, and which bars it meets.
func (f figure) beside(own expense) (cpu, wall string, bars []string) {
	for _, l := range f.limits {
		bars = append(bars, l.text+": "+verdict(l.met))
	}
	if strings.HasPrefix(f.who, ours) {
		return "", "", bars
	}
	share := func(what string, own, other time.Duration, bar float64) string {
		if own <= 0 || other <= 0 {
			return ""
		}
		ratio := float64(own) / float64(other)
		if bar > 0 {
			bars = append(bars, fmt.Sprintf("%s ≤ %g: %s", what, bar, verdict(ratio <= bar)))
		}
		return fmt.Sprintf("%.3f", ratio)
	}
	cpu = share("CPU", own.cpu, f.e.cpu, f.bar)
	wall = share("wall", own.wall, f.e.wall, f.wallBar)
	return cpu, wall, bars
}

func verdict(met bool) string { return map[bool]string{true: "met", false: "**not met**"}[met] }

// processor returns the name of the machine's processor.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	_, after, _ := strings.Cut(string(info), "model name\t: ")
	name, _, _ := strings.Cut(after, "\n")
	return name
}

var versionPattern = regexp.MustCompile(`[0-9]+(\.[0-9]+)+[^\s,]*`)

func versionOf(p peer) (string, bool) {
	if !installed(p.needs...) {
		return "", false
	}
	_, out, err := expenseOf(command(work, p.version[0], p.version[1:]...))
	return versionPattern.FindString(string(out)), err == nil
}

func shown(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	default:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
}

func shownMB(mb float64) string {
	if mb == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", mb)
}
