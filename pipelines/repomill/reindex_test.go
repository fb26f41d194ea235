package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A reindexed release is what `repomill reindex --json` prints of one, and reindexedAll of all.
type reindexed struct {
	Release, Outcome, Error  string
	Revision                 int64
	Packages, Added, Removed int
	Files                    []string
	Bytes                    int64
	Repaired                 int
}
type reindexedAll struct {
	Releases, Identical, Different, Published, Failed, Cancelled, Packages int
	Repaired                                                               int
}

// reindex reindexes with --json, and reads the answer.
func reindex(t *testing.T, data string, args ...string) (a proctest.Answer, releases map[string]reindexed, run reindexedAll) {
	t.Helper()
	a = repomill(t, append([]string{"reindex", "--data", data, "--json"}, args...)...)
	releases = map[string]reindexed{}
	lines := strings.Split(strings.TrimSpace(a.Stdout), "\n")
	for i, line := range lines {
		var r reindexed
		var err error
		if i == len(lines)-1 {
			err = json.Unmarshal([]byte(line), &run)
		} else {
			err = json.Unmarshal([]byte(line), &r)
		}
		if err != nil {
			t.Fatalf("%v in %v", err, a)
		}
		if r.Release != "" {
			releases[r.Release] = r
		}
	}
	return a, releases, run
}

// tree returns the bytes of all files of a bucket but its lock.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that a running process writes has another name at first
		}
		if err != nil || d.IsDir() || d.Name() == ".lock" {
			return err
		}
		body, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		found[strings.TrimPrefix(path, dir+"/")] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// indexes returns those of a tree's files that are indexes.
func indexes(files map[string]string) map[string]string {
	found := map[string]string{}
	for key, body := range files {
		if strings.Contains(key, "/by-hash/") || strings.HasSuffix(key, ".gz") {
			found[key] = body
		}
	}
	return found
}

func wantSame(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("%s changed (-before +after):\n%.3000s", what, diff)
	}
}

// sitePublished makes a site with a DEB and an RPM release of a repository: hello 1.0 and 2.0 each. It is stopped.
func sitePublished(t *testing.T, repository string) *site {
	t.Helper()
	s := newSite(t)
	for _, v := range []string{"1.0", "2.0"} {
		s.publish(t, repository+"/ubuntu/jammy", newDEB(t, debtest.Spec{Version: v}))
		s.publish(t, repository+"/el/9", newRPM(t, rpmtest.Spec{Version: v, Arch: "x86_64"}))
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	return s
}

// yank withdraws a version from the rows of a stopped site, so that no process publishes the change.
func yank(t *testing.T, s *site, target, which string) {
	t.Helper()
	if a := repomill(t, "yank", "--data", s.data, "--timeout", "1ms", "--reason", "test", target, which); a.Code != 3 {
		t.Fatalf("yank: %v", a)
	}
}

// Beside a running program, a reindex of what is as it should be writes nothing.
func TestReindexIdentical(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "more"}))
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{}))
	s.publish(t, "acme/other/ubuntu/noble", newDEB(t, debtest.Spec{}))
	for _, args := range [][]string{{"acme/none"}, {"--distribution", "debian/bookworm", "acme/empty"}} {
		if a := repomill(t, append([]string{"repo", "create", "--data", s.data}, args...)...); a.Code != 0 {
			t.Fatal(a)
		}
	}
	proctest.Eventually(t, "the empty distribution is published", func() bool {
		rel := s.status(t, "acme/empty").Releases
		return len(rel) == 1 && rel[0].Published > 0
	})
	var before map[string]string
	proctest.Eventually(t, "all pages are made, which follow the publish", func() bool {
		now := tree(t, s.data+"/bucket")
		made := maps.Equal(now, before) && !strings.Contains(now["acme/empty/status.json"], `"as_of":null`)
		before = now
		time.Sleep(time.Second)
		return made
	})
	for _, tt := range []struct {
		args     []string
		releases int
		packages int
	}{
		{[]string{"--all"}, 6, 4},
		{[]string{"--all", "--dry-run"}, 6, 4},
		{[]string{"--all", "--parallel", "8"}, 6, 4},
		{[]string{"acme/tools"}, 4, 3},
		{[]string{"/acme/tools/ubuntu/jammy/"}, 1, 2},
		{[]string{"acme/tools/el/9"}, 3, 1},
		{[]string{"acme/tools/el/9/x86_64"}, 1, 1},
		{[]string{"acme/tools/el/9/x86_64", "acme/tools/el/9", "acme/other"}, 4, 2},
		{[]string{"acme/none"}, 0, 0},
		{[]string{"acme/empty"}, 1, 0},
	} {
		a, releases, run := reindex(t, s.data, tt.args...)
		want := reindexedAll{Releases: tt.releases, Identical: tt.releases, Packages: tt.packages}
		if a.Code != 0 || len(releases) != tt.releases || run != want {
			t.Errorf("%q: want %+v, got %v", tt.args, want, a)
		}
	}
	wantSame(t, "the bucket", before, tree(t, s.data+"/bucket"))
	a := repomill(t, "reindex", "--data", s.data, "acme/tools/ubuntu/jammy")
	if a.Code != 0 || !strings.Contains(a.Stdout, "acme/tools/ubuntu/jammy: identical: revision ") || !strings.Contains(a.Stdout, "\n1 release identical; nothing was written; 2 packages in ") {
		t.Errorf("in words: %v", a)
	}
	if a := repomill(t, "reindex", "--data", s.data, "acme/none"); a.Code != 0 || a.Stdout != "acme/none has no distributions yet, so nothing to reindex\n" {
		t.Errorf("without distributions: %v", a)
	}
	list := repomill(t, "reindex", "list", "--data", s.data)
	if n := strings.Count(list.Stdout, " rows "); list.Code != 0 || n != 6 || strings.Count(list.Stdout, " identical ") != 6 {
		t.Errorf("%d releases are listed, want 6: %v", n, list)
	}
}

// Rows that are ahead of what is published are found by a dry run, and published by the next.
func TestReindexDifferent(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	yank(t, s, "acme/tools/el/9", "hello=1.0-1")
	before := tree(t, s.data+"/bucket")
	a, releases, run := reindex(t, s.data, "--all", "--dry-run")
	got := releases["acme/tools/el/9/x86_64"]
	if a.Code != 5 || run.Different != 1 || run.Identical != 3 || run.Published+run.Failed > 0 || got.Outcome != "different" || got.Added != 0 || got.Removed != 1 || len(got.Files) != 3 || got.Bytes == 0 {
		t.Errorf("dry run: %v", a)
	}
	if a := repomill(t, "reindex", "--data", s.data, "--dry-run", "acme/tools"); a.Code != 5 || !strings.Contains(a.Stdout, "0 packages added, 1 removed, 3 index files, ") || a.Stderr != "" {
		t.Errorf("dry run in words: %v", a)
	}
	wantSame(t, "the bucket, in a dry run,", before, tree(t, s.data+"/bucket"))
	if a := repomill(t, "reindex", "list", "--data", s.data); a.Stdout != "nothing was reindexed yet\n" {
		t.Errorf("a dry run is in the catalog: %v", a)
	}
	a, releases, run = reindex(t, s.data, "--all", "--by", "release-bot")
	if a.Code != 0 || run.Published != 1 || run.Identical != 3 || releases["acme/tools/el/9/x86_64"].Outcome != "published" {
		t.Errorf("reindex: %v", a)
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
	if a, _, run := reindex(t, s.data, "--all"); a.Code != 0 || run.Identical != 4 {
		t.Errorf("reindex again: %v", a)
	}
	shown := repomill(t, "reindex", "list", "--data", s.data, "acme/tools/el/9/x86_64")
	if shown.Code != 0 || !regexp.MustCompile(`(?m)^acme/tools/el/9/x86_64 +20\S+ \S+ +\S* +rows +identical +revision \d+, 1 package$`).MatchString(shown.Stdout) {
		t.Errorf("the release: %v", shown)
	}
	if a := repomill(t, "reindex", "list", "--data", s.data, "--json"); strings.Count(a.Stdout, `"state":"identical"`) != 4 || strings.Count(a.Stdout, "\n") != 4 {
		t.Errorf("the releases: %v", a)
	}
}

func TestReindexUsage(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	for _, tt := range []struct {
		fact string
		args []string
		code int
		says string
	}{
		{"nothing is named", nil, 2, "--all"},
		{"all and one", []string{"--all", "acme/tools"}, 2, "--all"},
		{"an unknown repository", []string{"acme/tool"}, 2, "did you mean acme/tools?"},
		{"an unknown distribution", []string{"acme/tools/ubuntu/jamy"}, 2, "did you mean acme/tools/ubuntu/jammy?"},
		{"an unknown architecture", []string{"acme/tools/el/9/x86-64"}, 2, "did you mean acme/tools/el/9/x86_64?"},
		{"a component is no target", []string{"acme/tools/ubuntu/jammy/main"}, 2, "did you mean acme/tools/ubuntu/jammy?"},
		{"one of two is unknown", []string{"acme/tools", "nobody/nothing"}, 2, "nobody/nothing"},
		{"an unknown repository in the bucket", []string{"--from", "published", "acme/tool"}, 2, "did you mean acme/tools?"},
		{"a target with an escape sequence", []string{"acme/\x1b[31mtools"}, 2, `repository "\x1b[31mtools": use 1 to 63 lower-case letters`},
		{"a repair from what is published", []string{"--all", "--repair", "--from", "published"}, 2, "--repair"},
		{"a target of one word", []string{"acme"}, 2, "owner/name"},
		{"a target of three words", []string{"acme/tools/ubuntu"}, 2, "owner/name"},
		{"an unknown source", []string{"--all", "--from", "nowhere"}, 2, "--from"},
		{"a dry run from what is published", []string{"--all", "--from", "published", "--dry-run"}, 2, "--dry-run"},
		{"a dry run that repairs", []string{"--all", "--repair", "--dry-run"}, 2, "--repair"},
		{"no release at a time", []string{"--all", "--parallel", "0"}, 2, "--parallel"},
		{"a dry run without a bucket", []string{"--all", "--dry-run", "--catalog", "sqlite://" + s.data + "/catalog.db"}, 2, "--bucket"},
		{"a bucket without a key", []string{"--all", "--catalog", "sqlite://" + s.data + "/catalog.db", "--bucket", "file://" + s.data + "/bucket"}, 2, "--signing-key"},
		{"a catalog alone knows nothing of what is published", []string{"--all", "--from", "published", "--catalog", "sqlite://" + s.data + "/catalog.db"}, 2, "--bucket"},
		{"a dry run that is not waited for", []string{"--all", "--dry-run", "--no-wait"}, 2, "--no-wait"},
		{"a public URL without a scheme", []string{"--all", "--public-url", "example.org"}, 2, "--public-url"},
		{"there is no catalog", []string{"--all", "--data", t.TempDir()}, 4, "/bucket does not exist: name another one"},
		{"there is no key", []string{"--all", "--catalog", "sqlite://" + s.data + "/catalog.db", "--bucket", "file://" + s.data + "/bucket", "--signing-key", "file:///nonexistent/key"}, 4, "signing key"},
		{"nothing is cancelled", []string{"cancel"}, 2, "--all"},
		{"an unknown repository is cancelled", []string{"cancel", "acme/tool"}, 2, "did you mean acme/tools?"},
		{"what nobody asked for is cancelled", []string{"cancel", "acme/tools"}, 1, "no reindex waits or runs there"},
		{"an unknown repository is listed", []string{"list", "acme/tool"}, 2, "did you mean acme/tools?"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			args := tt.args
			if !slices.Contains(args, "--data") && !slices.Contains(args, "--catalog") {
				args = append(slices.Clone(args), "--data", s.data)
			}
			if a := repomill(t, append([]string{"reindex"}, args...)...); a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) {
				t.Errorf("want exit code %d and %q, got %v", tt.code, tt.says, a)
			}
		})
	}
	if a := repomill(t, "reindex", "list", "--data", s.data); a.Stdout != "nothing was reindexed yet\n" {
		t.Errorf("something began: %v", a)
	}
}

// lockBucket keeps everybody from swapping a pointer in a site's bucket until unlock is called.
func lockBucket(t *testing.T, s *site) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(s.data+"/bucket/.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func() { f.Close() }
}

// awaitAnswer waits until a command prints something.
func awaitAnswer(t *testing.T, want string, args ...string) proctest.Answer {
	t.Helper()
	return proctest.Until(t, fmt.Sprintf("repomill %q prints %q", args, want), func() proctest.Answer { return repomill(t, args...) },
		func(a proctest.Answer) bool { return strings.Contains(a.Stdout, want) })
}

// began starts a reindex that stays at its first release, and returns when it is there.
func began(t *testing.T, s *site, args ...string) *proctest.Process {
	t.Helper()
	p := start(t, append([]string{"reindex", "--data", s.data, "--by", "jo", "--parallel", "1"}, args...)...)
	awaitAnswer(t, " running ", "reindex", "list", "--data", s.data)
	time.Sleep(200 * time.Millisecond) // until it waits for the lock; if it does not yet, nothing is to be seen
	return p
}

// An interrupted command leaves nothing half-way, and the same command goes on with it, as a worker would. While it is at
// work, the same request follows it, and another kind is refused.
func TestReindexInterrupted(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	yank(t, s, "acme/tools/ubuntu/jammy", "hello=1.0")
	yank(t, s, "acme/tools/el/9", "hello=1.0-1")
	unlock := lockBucket(t, s)
	p := began(t, s, "--all")
	if a := repomill(t, "reindex", "--data", s.data, "--all", "--repair"); a.Code != 1 ||
		!strings.Contains(a.Stderr, `repomill: another reindex has not ended: reindex of acme/tools/`) || !strings.Contains(a.Stderr, `asked for by "jo" at `) {
		t.Errorf("another kind: %v", a)
	}
	if a := repomill(t, "reindex", "--data", s.data, "--all", "--dry-run"); a.Code != 5 {
		t.Errorf("a dry run beside it: %v", a)
	}
	p.Signal(t, syscall.SIGINT)
	time.Sleep(50 * time.Millisecond)
	unlock()
	if a := p.Wait(t); a.Code != 3 || !strings.Contains(a.Stderr, "so does the same command") {
		t.Errorf("interrupted: %v", a)
	}
	if err := s.checkBucket(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	list := repomill(t, "reindex", "list", "--data", s.data)
	if !strings.Contains(list.Stdout, " waiting ") {
		t.Errorf("it does not wait: %v", list)
	}
	if a := repomill(t, "reindex", "--data", s.data, "--all"); a.Code != 0 {
		t.Errorf("continued: %v", a)
	}
	list = repomill(t, "reindex", "list", "--data", s.data)
	if strings.Count(list.Stdout, "\n") != 5 || strings.Contains(list.Stdout, " waiting ") || strings.Contains(list.Stdout, " failed ") {
		t.Errorf("it has not ended: %v", list)
	}
	if a, _, run := reindex(t, s.data, "--all"); a.Code != 0 || run.Identical != 4 {
		t.Errorf("after all that: %v", a)
	}
}

// A command with the catalog alone records the request, and workers do the work.
func TestReindexByWorkers(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	yank(t, s, "acme/tools/el/9", "hello=1.0-1")
	ask := func(more ...string) proctest.Answer {
		return repomill(t, append([]string{"reindex", "--all", "--catalog", "sqlite://" + s.data + "/catalog.db"}, more...)...)
	}
	if a := ask("--no-wait"); a.Code != 0 || !strings.Contains(a.Stderr, "recorded: workers (or repomill up) do the work") {
		t.Errorf("recorded: %v", a)
	}
	if a := ask(); a.Code != 3 || !strings.Contains(a.Stderr, "recorded; no worker runs (none has been seen since 20") {
		t.Errorf("without a worker: %v", a)
	}
	if a := repomill(t, "status", "--data", s.data, "acme/tools"); !strings.Contains(a.Stdout, "reindex: waiting") {
		t.Errorf("status: %v", a)
	}
	spoil(t, s.data, `UPDATE reindexes SET renderer = 99`)
	if a := repomill(t, "reindex", "--data", s.data, "--all"); a.Code != 3 || !strings.Contains(a.Stderr, "waits for a worker of that version (repomill reindex cancel ends it)") {
		t.Errorf("asked for by a later version: %v", a)
	}
	spoil(t, s.data, `UPDATE reindexes SET renderer = 1`)
	again := restart(t, s.data)
	if a := ask(); a.Code != 0 || !strings.Contains(a.Stdout, "4 of 4 releases: ") && !strings.Contains(a.Stdout, "4 releases identical; ") {
		t.Errorf("with a worker: %v", a)
	}
	if err := again.checkBucket(); err != nil {
		t.Error(err)
	}
}

// A reindex is cancelled by another process, within seconds; the next one begins from the start.
func TestReindexCancelled(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	yank(t, s, "acme/tools/el/9", "hello=1.0-1")
	unlock := lockBucket(t, s)
	p := began(t, s, "acme/tools/el/9/x86_64")
	if a := repomill(t, "reindex", "cancel", "--data", s.data, "acme/tools"); a.Code != 0 || a.Stdout != "cancelled: acme/tools/el/9/x86_64\n" {
		t.Errorf("cancel: %v", a)
	}
	time.Sleep(2500 * time.Millisecond) // until it looks
	unlock()
	if a := p.Wait(t); a.Code != 3 || !strings.Contains(a.Stderr, "1 of 1 release cancelled: ") {
		t.Errorf("cancelled: %v", a)
	}
	if a := repomill(t, "reindex", "cancel", "--data", s.data, "--all"); a.Code != 1 || !strings.Contains(a.Stderr, "no reindex waits or runs there") {
		t.Errorf("cancel again: %v", a)
	}
	if a := repomill(t, "reindex", "list", "--data", s.data); !strings.Contains(a.Stdout, " cancelled ") {
		t.Errorf("it is listed as %v", a)
	}
	if a, _, run := reindex(t, s.data, "acme/tools/el/9"); a.Code != 0 || run.Published+run.Identical != 3 || run.Releases != 3 {
		t.Errorf("the next: %v", a)
	}
}

// The help of the command leads to its flags, and has the exit codes.
func TestReindexHelp(t *testing.T) {
	t.Parallel()
	for args, says := range map[string][]string{
		"":    {"repomill reindex run --help", "owner/name/os/version/arch", "Exit codes:", "5  with --dry-run"},
		"run": {"--from", "--repair", "After an interruption, workers", "Exit codes:"},
	} {
		a := repomill(t, append(append([]string{"reindex"}, strings.Fields(args)...), "--help")...)
		for _, want := range says {
			if a.Code != 0 || !strings.Contains(a.Stdout, want) {
				t.Errorf("%q: no %q in %v", args, want, a)
			}
		}
	}
}

// On a terminal, one line is drawn again and again.
func TestReindexOnATerminal(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "script")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	s := sitePublished(t, "acme/tools")
	yank(t, s, "acme/tools/ubuntu/jammy", "hello=1.0")
	unlock := lockBucket(t, s)
	p := begin(t, "script", "-qec", path+" reindex --data "+s.data+" acme/tools/ubuntu/jammy", "/dev/null")
	proctest.Eventually(t, "the line is drawn", func() bool {
		return strings.Contains(p.Stdout.String(), "\r\x1b[Krelease 1 of 1, 1 of 1 package, ")
	})
	unlock()
	a := p.Wait(t)
	if a.Code != 0 || !strings.Contains(a.Stdout, "\x1b[Kacme/tools/ubuntu/jammy: published: ") {
		t.Errorf("got %q", a)
	}
}

// The recovery drill: the database is lost. The bucket is enough to rebuild the rows, and no index byte changes.
func TestReindexAfterLoss(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, v := range []string{"1.0", "2.0"} {
		s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: v}))
		s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{Version: v, Arch: "noarch"}))
	}
	s.publish(t, "acme/other/debian/bookworm/extra", newDEB(t, debtest.Spec{Arch: "all"}))
	if a := repomill(t, "yank", "--data", s.data, "--reason", "bad", "acme/tools/ubuntu/jammy", "hello=1.0"); a.Code != 0 {
		t.Fatal(a)
	}
	if a := repomill(t, "repo", "set", "--data", s.data, "--visibility", "private", "acme/other"); a.Code != 0 {
		t.Fatal(a)
	}
	targets := []string{"acme/tools/ubuntu/jammy", "acme/tools/el/9", "acme/other/debian/bookworm"}
	listed := func() (all []string) {
		for _, target := range targets {
			all = append(all, target+" "+strings.Join(lsVersions(t, s, target), " "))
		}
		return all
	}
	was := listed()
	proctest.Eventually(t, "the settings are published", func() bool {
		body, err := os.ReadFile(s.data + "/bucket/.repomill/acme/other.json")
		return err == nil && bytes.Contains(body, []byte(`"private"`))
	})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	before := tree(t, s.data+"/bucket")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.data + "/catalog.db" + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	writeEmpty(t, s.data+"/catalog.db")
	if a := repomill(t, "reindex", "--data", s.data, "--all", "--from", "published"); a.Code != 4 || !strings.Contains(a.Stderr, "migrate") {
		t.Errorf("without migrations: %v", a)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+s.data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	if a, releases, run := reindex(t, s.data, "--all", "--from", "published"); a.Code != 0 || run.Failed > 0 || run.Releases != 5 || releases["acme/tools/el/9/aarch64"].Packages != 2 {
		t.Errorf("from what is published: %v", a)
	}
	a, _, run := reindex(t, s.data, "--all")
	if a.Code != 0 || run.Identical != run.Releases || run.Releases != 5 {
		t.Errorf("from the rows: %v", a)
	}
	wantSame(t, "an index", indexes(before), indexes(tree(t, s.data+"/bucket")))
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(was, listed()); diff != "" {
		t.Errorf("packages (-before +after):\n%s", diff)
	}
	again := restart(t, s.data)
	if a, vs := again.push(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Size: 9})); a.Code != 1 || len(vs) != 1 || vs[0].Reason != "yanked" {
		t.Errorf("what was withdrawn comes back: %v", a)
	}
	again.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "3.0"}))
	if status, _ := get(t, again.url+"/acme/other/debian/dists/bookworm/InRelease"); status != 401 {
		t.Errorf("a private repository answers %d, want 401", status)
	}
}

func writeEmpty(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
