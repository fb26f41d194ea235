package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// This benchmark runs the real program, and measures how long its user waits; package testdata/versus measures
// what it costs.

// benchPackages is the size of the repository that the figures are about.
const benchPackages = 1000

// A benchSite is a running repomill up.
type benchSite struct {
	binary, data string
	process      *proctest.Process
}

func startBench(b *testing.B) *benchSite {
	b.Helper()
	dir := b.TempDir()
	s := &benchSite{binary: filepath.Join(dir, "repomill"), data: filepath.Join(dir, "data")}
	if err := proctest.Build(s.binary, "repomill/pipelines/repomill"); err != nil {
		b.Fatal(err)
	}
	key, err := sign.Generate("bench", 4096, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	armored, err := key.Private()
	if err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(s.data, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.data, "signing-key.asc"), armored, 0o600); err != nil {
		b.Fatal(err)
	}
	return s
}

// start runs the program until stop; the staging folder may have packages already.
func (s *benchSite) start(b *testing.B) {
	b.Helper()
	var err error
	if s.process, _, err = proctest.Up(exec.Command(s.binary, proctest.UpArgs(s.data)...)); err != nil {
		b.Fatal(err)
	}
}

// stop ends the program.
func (s *benchSite) stop(b *testing.B) {
	b.Helper()
	if err := s.process.Stop(); err != nil {
		b.Fatal(err)
	}
}

// push pushes files and waits until they can be installed.
func (s *benchSite) push(b *testing.B, target string, files ...string) {
	b.Helper()
	args := append([]string{"push", "--wait", "--timeout", "10m", "--staging", "file://" + s.data + "/staging", target}, files...)
	if out, err := exec.Command(s.binary, args...).CombinedOutput(); err != nil {
		b.Fatalf("push: %v\n%.2000s", err, out)
	}
}

// drained waits until the backlog is empty and count packages are published.
func (s *benchSite) drained(b *testing.B, count int) {
	b.Helper()
	for {
		out, err := exec.Command(s.binary, "status", "--json", "--limit", "1", "--data", s.data).Output()
		if err != nil {
			b.Fatal(err)
		}
		var r struct {
			Releases []struct{ Revision, Published, Packages int }
			Backlog  int
		}
		if err := json.Unmarshal(out, &r); err != nil {
			b.Fatal(err)
		}
		most := 0
		for _, rel := range r.Releases {
			if rel.Revision == rel.Published {
				most = max(most, rel.Packages)
			}
		}
		if r.Backlog == 0 && most >= count {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// makeDebs writes small packages into a folder and returns their paths.
func makeDebs(b *testing.B, dir string, from, to int) (files []string) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := from; i < to; i++ {
		s := debtest.Spec{Name: fmt.Sprintf("tool-%05d", i), Version: "1.0-1", Arch: []string{"amd64", "arm64", "all"}[i%3], Control: "gz", Data: "gz", Size: 4096, Seed: uint64(i),
			Fields: []string{"Depends: libc6 (>= 2.34), libssl3 (>= 3.0.0)", "Section: utils", "Priority: optional", "Homepage: https://example.org/"}}
		files = append(files, writeFile(b, dir, fmt.Sprintf("%s_1.0-1_%s.deb", s.Name, s.Arch), debtest.Build(b, s)))
	}
	return files
}

// makeRPMs is makeDebs for RPM.
func makeRPMs(b *testing.B, dir string, from, to int) (files []string) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for i := from; i < to; i++ {
		paths := map[string]string{}
		for f := range 25 {
			paths[fmt.Sprintf("/usr/share/tool-%05d/file-%02d", i, f)] = "x"
		}
		s := rpmtest.Spec{Name: fmt.Sprintf("tool-%05d", i), Version: "1.0", Release: "1", Arch: "x86_64", Files: paths,
			Requires: []string{"libc.so.6", "bash >= 5"}}
		files = append(files, writeFile(b, dir, s.Name+"-1.0-1.x86_64.rpm", rpmtest.Build(b, s)))
	}
	return files
}

func writeFile(b *testing.B, dir, name string, body []byte) string {
	b.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, body, 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkPush measures one more package: from the start of repomill push until a client can install
// it through the public URL, in a release of 1,000 packages.
func BenchmarkPush(b *testing.B) {
	for _, bb := range []struct {
		name, target string
		make         func(*testing.B, string, int, int) []string
	}{
		{"deb", "acme/tools/ubuntu/jammy", makeDebs},
		{"rpm", "acme/tools/el/9", makeRPMs},
	} {
		b.Run(fmt.Sprintf("%s-%d", bb.name, benchPackages), func(b *testing.B) {
			for b.Loop() {
				s := startBench(b)
				bb.make(b, filepath.Join(s.data, "staging", bb.target), 0, benchPackages)
				s.start(b)
				s.drained(b, benchPackages/2)
				more := bb.make(b, b.TempDir(), benchPackages, benchPackages+11)
				var took []time.Duration
				for _, file := range more {
					time.Sleep(1500 * time.Millisecond) // a DEB release changes once a second at most
					start := time.Now()
					s.push(b, bb.target, file)
					took = append(took, time.Since(start))
				}
				s.stop(b)
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
				b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "max-ms")
			}
		})
	}
}
