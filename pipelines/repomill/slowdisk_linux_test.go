package main_test

import (
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A disk that takes long for each fsync makes a worker slower, and nothing else: what clients read is what a twin on a fast disk publishes, byte
// by byte but for times. Its log says how long each publish took.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	const delay = 25 * time.Millisecond
	slowly := slowFsync(t, delay)
	fast, slow := newDiskTwin(t), newDiskTwin(t)
	quick, long := fast.work(), slow.work(slowly...)
	t.Logf("%d packages took %v, and %v with %v for each fsync", diskPackages, quick.took, long.took, delay)
	want := fast.published()
	if diff := cmp.Diff(want, slow.published()); diff != "" {
		t.Errorf("what is published (-fast +slow):\n%s", diff)
	}
	if len(want) < diskPackages {
		t.Errorf("only %d objects are published", len(want))
	}
	for _, said := range long.publishes {
		if said < 2*delay { // an index, and the pointer
			t.Errorf("the log says that a publish took %v, which has to wait for the disk twice", said)
		}
	}
	if len(long.publishes) < 3 {
		t.Errorf("the log says of %d publishes how long they took, of three releases", len(long.publishes))
	}
}

// slowFsync is how a program runs whose every fsync takes longer. Where processes cannot be traced, the test is skipped.
func slowFsync(t *testing.T, delay time.Duration) []string {
	t.Helper()
	proctest.Need(t, "strace")
	const calls = "fsync,fdatasync,sync_file_range,syncfs"
	wrapper := []string{"strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", fmt.Sprintf("inject=%s:delay_exit=%d", calls, delay.Microseconds())}
	if a := proctest.Run(t, nil, wrapper[0], append(wrapper[1:], "true")...); a.Code != 0 {
		t.Skipf("processes cannot be traced here: %v", a)
	}
	return wrapper
}

// diskPackages are staged on each twin: half of them DEBs, half RPMs of both architectures.
const diskPackages = 24

// A diskTwin is a worker's folder.
type diskTwin struct {
	t   *testing.T
	dir string
}

func newDiskTwin(t *testing.T) *diskTwin {
	t.Helper()
	d := &diskTwin{t, t.TempDir()}
	key, err := signingKey()
	if err == nil {
		err = errors.Join(os.WriteFile(d.dir+"/key.asc", key, 0o600), os.Mkdir(d.dir+"/bucket", 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+d.dir+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	for i := range diskPackages / 2 {
		name := fmt.Sprintf("package%02d", i)
		d.stage("ubuntu/jammy/"+name+".deb", debtest.Build(t, debtest.Spec{Name: name, Arch: "amd64"}))
		d.stage("el/9/"+name+".rpm", rpmtest.Build(t, rpmtest.Spec{Name: name, Arch: []string{"x86_64", "aarch64", "noarch"}[i%3]}))
	}
	return d
}

// stage puts a file into staging.
func (d *diskTwin) stage(name string, body []byte) {
	d.t.Helper()
	path := filepath.Join(d.dir, "staging/acme/slowdisk", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, body, 0o644)); err != nil {
		d.t.Fatal(err)
	}
}

// A diskRun is what a worker did.
type diskRun struct {
	took      time.Duration
	publishes []time.Duration // as its log has them
}

var publishTook = regexp.MustCompile(`msg=published .*took=(\S+)`)

// work runs a worker until nothing is left to do.
func (d *diskTwin) work(wrapper ...string) (r diskRun) {
	d.t.Helper()
	bin, err := program()
	if err != nil {
		d.t.Fatal(err)
	}
	args := append(wrapper, bin, "worker", "--once", "--events", "dir://", "--staging", "file://"+d.dir+"/staging", "--bucket", "file://"+d.dir+"/bucket",
		"--catalog", "sqlite://"+d.dir+"/catalog.db", "--signing-key", "file://"+d.dir+"/key.asc", "--public-url", "http://packages.example.org",
		"--create", "auto", "--cache", d.dir+"/cache", "--log-format", "text")
	start := time.Now()
	a := begin(d.t, args[0], args[1:]...).Wait(d.t)
	r.took = time.Since(start)
	if a.Code != 0 {
		d.t.Fatal(a)
	}
	for _, m := range publishTook.FindAllStringSubmatch(a.Stderr, -1) {
		said, err := time.ParseDuration(m[1])
		if err != nil {
			d.t.Fatal(err)
		}
		r.publishes = append(r.publishes, said)
	}
	return r
}

// published returns what clients read of packages: their files, by digest, and the indexes that the pointers name, without the times that differ
// between two folders: when a package was staged, and a publish was made.
func (d *diskTwin) published() map[string]string {
	d.t.Helper()
	found := map[string]string{}
	root := os.DirFS(d.dir + "/bucket/acme/slowdisk")
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := fs.ReadFile(root, path)
		switch name := filepath.Base(path); {
		case strings.HasSuffix(name, ".deb") || strings.HasSuffix(name, ".rpm") || strings.HasPrefix(name, "Packages"):
			found[path] = fmt.Sprintf("%x", sha256.Sum256(body))
		case name == "repomd.xml":
			for _, index := range repomdIndex.FindAllSubmatch(body, -1) {
				text := gunzip(d.t, root, filepath.Join(filepath.Dir(path), string(index[1])))
				found[filepath.Join(filepath.Dir(path), string(index[2]))] = stagedAt.ReplaceAllString(text, `time file=""`)
			}
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

var (
	repomdIndex = regexp.MustCompile(`href="repodata/([^"]*-([a-z]+)\.xml\.gz)"`)
	stagedAt    = regexp.MustCompile(`time file="[0-9]+"`)
)

func gunzip(t *testing.T, root fs.FS, path string) string {
	t.Helper()
	f, err := root.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
