package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// corpus is how many small packages a run takes to clients.
const corpus = 2000

// ingestBar is the most CPU of our process for a package, in milliseconds, with all servers of a company.
const ingestBar = 1.8

// BenchmarkIngest takes a corpus of small packages from staging to clients with `worker --once`, on all the
// servers of a company on this machine, and with one after the other of them replaced by files: what a
// part takes of our own CPU is the difference. Events are left out, for the test server of Pub/Sub streams
// some 90 messages a second: the sweep finds the packages.
func BenchmarkIngest(b *testing.B) {
	for _, bm := range []struct {
		name                   string
		staging, catalog, back bool // on GCS, MySQL, S3; else on files
	}{
		{"GCS, MySQL, S3", true, true, true},
		{"files, MySQL, S3", false, true, true},
		{"GCS, SQLite, S3", true, false, true},
		{"GCS, MySQL, files", true, true, false},
		{"files, SQLite, files", false, false, false},
	} {
		b.Run(bm.name, func(b *testing.B) {
			for range b.N {
				c := newCompany(b)
				dir := b.TempDir()
				if !bm.staging {
					c.staging, c.events = "file://"+dir+"/staging", "dir://"
				} else {
					c.gcs.Notify = nil
				}
				if !bm.catalog {
					c.catalog = "sqlite://" + dir + "/catalog.db"
				}
				if !bm.back {
					c.bucket = "file://" + dir + "/bucket"
					if err := os.Mkdir(dir+"/bucket", 0o755); err != nil {
						b.Fatal(err)
					}
				}
				if each := c.ingest(b); bm.staging && bm.catalog && bm.back {
					b.Logf("CPU of our process %.2f ms a package; bar ≤ %.1f ms: %s", each, ingestBar, map[bool]string{true: "met", false: "not met"}[each <= ingestBar])
				}
			}
		})
	}
}

// ingest stages the corpus and measures the worker that publishes it. It returns the CPU milliseconds that a package takes of that process.
func (c *company) ingest(b *testing.B) float64 {
	c.ok("migrate")
	c.ok("repo", "create", "--no-wait", "acme/tools", "--distribution", "ubuntu/jammy")
	stage(b, c.staging)
	key := c.file("key.asc", c.signing)
	cmd := exec.Command(c.bin+"/repomill", "worker", "--once", "--staging", c.staging, "--events", c.events, "--catalog", c.catalog,
		"--bucket", c.bucket, "--signing-key", "file://"+key, "--public-url", c.public, "--log-format", "text")
	log := new(proctest.Output)
	cmd.Stderr = log
	proctest.DieWithParent(cmd)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan int64, 1)
	go func() { ended <- peakMemory(cmd.Process.Pid) }()
	published := make(chan time.Duration, 1)
	go func() { published <- cpuWhenPublished(cmd.Process.Pid, log) }()
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%v\n%s", err, log)
	}
	wall := time.Since(start)
	if out := c.ok("status", "acme/tools"); !strings.Contains(out.Stdout, strconv.Itoa(corpus)+" ") {
		b.Fatalf("not all are published: %s", out)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(corpus/cpu.Seconds(), "packages/cpu-s")
	each := cpu.Seconds() * 1000 / corpus
	b.ReportMetric(each, "cpu-ms/package")
	b.ReportMetric((<-published).Seconds()*1000/corpus, "cpu-ms/package-published") // pages and contents of packages come after it
	b.ReportMetric(wall.Seconds(), "wall-s")
	b.ReportMetric(float64(<-ended)/1e6, "peak-MB")
	b.ReportMetric(0, "ns/op")
	return each
}

func stage(b *testing.B, url string) {
	b.Helper()
	staging, err := objects.OpenStaging(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer staging.Close()
	var g errgroup.Group
	g.SetLimit(8)
	for i := range corpus {
		g.Go(func() error {
			name := fmt.Sprintf("pkg%04d", i)
			body := debtest.Build(b, debtest.Spec{Name: name, Version: "1.0", Arch: "amd64"})
			_, err := staging.Put(b.Context(), "acme/tools/ubuntu/jammy/"+name+".deb", strings.NewReader(string(body)), catalog.Pusher{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// cpuWhenPublished returns the CPU time that a process had used when it had logged that all of the corpus is published, or 0 if it
// ended before that was seen.
func cpuWhenPublished(pid int, log *proctest.Output) time.Duration {
	for {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		_, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after) // from the third one on
		if err != nil || len(fields) < 13 || fields[0] == "Z" {
			return 0
		}
		if strings.Count(log.String(), `msg="upload published"`) >= corpus {
			var used int64
			for _, ticks := range fields[11:13] { // utime, stime
				n, _ := strconv.ParseInt(ticks, 10, 64) //nolint:errcheck // the kernel writes numbers
				used += n
			}
			return time.Duration(used) * 10 * time.Millisecond // USER_HZ is 100 on Linux
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// peakMemory returns the most bytes that a process had resident, by its own count, when it has ended.
func peakMemory(pid int) (peak int64) {
	for {
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
		_, rest, ok := strings.Cut(string(status), "VmHWM:")
		if err != nil || !ok {
			return peak
		}
		if kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
			peak = max(peak, kb<<10)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
