package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// stream puts packages of both formats into staging, a few milliseconds apart, and returns their staging keys.
func (s *site) stream(t *testing.T, round, n int) (objects []string) {
	t.Helper()
	for i := range n {
		version := fmt.Sprintf("%d.%d", round, i)
		object, body := "acme/stream/ubuntu/jammy/"+version+".deb", debtest.Build(t, debtest.Spec{Version: version, Size: 20_000})
		if i%2 == 1 {
			object, body = "acme/stream/el/9/"+version+".rpm", rpmtest.Build(t, rpmtest.Spec{Version: version, Arch: "noarch", PayloadSize: 20_000})
		}
		objects = append(objects, s.drop(t, object, body))
		time.Sleep(5 * time.Millisecond)
	}
	return objects
}

// published checks that each upload was published, once, and that what clients see is sound.
func (s *site) published(t *testing.T, objects []string) {
	t.Helper()
	for _, o := range objects {
		if v := s.await(t, o); v.State != catalog.Published && v.State != catalog.Duplicate {
			t.Errorf("%+v", v)
		}
	}
	r := s.status(t, "acme/stream")
	if len(r.Uploads) != len(objects) || r.Backlog != 0 {
		t.Errorf("%d uploads and a backlog of %d, want %d and 0", len(r.Uploads), r.Backlog, len(objects))
	}
	n := len(lsVersions(t, s, "acme/stream/ubuntu/jammy")) + len(lsVersions(t, s, "acme/stream/el/9"))
	if n != len(objects) {
		t.Errorf("%d packages, want %d", n, len(objects))
	}
	for _, rel := range r.Releases {
		if rel.Published != rel.Revision {
			t.Errorf("%+v is not published", rel)
		}
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// SIGTERM ends the program with exit code 0. The next start continues, also with uploads that came in between.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	s := restart(t, data)
	objects := s.stream(t, 0, 1)
	s.await(t, objects[0]) // the next publish of the DEB release has to wait for the next second
	objects = append(objects, s.stream(t, 1, 16)...)
	proctest.Eventually(t, "a batch is collected", func() bool { return len(s.status(t, "acme/stream").Uploads) > 1 })
	start := time.Now()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	r := s.status(t, "acme/stream")
	t.Logf("stopped after %v, with %d of %d uploads taken up", time.Since(start).Round(time.Millisecond), len(r.Uploads), len(objects))
	if r.Backlog != 0 || len(r.Uploads) < 2 {
		t.Errorf("running work was not finished: %+v", r)
	}
	if err := s.checkBucket(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	objects = append(objects, s.stream(t, 2, 2)...)
	s = restart(t, data)
	s.published(t, objects)
}

// Killed in the middle of its work, three times, the program loses nothing and does nothing twice.
func TestKill(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	var objects []string
	for round, pause := range []time.Duration{20, 120, 300} {
		s := restart(t, data)
		objects = append(objects, s.stream(t, round, 10)...)
		time.Sleep(pause * time.Millisecond)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	restart(t, data).published(t, objects)
}

// A new public URL reaches the configuration that clients fetch, though no package changed.
func TestNewPublicURL(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	s := restart(t, data)
	s.publish(t, "acme/url/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/url/el/9", newRPM(t, rpmtest.Spec{}))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	restart(t, data, "--public-url", "http://packages.example.org")
	for key, want := range map[string]string{
		"acme/url/ubuntu/jammy.sources": "\nURIs: http://packages.example.org/acme/url/ubuntu/\n",
		"acme/url/el/9.repo":            "\nbaseurl=http://packages.example.org/acme/url/el/9/$basearch\n",
	} {
		proctest.Until(t, fmt.Sprintf("%s has %q", key, want), func() string {
			b, err := os.ReadFile(filepath.Join(data, "bucket", key))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}, func(text string) bool { return strings.Contains(text, want) })
	}
}

// Start-up errors have different exit codes, and say what to do.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	running := shared(t)
	lost := proctest.OpenDir(t)
	s := restart(t, lost)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	other, err := sign.Generate("another instance", 2048, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	armored, err := other.Private()
	if err != nil {
		t.Fatal(err)
	}
	foreign := proctest.OpenDir(t)
	for path, err := range map[string]error{
		"the bucket": os.CopyFS(foreign+"/bucket", os.DirFS(lost+"/bucket")),
		"the key":    os.WriteFile(foreign+"/signing-key.asc", armored, 0o600),
		"the loss":   os.Remove(lost + "/signing-key.asc"),
	} {
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	taken := strings.TrimPrefix(running.url, "http://")
	file := newFile(t, "file", nil).path
	for _, tt := range []struct {
		fact string
		args []string
		code int
		says string
	}{
		{"another process has the folder", []string{"--data", running.data}, 4, "in use"},
		{"the key is gone, but releases exist", []string{"--data", lost}, 1, "backup"},
		{"the key is another's", []string{"--data", foreign}, 1, "restore the old key"},
		{"no package is small enough", []string{"--data", t.TempDir(), "--max-package-size", "0"}, 2, "--max-package-size"},
		{"the address is taken", []string{"--data", t.TempDir(), "--listen", taken}, 4, "--listen"},
		{"every address, and no URL", []string{"--data", t.TempDir(), "--listen", "0.0.0.0:0"}, 2, "--public-url"},
		{"every address of IPv6", []string{"--data", t.TempDir(), "--listen", "[::]:0"}, 2, "--public-url"},
		{"no host", []string{"--data", t.TempDir(), "--listen", ":0"}, 2, "--public-url"},
		{"every address of the edge", []string{"--data", t.TempDir(), "--edge-listen", ":0"}, 2, "--edge-url"},
		{"no port", []string{"--data", t.TempDir(), "--listen", "127.0.0.1"}, 2, "host:port"},
		{"a public URL without a scheme", []string{"--data", t.TempDir(), "--public-url", "example.org"}, 2, "--public-url"},
		{"an unknown way to create", []string{"--data", t.TempDir(), "--create", "never"}, 2, "--create"},
		{"the folder is a file", []string{"--data", file}, 4, "file"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			args := []string{"up"}
			for _, flag := range []string{"--listen", "--edge-listen", "--ops-listen"} {
				if !strings.Contains(strings.Join(tt.args, " ")+" ", " "+flag+" ") {
					args = append(args, flag, "127.0.0.1:0")
				}
			}
			a := repomill(t, append(args, tt.args...)...)
			if a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) || strings.Contains(a.Stdout, "ready") {
				t.Errorf("want exit code %d and %q, got %v", tt.code, tt.says, a)
			}
		})
	}
	if _, err := os.Stat(lost + "/signing-key.asc"); err == nil {
		t.Error("a new key was made")
	}
}
