package stats_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// The logs of the benchmark, of a day each. Few of the packages have most of the lines.
const (
	benchFiles    = 10
	benchLines    = 1_000_000 // of each file
	benchPackages = 1_000
)

var benchAgents = []string{
	"Debian APT-HTTP/1.3 (2.4.9)", "Debian APT-HTTP/1.3 (2.9.8)", "libdnf (Rocky Linux 9.2; generic; Linux.x86_64)", "ZYpp 17.31.2 (curl 7.79.1) openSUSE-Leap-15.4-x86_64",
	"curl/7.88.1", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
}

// benchFormats write one line each: of a path, a status, a size and an agent.
var benchFormats = map[string]struct {
	head string
	line func(w io.Writer, day int, path string, status int, size int64, agent string)
}{
	"combined": {"", func(w io.Writer, day int, path string, status int, size int64, agent string) {
		fmt.Fprintf(w, "192.0.2.%d - - [%02d/Nov/2026:21:57:%02d +0000] \"GET /%s?Expires=1796000000&Signature=abcdefghijklmnopqrstuvwxyz0123456789&Key-Pair-Id=K2JCJMDEHXQW5F HTTP/1.1\" %d %d \"-\" \"%s\"\n", day, day, day, path, status, size, agent)
	}},
	"w3c": {"#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-edge-request-id sc-content-len sc-range-start sc-range-end\n",
		func(w io.Writer, day int, path string, status int, size int64, agent string) {
			fmt.Fprintf(w, "2026-11-%02d\t21:57:10\tFRA56-P4\t%d\t192.0.2.1\tGET\td111111abcdef8.cloudfront.net\t/%s\t%d\t-\t%s\tExpires=1796000000&Signature=abcdefghijklmnopqrstuvwxyz&Key-Pair-Id=K2JCJMDEHXQW5F\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\t%d\t-\t-\n",
				day, size+430, path, status, agent, size)
		}},
	"json": {"", func(w io.Writer, day int, path string, status int, size int64, agent string) {
		fmt.Fprintf(w, `{"date":"2026-11-%02d","time":"21:57:10","x-edge-location":"FRA56-P4","sc-bytes":"%d","c-ip":"192.0.2.1","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/%s","sc-status":"%d","cs(Referer)":"-","cs(User-Agent)":"%s","cs-uri-query":"Expires=1796000000&Signature=abcdefghijklmnopqrstuvwxyz","x-edge-request-id":"SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==","sc-content-len":"%d","sc-range-start":"-","sc-range-end":"-"}`+"\n",
			day, size+430, path, status, agent, size)
	}},
}

// benchLog writes a log with lines at random, the same each time.
func (s *site) benchLog(b *testing.B, name, format string, packages []catalog.Package) {
	b.Helper()
	f, err := os.Create(filepath.Join(s.dir, name))
	if err != nil {
		b.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	w := bufio.NewWriterSize(z, 1<<20)
	r := rand.New(rand.NewPCG(1, uint64(len(name))))
	fmt.Fprint(w, benchFormats[format].head)
	for range benchLines {
		k := packages[min(r.IntN(len(packages)), r.IntN(len(packages)), r.IntN(len(packages)))]
		path, status := k.Key, 200
		switch r.IntN(10) {
		case 0, 1, 2:
			path = "acme/tools/ubuntu/dists/jammy/InRelease"
		case 3:
			status = 404
		}
		benchFormats[format].line(w, len(name), path, status, k.File.Size, benchAgents[r.IntN(len(benchAgents))])
	}
	if err := errors.Join(w.Flush(), z.Close(), f.Close()); err != nil {
		b.Fatal(err)
	}
}

// cpu returns the time that this process has used of processors, and the most memory that it had, in bytes.
func cpu(b *testing.B) (time.Duration, int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss << 10
}

// A whole run: it lists, decompresses, counts and writes ten million lines in ten logs, on the embedded runner.
func BenchmarkTenMillionLines(b *testing.B) {
	for _, format := range []string{"combined", "w3c", "json"} {
		b.Run(format, func(b *testing.B) {
			s := newSite(b)
			packages := make([]catalog.Package, benchPackages)
			for i := range packages {
				packages[i] = s.add(fmt.Sprintf("package%04d", i), int64(10_000+i))
			}
			for i := range benchFiles {
				s.benchLog(b, fmt.Sprintf("%*d.log.gz", i+1, i), format, packages)
			}
			before, _ := cpu(b)
			b.ResetTimer()
			sum, err := s.run().Do(b.Context()) // once: what is counted is not counted again
			b.StopTimer()
			if want := int64(benchFiles * benchLines); err != nil || sum.Lines.Lines != want || sum.Lines.Downloads < want/3 || sum.Lines.Malformed > 0 {
				b.Fatal(sum, err)
			}
			used, peak := cpu(b)
			b.ReportMetric(float64(sum.Lines.Lines)/(used-before).Seconds(), "lines/cpu-s")
			b.ReportMetric(float64(peak>>20), "MB-peak")
		})
	}
}
