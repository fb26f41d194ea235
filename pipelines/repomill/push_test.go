package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A push that waits ends when clients see the packages, and says what became of each.
func TestPush(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/push/ubuntu/jammy"
	hello := newDEB(t, debtest.Spec{Arch: "amd64"})

	t.Run("published means fetched through the public URL", func(t *testing.T) {
		for _, v := range append(s.publish(t, jammy, hello), s.publish(t, "acme/push/el/9", newRPM(t, rpmtest.Spec{}))...) {
			if v.State != catalog.Published || v.Finished == nil || v.Size == 0 || len(v.Releases) == 0 {
				t.Errorf("verdict %+v", v)
			}
			if got := digest(s.fetch(t, v.Key)); got != v.SHA256 {
				t.Errorf("%s has sha256 %s, want %s", v.Key, got, v.SHA256)
			}
			for _, r := range v.Releases {
				if status, _ := get(t, r.Pointer); status != http.StatusOK || !strings.HasPrefix(r.Pointer, s.url+"/") {
					t.Errorf("pointer %s: %d", r.Pointer, status)
				}
			}
		}
	})
	t.Run("the same bytes again are a success", func(t *testing.T) {
		vs := s.publish(t, jammy, hello)
		if got := vs[0].State; got != catalog.Duplicate {
			t.Errorf("state %s, want duplicate", got)
		}
	})
	t.Run("one rejection makes the exit code 1 and keeps nothing else back", func(t *testing.T) {
		other := newDEB(t, debtest.Spec{Arch: "amd64", Seed: 1, Size: 10})
		good := newDEB(t, debtest.Spec{Name: "good"})
		a, vs := s.push(t, jammy, other, good)
		if a.Code != 1 || len(vs) != 2 {
			t.Fatalf("%v", a)
		}
		if vs[0].State != catalog.Rejected {
			vs[0], vs[1] = vs[1], vs[0]
		}
		if vs[0].Reason != catalog.Conflict || vs[1].State != catalog.Published || vs[1].Package != "good 1.0 all" {
			t.Errorf("verdicts %+v", vs)
		}
		for _, want := range []string{other.path, "rejected", "conflict", hello.sha256(), other.sha256()} {
			if !strings.Contains(a.Stderr, want) {
				t.Errorf("no %q in %s", want, a.Stderr)
			}
		}
	})
	t.Run("a component is the end of the target", func(t *testing.T) {
		vs := s.publish(t, jammy+"/extra", newDEB(t, debtest.Spec{Name: "more"}))
		if want := "acme/push/ubuntu/pool/jammy/extra/m/more/more_1.0_all.deb"; vs[0].Key != want {
			t.Errorf("key %q, want %q", vs[0].Key, want)
		}
	})
	t.Run("without --json and --wait there are sentences", func(t *testing.T) {
		a := repomill(t, "push", "--wait", "--staging", s.staging(), jammy, hello.path)
		if want := hello.path + ": duplicate: hello 1.0 amd64\n"; a.Code != 0 || a.Stdout != want || a.Stderr != "" {
			t.Errorf("%v, want %q", a, want)
		}
		a = repomill(t, "push", "--staging", s.staging(), jammy, hello.path)
		if a.Code != 0 || !strings.Contains(a.Stdout, "stored in staging") || a.Stderr != "" {
			t.Errorf("%v", a)
		}
	})
}

// Each way to fail has an exit code, and a sentence on the standard error.
func TestPushFails(t *testing.T) {
	t.Parallel()
	hello := newDEB(t, debtest.Spec{})
	same := newFile(t, hello.path[strings.LastIndex(hello.path, "/")+1:], hello.body)
	alone := "file://" + t.TempDir() // where no program is running
	const jammy = "acme/tools/ubuntu/jammy"
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nobody picks it up", []string{"--staging", alone, "--wait", "--timeout", "200ms", jammy, hello.path}, 3, "timed out after 200ms: staged: no worker has reported on it so far"},
		{"stored is enough without --wait", []string{"--staging", alone, jammy, hello.path}, 0, ""},
		{"no staging folder", []string{"--staging", alone + "/nothing", "--wait", jammy, hello.path}, 4, "--staging"},
		{"staging is a file", []string{"--staging", "file://" + hello.path, "--wait", jammy, hello.path}, 4, "staging"},
		{"a target without a distribution", []string{"--staging", alone, "acme/tools", hello.path}, 2, "owner/name/os/version"},
		{"a target that is too deep", []string{"--staging", alone, jammy + "/main/extra", hello.path}, 2, "owner/name/os/version"},
		{"a target that is hidden", []string{"--staging", alone, "acme/.tools/ubuntu/jammy", hello.path}, 2, "owner/name/os/version"},
		{"a target that leaves the folder", []string{"--staging", alone, "acme/../ubuntu/jammy", hello.path}, 2, "owner/name/os/version"},
		{"an empty name in a target", []string{"--staging", alone, "acme//ubuntu/jammy", hello.path}, 2, "owner/name/os/version"},
		{"a file that is not there", []string{"--staging", alone, jammy, hello.path + "x"}, 2, "there is no file "},
		{"a folder without packages", []string{"--staging", alone, jammy, t.TempDir()}, 2, "no .deb, .ddeb or .rpm in this folder"},
		{"a pattern that matches nothing", []string{"--staging", alone, jammy, t.TempDir() + "/*.deb"}, 2, "matches no file"},
		{"a pattern that is none", []string{"--staging", alone, jammy, t.TempDir() + "/[.deb"}, 2, "syntax error in pattern"},
		{"a package of another format", []string{"--staging", alone, "acme/tools/el/9", hello.path}, 2, "el/9 takes rpm"},
		{"one target of two has another format", []string{"--staging", alone, jammy + ",acme/tools/el/9", hello.path}, 2, "el/9 takes rpm"},
		{"one target of two is none", []string{"--staging", alone, jammy + ",acme/tools", hello.path}, 2, "owner/name/os/version"},
		{"a negative number of retries", []string{"--staging", alone, "--retries=-1", jammy, hello.path}, 2, "--retries"},
		{"two files of one name", []string{"--staging", alone, jammy, hello.path, same.path}, 0, ""},
		{"as long a name as staging keeps", []string{"--staging", alone, jammy, newFile(t, strings.Repeat("f", layout.MaxFileName), hello.body).path}, 0, ""},
		{"as long a name as folders take", []string{"--staging", alone, jammy, newFile(t, strings.Repeat("f", 255), hello.body).path}, 0, ""},
		{"no files", []string{"--staging", alone, jammy}, 2, "missing: <files> ...; see repomill push --help"},
		{"an unknown flag", []string{"--stage", alone, jammy, hello.path}, 2, "--stage"},
		{"an unknown kind of staging", []string{"--staging", "ftp://example.org", jammy, hello.path}, 2, "ftp://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := repomill(t, append([]string{"push"}, tt.args...)...)
			if a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) || (a.Code == 0) != (a.Stderr == "") {
				t.Errorf("want exit code %d and %q, got %v", tt.code, tt.says, a)
			}
		})
	}
}

// dpkg-deb names a file after its package: one with the longest name that apt and dpkg take is pushed as any other, and apt
// gets it.
func TestPushOfTheLongestName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/long/ubuntu/jammy"
	name := strings.Repeat("n", 238)
	file := newFile(t, name+"_1.000_all.deb", debtest.Ar(debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")},
		debtest.Member{Name: "control.tar", Body: debtest.Tar(debtest.TarFile{Name: "./control", Body: "Package: " + name + "\nVersion: 1.000\nArchitecture: all\nMaintainer: M <m@example.org>\nDescription: d\n"})},
		debtest.Member{Name: "data.tar", Body: debtest.Tar(debtest.TarFile{Name: "./"})}))
	if base := filepath.Base(file.path); len(base) < 250 || len(base) > 255 {
		t.Fatalf("the name has %d bytes", len(base))
	}
	a, vs := s.push(t, jammy, file)
	if a.Code != 0 || len(vs) != 1 || vs[0].Package != name+" 1.000 all" {
		t.Fatalf("%v", a)
	}
	client := newApt(t, "amd64")
	client.Source(t, "sources", string(s.fetch(t, jammy+".sources")))
	client.Update(t)
	if got := client.download(t, name); len(got) != 1 || got[0] != file.sha256() {
		t.Errorf("apt got %q", got)
	}
}

// Published is not enough for --wait: clients must be able to fetch it where they would.
func TestPushWaitsForThePublicURL(t *testing.T) {
	t.Parallel()
	s := newSite(t, "--public-url", "http://127.0.0.1:1")
	hello := newDEB(t, debtest.Spec{})
	var a proctest.Answer
	for _, timeout := range []string{"1500ms", "12s", "1m"} { // a busy machine takes longer to publish it
		a = repomill(t, "push", "--wait", "--timeout", timeout, "--staging", s.staging(), "acme/tools/ubuntu/jammy", hello.path)
		if a.Code != 3 || strings.Contains(a.Stderr, "clients cannot fetch it") {
			break
		}
	}
	if a.Code != 3 || !strings.Contains(a.Stderr, "clients cannot fetch it") || !strings.Contains(a.Stderr, "127.0.0.1:1") {
		t.Errorf("%v", a)
	}
}

// A staging folder of another user cannot be written. The error asks for an administrator.
func TestPushIsNotPermitted(t *testing.T) {
	t.Parallel()
	dir := proctest.OpenDir(t)
	file := filepath.Join(dir, "hello.deb")
	if err := os.WriteFile(file, debtest.Build(t, debtest.Spec{}), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/staging", 0o555); err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	command := []string{path, "push", "--wait", "--staging", "file://" + dir + "/staging", "acme/tools/ubuntu/jammy", file}
	if os.Getuid() == 0 {
		proctest.Need(t, "setpriv")
		command = append([]string{"setpriv", "--reuid=65534", "--clear-groups"}, command...)
	}
	if a := proctest.Run(t, nil, command[0], command[1:]...); a.Code != 4 || !strings.Contains(a.Stderr, "permission denied") {
		t.Errorf("%v", a)
	}
}

// status and ls show what was published.
func TestStatusAndLs(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const noble = "acme/status/ubuntu/noble"
	for _, v := range []string{"1.0", "1.0~rc1", "1:0.1"} {
		s.publish(t, noble, newDEB(t, debtest.Spec{Version: v}))
	}
	s.publish(t, "acme/status/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	s.await(t, s.drop(t, noble+"/empty.deb", nil))

	r := s.status(t, "acme/status")
	var got []string
	for _, rel := range r.Releases {
		got = append(got, fmt.Sprintf("%s %d", rel.Release, rel.Packages))
		if rel.Published != rel.Revision || rel.Since == nil {
			t.Errorf("release %+v is not up to date", rel)
		}
	}
	want := []string{"acme/status/el/9/SRPMS 0", "acme/status/el/9/aarch64 1", "acme/status/el/9/x86_64 1", noble + " 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	if len(r.Uploads) != 5 || r.Uploads[0].Reason != catalog.Empty || r.Uploads[1].Package != "hello 1.0-1 noarch" {
		t.Errorf("uploads, newest first: %+v", r.Uploads)
	}
	if r := s.status(t, "acme/stat"); len(r.Releases)+len(r.Uploads) > 0 {
		t.Errorf("half a name is no target: %+v", r)
	}
	a := repomill(t, "status", "--data", s.data, noble)
	for _, want := range []string{noble, "3", "published", "hello 1:0.1 all", "rejected", "empty: ", "backlog: "} {
		if a.Code != 0 || !strings.Contains(a.Stdout, want) {
			t.Errorf("no %q in %v", want, a)
		}
	}
	versions := lsVersions(t, s, noble)
	if want := []string{"1.0~rc1", "1.0", "1:0.1"}; !cmp.Equal(versions, want) {
		t.Errorf("ls shows %q, want %q", versions, want)
	}
	if got := lsVersions(t, s, noble+"/main"); len(got) != 3 {
		t.Errorf("ls of a component shows %q", got)
	}
	if got := lsVersions(t, s, "acme/status/el/9"); !cmp.Equal(got, []string{"1.0-1"}) {
		t.Errorf("a noarch package is listed as %q", got)
	}
	if a := repomill(t, "ls", "--data", s.data, noble, "hello"); a.Code != 0 || strings.Count(a.Stdout, "hello ") != 3 {
		t.Errorf("%v", a)
	}
	if a := repomill(t, "ls", "--data", s.data, noble, "hello=1:0.1"); a.Code != 0 || strings.Count(a.Stdout, "hello ") != 1 || !strings.Contains(a.Stdout, " 1:0.1 ") {
		t.Errorf("one version: %v", a)
	}
	if a := repomill(t, "ls", "--data", s.data, noble, "h*=1.0*", "hello=1:0.1:all", "he*=1.0"); a.Code != 0 || strings.Count(a.Stdout, "hello ") != 3 {
		t.Errorf("by patterns: %v", a)
	}
	if a := repomill(t, "ls", "--data", s.data, "acme/status", "h*=1.0*"); a.Code != 0 || !strings.Contains(a.Stdout, "DISTRIBUTION") || !strings.Contains(a.Stdout, "el/9 ") || strings.Count(a.Stdout, "ubuntu/noble") != 2 {
		t.Errorf("of all distributions: %v", a)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"ls", "--data", s.data, "acme/status/ubuntu/focal"}, 1, "there is no acme/status/ubuntu/focal; did you mean acme/status/ubuntu/noble?"},
		{[]string{"ls", "--data", s.data, noble + "/contrib"}, 1, "there is no package in " + noble + "/contrib; repomill ls " + noble + " lists those of its distribution"},
		{[]string{"ls", "--data", s.data, "acme/status/el/8"}, 1, "there is no acme/status/el/8; did you mean acme/status/el/9?"},
		{[]string{"ls", "--data", s.data, "acme/status/el/9/SRPMS", "hello"}, 1, "there is no hello in acme/status/el/9/SRPMS, which is empty"},
		{[]string{"ls", "--data", s.data, noble, "helo"}, 1, "there is no helo in " + noble + "; did you mean hello?"},
		{[]string{"ls", "--data", s.data, noble, "nope"}, 1, "there is no nope in " + noble + "; repomill ls " + noble + " lists its packages"},
		{[]string{"ls", "--data", s.data, "acme/status/el/9", "helo"}, 1, "there is no helo in acme/status/el/9; did you mean hello?"},
		{[]string{"ls", "--data", s.data, noble, "hello=2.0"}, 1, "there is no hello 2.0 in " + noble + "; it has version 1.0~rc1, 1.0, 1:0.1"},
		{[]string{"ls", "--data", s.data, noble, "hello="}, 2, "use NAME, NAME=VERSION or NAME=VERSION:ARCH"},
		{[]string{"ls", "--data", s.data, noble, "x*"}, 1, "there is no x* in " + noble + "; repomill ls " + noble + " lists its packages"},
		{[]string{"ls", "--data", s.data, noble, "hello", "helo"}, 1, "there is no helo in " + noble + "; did you mean hello?"},
		{[]string{"ls", "--data", s.data, "acme/statu"}, 1, "there is no acme/statu; did you mean acme/status?"},
		{[]string{"ls", "--data", "", noble}, 2, "--data: name the folder of repomill up"},
		{[]string{"ls", "--data", s.data, noble, "=1.0"}, 2, "use NAME, NAME=VERSION or"},
		{[]string{"status", "--data", s.data, "acme/stat"}, 1, "nothing is known of acme/stat; did you mean acme/status?"},
		{[]string{"status", "--data", s.data, "acme/stat", "hello"}, 1, "nothing is known of acme/stat; did you mean acme/status?"},
		{[]string{"status", "--data", s.data, "acme/status/ubuntu/nobel", "hello"}, 1, "did you mean " + noble + "?"},
		{[]string{"status", "--data", s.data, "nothing/like/that"}, 1, "nothing is known of nothing/like/that; repomill repo list shows the repositories"},
		{[]string{"status", "--data", s.data, noble, "hello=9"}, 1, "hello=9 is not published below " + noble + "; repomill ls"},
		{[]string{"status", "--data", s.data, noble, "hello="}, 2, "use NAME, NAME=VERSION or NAME=VERSION:ARCH"},
		{[]string{"status", "--data", s.data, "--limit=-1"}, 2, "--limit -1: use 0 or more"},
		{[]string{"ls", "--data", s.data, "acme"}, 2, "use owner/name[/os/version"},
		{[]string{"ls", "--data", t.TempDir(), noble}, 4, "--data"},
		{[]string{"status", "--data", t.TempDir()}, 4, "--data"},
	} {
		if a := repomill(t, tt.args...); a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) {
			t.Errorf("%q: want exit code %d and %q, got %v", tt.args, tt.code, tt.says, a)
		}
	}
}

// lsVersions returns the versions that ls shows, in its order.
func lsVersions(t *testing.T, s *site, target string) (versions []string) {
	t.Helper()
	a := repomill(t, "ls", "--data", s.data, "--json", target)
	if a.Code != 0 {
		t.Fatalf("ls: %v", a)
	}
	for line := range bytes.Lines([]byte(a.Stdout)) {
		var k catalog.Package
		if err := json.Unmarshal(line, &k); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, k.Version)
	}
	return versions
}
