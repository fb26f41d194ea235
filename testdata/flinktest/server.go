// Package flinktest starts Beam's job server for Flink with the cluster that it embeds, for tests: a real
// engine, in one Java process of its own. Java and Maven (packages default-jre-headless and maven of
// Debian and Ubuntu) must be installed.
//
// The job server listens for jobs and artifacts on all interfaces, without authentication: that is Beam's
// choice, and no flag changes it. It is for machines and containers without other users.
package flinktest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// A Server is a job server.
type Server struct {
	Version  Version
	Endpoint string        // host:port that takes jobs
	Started  time.Duration // how long it took to start

	process *os.Process
	log     string // path of its output
}

// startLimit is how long a job server may take until it accepts jobs.
const startLimit = 3 * time.Minute

// maxHeap bounds the heap of the Java process. It uses some 200 MB beside it.
const maxHeap = "768m"

// Start runs a job server until the test ends. Without Java, or the job server's files and Maven to fetch
// them, the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not installed (package default-jre-headless): Flink needs it")
	}
	lib, version := jars(t)
	dir := t.TempDir()
	s := &Server{Version: version, log: filepath.Join(dir, "log")}
	out, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(java, "-Xmx"+maxHeap, "-XX:+UseSerialGC", "-Djava.io.tmpdir="+dir,
		"-cp", filepath.Join(lib, "*"), "org.apache.beam.runners.flink.FlinkJobServerDriver",
		"--flink-master=[local]", "--job-host=localhost", "--job-port=0", "--artifact-port=0", "--expansion-port=0",
		"--artifacts-dir="+filepath.Join(dir, "artifacts"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	proctest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }() //nolint:errcheck // it is killed
	s.process = cmd.Process
	t.Cleanup(func() {
		s.process.Kill() //nolint:errcheck // it may have ended by itself
		<-ended
		if t.Failed() {
			t.Logf("the job server said:\n%s", s.tail())
		}
	})
	begin := time.Now()
	for s.Endpoint = ""; s.Endpoint == ""; s.Endpoint = s.announced() {
		select {
		case <-ended:
			t.Fatalf("the job server ended:\n%s", s.tail())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(begin) > startLimit {
			t.Fatalf("the job server does not start:\n%s", s.tail())
		}
	}
	s.Started = time.Since(begin)
	return s
}

// running is what the job server says, first where it takes jobs and then that it does.
var running = regexp.MustCompile(`JobService started on (localhost:\d+)\n(?s:.*)Job server now running`)

// announced returns where the job server takes jobs, once it does.
func (s *Server) announced() string {
	if m := running.FindSubmatch(s.output()); m != nil {
		return string(m[1])
	}
	return ""
}

// output returns what the job server wrote. A test's is small.
func (s *Server) output() []byte {
	out, err := os.ReadFile(s.log)
	if err != nil {
		return fmt.Append(nil, err)
	}
	return out
}

// tail returns the last lines that the job server wrote.
func (s *Server) tail() []byte {
	const lines = 40
	all := bytes.Split(s.output(), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}

// PeakMemory returns the most memory that the job server had resident, in bytes; 0 where that is not known.
func (s *Server) PeakMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Pid))
	if err != nil {
		return 0
	}
	var kB int64
	if _, line, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
		fmt.Sscan(string(line), &kB) //nolint:errcheck // 0
	}
	return kB << 10
}
