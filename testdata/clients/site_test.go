package clients_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
	"repomill/testdata/proctest"
)

// The releases that are read.
var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

// A site is a data folder with one release, which a repomill up serves.
type site struct {
	release catalog.Release
	data    string
	url     string // of the resolver
	program string

	real []realPackage // that were pushed: the first one, the second one, two beside a border, the last one
	big  realPackage   // RPM: has 100,000 files
	want []row         // what clients must see now
}

// newSite publishes rows with repomill reindex, and starts repomill up.
func newSite(t *testing.T, r catalog.Release, rows corpus.Rows) *site {
	t.Helper()
	s := &site{release: r, data: proctest.OpenDir(t)}
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.Private()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(write(t, s.data, "signing-key.asc", string(private)), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	corpus.Seed(t, s.data, r, rows)
	t.Logf("%d rows in %s", rows.N, time.Since(start).Round(time.Millisecond))
	if s.program, err = program(); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	proctest.Must(t, nil, s.program, "reindex", "--data", s.data, "--all", "--public-url", "http://127.0.0.1:8080")
	t.Logf("reindexed in %s", time.Since(start).Round(time.Millisecond))
	s.start(t)
	return s
}

// start starts the process, which ends with the test, and waits until it is ready.
func (s *site) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(s.program, proctest.UpArgs(s.data)...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	up, url, err := proctest.Up(cmd)
	if err != nil {
		t.Fatal(err)
	}
	s.url = url
	t.Cleanup(func() {
		if err := up.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log of repomill up ends with\n%s", proctest.Tail(up.Stderr.String()))
		}
	})
}

// target returns where packages of the release are pushed.
func (s *site) target() string {
	return s.release.Repository.String() + "/" + s.release.Distribution.String()
}

// push pushes packages as CI does, and returns when clients can install them.
func (s *site) push(t *testing.T, files ...realPackage) {
	t.Helper()
	start := time.Now()
	args := []string{"push", "--wait", "--timeout", "5m", "--staging", "file://" + s.data + "/staging", s.target()}
	for _, f := range files {
		args = append(args, f.path)
	}
	proctest.Must(t, nil, s.program, args...)
	t.Logf("%d packages pushed in %s", len(files), time.Since(start).Round(time.Millisecond))
}

// fetch returns an object as the resolver's clients get it.
func (s *site) fetch(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
	return string(body)
}

// folder makes a folder that lives as long as the site.
func (s *site) folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(s.data, "clients", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// path returns where an object lies in the bucket.
func (s *site) path(key string) string { return filepath.Join(s.data, "bucket", key) }
