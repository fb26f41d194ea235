package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/flinktest"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

// startFlink starts S3 and Flink, whose workers inherit the credentials of S3. A test that is not asked for
// is skipped: it fetches 150 MB at first, and uses a GB of memory.
func startFlink(t *testing.T) (*flinktest.Server, *s3test.Server) {
	t.Helper()
	if os.Getenv("REPOMILL_TEST_FLINK") == "" {
		t.Skip("Flink is tested by make test-flink")
	}
	s3 := s3test.Start(t)
	s := flinktest.Start(t)
	t.Logf("%v: started in %v", s.Version, s.Started.Round(time.Millisecond))
	return s, s3
}

// processes returns the flags with which Flink starts workers as processes of their own, from the
// program that it was sent.
func processes(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	removeWorkers(t)
	script := filepath.Join(dir, "boot")
	body := "#!/bin/sh\nexec " + must(t, boot) + " --semi_persist_dir=" + dir + ` "$@"` + "\n"
	if err := os.WriteFile(script, []byte(body), 0o700); err != nil {
		t.Fatal(err)
	}
	command, err := json.Marshal(map[string]string{"command": script})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--environment-type=PROCESS", "--environment-config=" + string(command)}
}

// removeWorkers removes, when the test ends, the programs that boot put into /tmp and never removes.
func removeWorkers(t *testing.T) {
	t.Helper()
	ours, err := os.Stat(must(t, program))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	t.Cleanup(func() {
		workers, err := filepath.Glob("/tmp/bin*/worker")
		if err != nil {
			t.Error(err)
		}
		for _, w := range workers {
			if info, err := os.Stat(w); err == nil && info.Size() == ours.Size() && info.ModTime().After(begin) {
				os.RemoveAll(filepath.Dir(w)) //nolint:errcheck // a temporary directory
			}
		}
	})
}

// What Flink makes of a corpus, on real servers, has the same bytes as what the embedded site makes of the
// same files in order.
func TestFlink(t *testing.T) {
	server, s3 := startFlink(t)
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"workers in the submitting process", []string{"--environment-type=LOOPBACK"}},
		{"workers are processes of their own", processes(t)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, files := newCompany(t, s3), corpus(t)
			uploads := stage(t, c.Resources, files)
			args := c.args(append(tt.flags, "--runner=flink", "--endpoint="+server.Endpoint, "--parallelism=2")...)
			begin := time.Now()
			code, stderr := repomillBeam(t, args...)
			t.Logf("took %v", time.Since(begin).Round(time.Millisecond))
			if code != 0 {
				t.Fatalf("exit code %d:\n%s", code, stderr)
			}
			if diff := cmp.Diff(corpusEnds, c.ends(uploads)); diff != "" {
				t.Errorf("uploads (-want +got):\n%s\n%s", diff, stderr)
			}
			c.wantTold(uploads)
			c.wantReleases()
			here := immutables(t, c.Bucket)
			twin := newTwin(t, files, taken(t, c.Resources))
			if diff := cmp.Diff(immutables(t, twin.Bucket), here); diff != "" {
				t.Errorf("packages and indexes (-embedded +on Flink):\n%s", diff)
			}
			if code, stderr := repomillBeam(t, args...); code != 0 || strings.Contains(stderr, "job submitted") {
				t.Errorf("a second run has nothing to do: exit code %d\n%s", code, stderr)
			}
			if code, stderr := repomillBeam(t, c.reindexArgs(append(tt.flags, "--runner=flink", "--endpoint="+server.Endpoint)...)...); code != 0 ||
				strings.Count(stderr, "outcome=identical") != len(corpusReleases) || strings.Contains(stderr, "level=ERROR") {
				t.Errorf("a reindex finds every release as it should be: exit code %d\n%s", code, stderr)
			}
			if diff := cmp.Diff(here, immutables(t, c.Bucket)); diff != "" {
				t.Errorf("the second run, or the reindex, changed (-before +after):\n%s", diff)
			}
			if code, stderr := repomillBeam(t, c.pagesArgs(append(tt.flags, "--runner=flink", "--endpoint="+server.Endpoint)...)...); code != 0 || !strings.Contains(stderr, "made=true") {
				t.Errorf("pages: exit code %d\n%s", code, stderr)
			}
			for _, key := range []string{"acme/tools/index.html", "acme/tools/p/alpha/index.html", "acme/tools/status.json"} {
				if _, err := c.Bucket.Stat(t.Context(), key); err != nil {
					t.Errorf("workers of the engine made no page: %v", err)
				}
			}
		})
	}
	t.Logf("the job server had up to %d MB resident", server.PeakMemory()>>20)
}

// A run that is interrupted cancels its job and gives its uploads back: the next run finishes them.
func TestFlinkInterrupted(t *testing.T) {
	server, s3 := startFlink(t)
	c, files := newCompany(t, s3), corpus(t)
	uploads := stage(t, c.Resources, files)
	reads := make(chan struct{}, 100)
	c.gcs.Fail(gcstest.Stalled, 1, func(r *http.Request) bool {
		read := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "hello.rpm") && r.URL.Query().Get("alt") != "json"
		if read {
			reads <- struct{}{}
		}
		return read
	})
	args := c.args("--environment-type=LOOPBACK", "--runner=flink", "--endpoint="+server.Endpoint)
	wait, process := startProcess(t, args...)
	select {
	case <-reads:
	case <-time.After(time.Minute):
		t.Fatal("nobody reads")
	}
	begin := time.Now()
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, stderr := wait()
	t.Logf("ended %v after the signal", time.Since(begin).Round(time.Millisecond))
	if code != 3 {
		t.Errorf("exit code %d, want 3:\n%s", code, stderr)
	}
	if code, stderr := repomillBeam(t, args...); code != 0 {
		t.Errorf("the next run: exit code %d\n%s", code, stderr)
	}
	if diff := cmp.Diff(corpusEnds, c.ends(uploads)); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
	c.wantReleases()
}

// A detached job stores uploads. A process with the key, such as a running worker, publishes them.
func TestFlinkDetached(t *testing.T) {
	server, s3 := startFlink(t)
	c, files := newCompany(t, s3), corpus(t)
	uploads := stage(t, c.Resources, files)
	args := c.args(append(processes(t), "--runner=flink", "--endpoint="+server.Endpoint, "--detach")...)
	if code, stderr := repomillBeam(t, args...); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	stored := map[string]int{"stored": 9, "rejected not-a-package": 1}
	proctest.Until(t, fmt.Sprintf("uploads end as %v", stored), func() map[string]int { return c.ends(uploads) },
		func(ends map[string]int) bool { return cmp.Equal(ends, stored) })
	publishAll(t, c.Resources)
	if diff := cmp.Diff(corpusEnds, c.ends(uploads)); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
	c.wantReleases()
}

// Workers end with what started them: an engine knows of that alone.
func TestWorkerEndsWithParent(t *testing.T) {
	t.Parallel()
	const script = `"$0" --worker=true --id=1 --logging_endpoint=127.0.0.1:1 --control_endpoint=127.0.0.1:1 2>/dev/null & echo $!; exec sleep 60`
	parent := exec.Command("sh", "-c", script, must(t, program))
	proctest.DieWithParent(parent)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	worker := 0
	if _, err := fmt.Fscan(out, &worker); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // it has seen its parent
	running := func() bool { return syscall.Kill(worker, 0) == nil }
	if !running() {
		t.Error("the worker does not wait for its endpoints")
	}
	parent.Process.Kill() //nolint:errcheck // it runs
	parent.Wait()         //nolint:errcheck // it was killed
	t.Cleanup(func() {
		if t.Failed() {
			syscall.Kill(worker, syscall.SIGKILL) //nolint:errcheck // it runs
		}
	})
	proctest.Eventually(t, "the worker has ended", func() bool { return !running() })
}
