package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A small is a site of repomill up, and a place for its backup.
type small struct {
	t            *testing.T
	bin          string
	data, backup string
	metric       string
	pushed       int
	first        string // package that was pushed before the first step of the last copy
}

func newSmall(t *testing.T) *small {
	t.Helper()
	proctest.Need(t, "rsync", "sqlite3", "flock")
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &small{t: t, bin: filepath.Join(bin, "repomill"), data: filepath.Join(dir, "data"), backup: filepath.Join(dir, "backup"), metric: filepath.Join(dir, "backup.prom")}
	if err := os.Mkdir(s.backup, 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// up starts repomill up on a folder, and returns what it prints.
func (s *small) up(data string) (*proctest.Process, *proctest.Output) {
	s.t.Helper()
	log := new(proctest.Output)
	cmd := exec.Command(s.bin, proctest.UpArgs(data)...)
	cmd.Stdout, cmd.Stderr = log, log
	p := proctest.Begin(s.t, cmd)
	proctest.Eventually(s.t, "repomill up is ready", func() bool { return strings.Contains(log.String(), "repomill ready") })
	return p, log
}

// next is the name of the next package.
func (s *small) next() string { return fmt.Sprintf("p%03d", s.pushed) }

// push is a shell command that publishes a DEB and an RPM with names of their own.
func (s *small) push(data string) string {
	s.t.Helper()
	dir, name := s.t.TempDir(), s.next()
	s.pushed++
	deb, rpm := filepath.Join(dir, name+".deb"), filepath.Join(dir, name+".rpm")
	err := os.WriteFile(deb, debtest.Build(s.t, debtest.Spec{Name: name}), 0o644)
	if err == nil {
		err = os.WriteFile(rpm, rpmtest.Build(s.t, rpmtest.Spec{Name: name, Arch: "noarch"}), 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("%[1]s push --wait --staging file://%[2]s/staging acme/tools/debian/bookworm %[3]s && %[1]s push --wait --staging file://%[2]s/staging acme/tools/el/9 %[4]s", s.bin, data, deb, rpm)
}

// copy runs a script of a backup. Before its nth call of rsync, before(n) is run.
func (s *small) copy(script string, before func(n int) string) proctest.Answer {
	s.t.Helper()
	real, err := exec.LookPath("rsync")
	if err != nil {
		s.t.Fatal(err)
	}
	path := s.t.TempDir()
	wrapper := "#!/bin/sh\necho x >>\"$0.calls\"\ncase $(wc -l <\"$0.calls\") in\n"
	for n := 1; n <= 5; n++ {
		if n == 1 {
			s.first = s.next()
		}
		wrapper += fmt.Sprintf("%d) { %s; } >&2 || exit 99 ;;\n", n, before(n))
	}
	wrapper += "esac\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(path, "rsync"), []byte(wrapper), 0o755); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script, "repomill-backup", s.backup)
	cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "REPOMILL_DATA="+s.data, "REPOMILL_BACKUP_METRIC="+s.metric)
	out, err := proctest.Finish(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// check judges the bucket of the backup.
func (s *small) check() proctest.Answer {
	s.t.Helper()
	return proctest.Run(s.t, nil, s.bin, "check", s.backup+"/bucket", "--keyring", s.data+"/bucket/acme/tools/gpgkey")
}

// A backup of a service that publishes all the time is whole, also when packages are published between its steps, and after it was killed in one.
func TestBackup(t *testing.T) {
	deploytest.Slow(t)
	t.Parallel()
	deploytest.Record(t, deploytest.Row{Files: "repomill-backup", Check: "a package is published before each of its steps, and it is killed in each; the copy is judged and started", Tool: "rsync, sqlite3, repomill check", CannotShow: "a file system that fails"})
	s := newSmall(t)
	body, err := os.ReadFile("repomill-backup")
	if err != nil {
		t.Fatal(err)
	}
	s.up(s.data)
	proctest.Must(t, nil, "sh", "-c", s.push(s.data))
	publish := func(int) string { return s.push(s.data) }

	out := s.copy(string(body), publish)
	if out.Code != 0 || s.pushed < 5 {
		t.Fatal(out)
	}
	if out := s.check(); out.Code != 0 {
		t.Fatalf("the first backup: %s", out)
	}
	metric := s.read(s.metric)
	if !regexp.MustCompile(`(?m)^repomill_backup_last_success_timestamp_seconds \d{10}$`).MatchString(metric) {
		t.Errorf("the metric is %q", metric)
	}
	if err := os.Remove(s.metric); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 4; n++ {
		t.Run(fmt.Sprintf("it is killed in step %d", n), func(t *testing.T) {
			out := s.copy(string(body), func(i int) string {
				if i == n {
					return "kill -9 $PPID; exit 1"
				}
				return s.push(s.data)
			})
			if out.Code == 0 {
				t.Fatal(out)
			}
			if out := s.check(); out.Code != 0 {
				t.Errorf("what is there is not whole: %s", out)
			}
			if _, err := os.Stat(s.metric); err == nil {
				t.Error("the time of a backup that failed is recorded")
			}
		})
	}
	if out := s.copy(string(body), publish); out.Code != 0 {
		t.Fatal(out)
	}
	t.Run("a service that starts on it goes on", func(t *testing.T) { s.starts(t) })
	t.Run("a backup in another order is not whole, and this test sees it", func(t *testing.T) {
		steps := regexp.MustCompile(`(?m)^# \d\. `).Split(string(body), -1)
		if len(steps) != 6 {
			t.Fatalf("%d steps", len(steps))
		}
		s.backup = t.TempDir()
		wrong := steps[0] + "# " + steps[1] + "# " + steps[3] + "# " + steps[2] + "# " + steps[4] + "# " + steps[5]
		if out := s.copy(wrong, publish); out.Code != 0 {
			t.Fatal(out)
		}
		if out := s.check(); out.Code != 1 {
			t.Errorf("pointers that are newer than the packages: %s", out)
		}
	})
}

// A backup is not held up by an upload that cannot be read, and is not emptied when the bucket is not mounted.
func TestBackupOfDataThatIsNotWhole(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "rsync", "sqlite3", "flock")
	rsync, err := exec.LookPath("rsync")
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile("repomill-backup")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &small{t: t, data: filepath.Join(dir, "data"), backup: filepath.Join(dir, "backup"), metric: filepath.Join(dir, "backup.prom")}
	proctest.Must(t, nil, "sh", "-c", `mkdir -p "$1" "$0/staging" "$0/bucket/.repomill" && echo 1 >"$0/bucket/.repomill/keys.json" && sqlite3 "$0/catalog.db" "CREATE TABLE t (i)"`, s.data, s.backup)
	fails := func(call int) func(int) string {
		return func(n int) string {
			if n == call {
				return rsync + ` "$@"; exit 23` // as for a file without permission
			}
			return "true"
		}
	}
	if out := s.copy(string(body), fails(2)); out.Code != 1 {
		t.Errorf("an object of the bucket that cannot be read: %s", out)
	}
	if out := s.copy(string(body), fails(3)); out.Code != 0 || !strings.Contains(out.String(), "not all uploads in "+s.data+"/staging are copied") {
		t.Errorf("an upload that cannot be read: %s", out)
	}
	copied := filepath.Join(s.backup, "bucket/.repomill/keys.json")
	if got := s.read(copied); got != "1\n" {
		t.Errorf("the backup has %q", got)
	}
	if err := os.RemoveAll(filepath.Join(s.data, "bucket/.repomill")); err != nil {
		t.Fatal(err)
	}
	if out := s.copy(string(body), fails(0)); out.Code != 1 || !strings.Contains(out.String(), "mount or restore") {
		t.Errorf("a bucket that is not mounted: %s", out)
	}
	if got := s.read(copied); got != "1\n" {
		t.Errorf("the backup has %q", got)
	}
}

// starts has repomill up continue from a copy of the backup.
func (s *small) starts(t *testing.T) {
	data := filepath.Join(t.TempDir(), "restored")
	proctest.Must(t, nil, "rsync", "-a", s.backup+"/", data+"/")
	_, log := s.up(data)
	last := s.next()
	proctest.Must(t, nil, "sh", "-c", s.push(data))
	list := proctest.Must(t, nil, s.bin, "ls", "--data", data, "acme/tools/debian/bookworm")
	for _, name := range []string{"p000", s.first, last} {
		if !strings.Contains(list, name) {
			t.Errorf("%s is not published: %s", name, list)
		}
	}
	if out := proctest.Run(t, nil, s.bin, "check", data+"/bucket", "--keyring", s.data+"/bucket/acme/tools/gpgkey"); out.Code != 0 {
		t.Error(out)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, "ALARM") {
			t.Error(line)
		}
	}
}

func (s *small) read(path string) string {
	s.t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}
