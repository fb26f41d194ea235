package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// metric returns the value of a metric without labels; it has to be there, with a help text.
func metric(t *testing.T, ops, name string) float64 {
	t.Helper()
	status, body := get(t, "http://"+ops+"/metrics")
	if status != 200 || !bytes.Contains(body, []byte("# HELP "+name+" ")) {
		t.Fatalf("%d, no help of %s", status, name)
	}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("%s is missing", name)
	return 0
}

// awaitMetric waits until a metric has a value.
func awaitMetric(t *testing.T, ops, name string, want float64) {
	t.Helper()
	proctest.Until(t, fmt.Sprintf("%s is %v", name, want), func() float64 { return metric(t, ops, name) }, func(got float64) bool { return got == want })
}

// ownNamespace is how the program runs as a root that may not read what belongs to users it does not know, and that has a
// limit of watches of its own. Where that cannot be, the test is skipped.
func ownNamespace(t *testing.T, watches int) []string {
	t.Helper()
	proctest.Need(t, "unshare")
	wrapper := []string{"unshare", "--user", "--map-root-user", "sh", "-c"}
	limit := fmt.Sprintf("echo %d >/proc/sys/user/max_inotify_watches && ", watches)
	if a := proctest.Run(t, nil, wrapper[0], append(wrapper[1:], limit+"true")...); a.Code != 0 {
		t.Skipf("no user namespace with a limit of watches can be made here: %v", a)
	}
	return append(wrapper, limit+`exec "$0" "$@"`)
}

// deep makes a folder so deep that its path is longer than any system call takes, and removes it after the test.
func deep(t *testing.T, dir string) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	name := strings.Repeat("d", 250)
	for i := 0; i < 20 && err == nil; i++ {
		if err = unix.Mkdirat(fd, name, 0o755); err == nil {
			var next int
			next, err = unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			unix.Close(fd) //nolint:errcheck // it was read only
			fd = next
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd) //nolint:errcheck // as above
}

// hostile puts into a folder what no upload can be, and returns how many entries that are.
func hostile(t *testing.T, staging, target string) (left int) {
	t.Helper()
	here := filepath.Join(staging, target)
	body := debtest.Build(t, debtest.Spec{Name: "never"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(here, 0o755))
	latin := filepath.Join(staging, "caf\xe9")
	must(os.MkdirAll(filepath.Join(latin, "below"), 0o755))
	must(os.WriteFile(filepath.Join(latin, "below/hello.deb"), body, 0o644))
	must(os.WriteFile(filepath.Join(here, "caf\xe9.deb"), body, 0o644))
	deep(t, here)
	must(os.Symlink("loop-b", filepath.Join(here, "loop-a")))
	must(os.Symlink("loop-a", filepath.Join(here, "loop-b")))
	must(os.Symlink(".", filepath.Join(here, "itself")))
	must(os.Symlink("/", filepath.Join(here, "everything")))
	must(unix.Mkfifo(filepath.Join(here, "pipe.deb"), 0o644))
	must(os.MkdirAll(filepath.Join(here, ".shut"), 0o755)) // hidden until it is what it shall be
	must(os.WriteFile(filepath.Join(here, ".shut/hello.deb"), body, 0o644))
	must(os.WriteFile(filepath.Join(here, ".shut.deb"), body, 0o644))
	for name, mode := range map[string]os.FileMode{"shut": 0o700, "shut.deb": 0o600} {
		path := filepath.Join(here, "."+name)
		if os.Getuid() != 0 {
			mode = 0
		} else {
			must(os.Chown(path, 65534, 65534))
		}
		must(os.Chmod(path, mode))
		must(os.Rename(path, filepath.Join(here, name)))
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(here, "shut"), 0o700) }) //nolint:errcheck // so that it can be removed
	return 9                                                           // the two Latin-1 names, the deep folder, the one that cannot be read, four links and a pipe
}

// comeAndGo makes and removes folders with files in them until it is stopped.
func comeAndGo(staging, target string) (stop func()) {
	var running sync.WaitGroup
	end := make(chan struct{})
	running.Go(func() {
		for i := 0; ; i++ {
			dir := filepath.Join(staging, target, fmt.Sprintf("gone%d", i%5))
			os.MkdirAll(dir+"/deeper", 0o755)                   //nolint:errcheck // the worker is what is tested
			os.WriteFile(dir+"/deeper/.hidden.deb", nil, 0o644) //nolint:errcheck // as above
			os.Rename(dir, dir+"-renamed")                      //nolint:errcheck // as above
			os.RemoveAll(dir + "-renamed")                      //nolint:errcheck // as above
			select {
			case <-end:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return func() { close(end); running.Wait() }
}

// Nothing that lies in the staging folder ends the worker or keeps an honest package from its readers: not at a start, and not
// while it runs.
func TestHostileStaging(t *testing.T) {
	t.Parallel()
	var wrapper []string
	if os.Getuid() == 0 { // whom no mode keeps out
		wrapper = ownNamespace(t, 10_000)
	}
	data, ops := proctest.OpenDir(t), porttest.Free(t)
	const before, while = "acme/before/ubuntu/jammy", "acme/while/ubuntu/jammy"
	left := hostile(t, data+"/staging", before)
	s := restartUnder(t, wrapper, data, "--ops-listen", ops)
	awaitMetric(t, ops, "repomill_staging_skipped", float64(left))
	s.publish(t, before, newDEB(t, debtest.Spec{}))

	stop := comeAndGo(data+"/staging", while)
	defer stop()
	if err := os.RemoveAll(data + "/staging/caf\xe9"); err != nil {
		t.Fatal(err)
	}
	left += hostile(t, data+"/staging", while) - 1 // one has the name that was left out before
	s.publish(t, while, newDEB(t, debtest.Spec{Name: "other"}))
	copied := s.drop(t, while+"/copied.deb", debtest.Build(t, debtest.Spec{Name: "third"}))
	if v := s.await(t, copied); v.State != catalog.Published {
		t.Errorf("%+v", v)
	}
	// Links and pipes are for the next scan to find, which may have begun.
	skipped := proctest.Until(t, "what is left out is counted", func() float64 { return metric(t, ops, "repomill_staging_skipped") }, func(n float64) bool { return n >= float64(left-5) })
	if skipped > float64(left) {
		t.Errorf("%v entries are left out, want %d to %d", skipped, left-5, left)
	}
	if n := metric(t, ops, "repomill_staging_unwatched_folders"); n != 0 {
		t.Errorf("%v folders are not watched", n)
	}
	for _, place := range []string{`caf\xe9`, while + `/caf\xe9.deb`, while + "/shut"} { // quoted by the log's line, and in it
		s.logs(t, `place="\"`+strings.ReplaceAll(place, `\`, `\\`)+`\""`)
	}
	if err := s.Stop(); err != nil { // and it starts again
		t.Fatal(err)
	}
	s = restartUnder(t, wrapper, data, "--ops-listen", ops)
	awaitMetric(t, ops, "repomill_staging_skipped", float64(left))
	s.publish(t, while, newDEB(t, debtest.Spec{Name: "fourth"}))
}

// Where the kernel watches no more folders, they are looked through.
func TestStagingWithoutWatches(t *testing.T) {
	t.Parallel()
	data, ops := proctest.OpenDir(t), porttest.Free(t)
	const target = "acme/unwatched/ubuntu/jammy"
	if err := os.MkdirAll(filepath.Join(data, "staging", target, "first"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := restartUnder(t, ownNamespace(t, 3), data, "--ops-listen", ops) // of six folders
	awaitMetric(t, ops, "repomill_staging_unwatched_folders", 3)
	s.logs(t, "fs.inotify.max_user_watches")
	s.publish(t, target, newDEB(t, debtest.Spec{}))
	s.publish(t, target+"/second", newDEB(t, debtest.Spec{Name: "other"}))
	awaitMetric(t, ops, "repomill_staging_unwatched_folders", 4)
}
