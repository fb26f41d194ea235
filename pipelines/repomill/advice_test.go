package main_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// What is asked for under a name that it does not have here is answered with that which it has, by every command alike.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/names/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/names/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	const capital = `target "Acme/x/ubuntu/jammy": owner "Acme": use 1 to 63 lower-case letters, digits, '.', '_' and '-', starting with a letter or digit`
	const system = `target "acme/names/Ubuntu/jammy": os "Ubuntu": use 1 to 63 lower-case letters, digits, '.', '_' and '-', starting with a letter or digit: use ubuntu/jammy`
	hello := newDEB(t, debtest.Spec{}).path
	for command, line := range map[string]func(target string) []string{
		"ls":      func(target string) []string { return []string{"ls", target} },
		"hint":    func(target string) []string { return []string{"hint", target} },
		"status":  func(target string) []string { return []string{"status", target} },
		"where":   func(target string) []string { return []string{"status", target, "hello"} },
		"yank":    func(target string) []string { return []string{"yank", target, "hello=1.0", "--reason", "x"} },
		"unyank":  func(target string) []string { return []string{"unyank", target, "hello=1.0"} },
		"reindex": func(target string) []string { return []string{"reindex", target} },
		"push":    func(target string) []string { return []string{"push", target, hello} },
	} {
		absent := 1
		if command == "reindex" {
			absent = 2 // where it always was a use that cannot be meant
		}
		for _, tt := range []struct {
			target string
			code   int
			says   string
		}{
			{"acme/names/ubuntu/22.04", absent, "there is no acme/names/ubuntu/22.04: ubuntu/22.04 goes by another name here; use acme/names/ubuntu/jammy"},
			{"acme/names/rocky/9", absent, "there is no acme/names/rocky/9: rocky/9 goes by another name here; use acme/names/el/9"},
			{"acme/names/debian/12", absent, "there is no acme/names/debian/12: debian/12 goes by the name debian/bookworm here, which acme/names does not have; it has el/9, ubuntu/jammy"},
			{"Acme/x/ubuntu/jammy", 2, capital},
			{"acme/names/Ubuntu/jammy", 2, system},
		} {
			if command == "push" && tt.code == 1 {
				continue // asks no catalog
			}
			args := append(line(tt.target), "--data", s.data)
			if command == "push" {
				args = append(line(tt.target), "--staging", s.staging())
			}
			if a := repomill(t, args...); a.Code != tt.code || a.Stderr != "repomill: "+tt.says+"\n" {
				t.Errorf("%q: got %v, want %d and %q", args, a, tt.code, tt.says)
			}
		}
	}
	for _, name := range []string{"repo create", "repo list", "token list"} {
		args := append(strings.Fields(name), "Acme/x", "--data", s.data)
		if a := repomill(t, args...); a.Code != 2 || !strings.Contains(a.Stderr, `owner "Acme": use 1 to 63 lower-case letters`) {
			t.Errorf("%q: %v", args, a)
		}
	}
}

// What cannot be published under its name is not staged by a push that waits for nothing, and what perhaps cannot be is
// staged with a warning.
func TestPushToOtherNames(t *testing.T) {
	t.Parallel()
	s := shared(t)
	hello, rpm := newDEB(t, debtest.Spec{}).path, newRPM(t, rpmtest.Spec{}).path
	push := func(args ...string) proctest.Answer {
		return repomill(t, append([]string{"push", "--staging", s.staging()}, args...)...)
	}
	const alias = "unknown-distribution: distribution debian/12 goes by another name here: use debian/bookworm\n"
	if a := push("acme/elsewhere/debian/12", hello); a.Code != 1 || a.Stdout != "" || a.Stderr != hello+": rejected: "+alias {
		t.Errorf("%v", a)
	}
	if s.lies(t, "staging/acme/elsewhere/debian/12") {
		t.Error("it was staged")
	}
	if a := push("--wait", "--no-verify", "acme/elsewhere/debian/12", hello); a.Code != 1 || !strings.HasSuffix(a.Stderr, ": rejected: "+alias) {
		t.Errorf("left to the server: %v", a)
	}
	const warning = "warning: distribution opensuse/leap is not in the table; did you mean opensuse/16.0? (the server rejects it, too, unless its own table has it)\n"
	if a := push("acme/elsewhere/opensuse/leap", rpm); a.Code != 0 || !strings.HasPrefix(a.Stderr, warning) || !strings.Contains(a.Stdout, ": stored in staging as ") {
		t.Errorf("%v", a)
	}
	if a := push("--wait", "acme/elsewhere/opensuse/leap", rpm); a.Code != 1 || strings.Contains(a.Stderr, "warning: distribution") {
		t.Errorf("with --wait: %v", a)
	}
}

// What cannot be pushed, or checked with, is answered with what can.
func TestAdviceOnFiles(t *testing.T) {
	t.Parallel()
	const jammy = "acme/advice/ubuntu/jammy"
	dir := t.TempDir()
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"push", jammy, "nofile"}, "there is no file nofile: name packages, folders with packages, or a quoted pattern such as 'dist/*.deb'"},
		{[]string{"push", jammy, "-"}, "-: the standard input has no name, and so cannot be staged; write it to a file, and name that"},
		{[]string{"push", jammy, "/dev/null"}, "/dev/null is a device, pipe or socket: write the package to a file, and name that"},
		{[]string{"push", jammy, dir}, dir + ": there is no .deb, .ddeb or .rpm in this folder"},
		{[]string{"check", dir, "--keyring", "/nope"}, "--keyring: file /nope does not exist: fetch one with curl -fsSLo FILE https://HOST/owner/name/gpgkey"},
		{[]string{"check", dir, "--keyring", dir}, "--keyring: read " + dir + ": is a directory: fetch one with curl -fsSLo FILE https://HOST/owner/name/gpgkey"},
	} {
		if a := repomill(t, tt.args...); a.Code != 2 || a.Stderr != "repomill: "+tt.says+"\n" {
			t.Errorf("%q: got %v, want %q", tt.args, a, tt.says)
		}
	}
}

// A pattern may match a folder without packages beside those that have some; one that is named, or the only one, is a mistake.
func TestEmptyFolders(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/folders/ubuntu/jammy"
	dir, nothing := t.TempDir(), t.TempDir()
	for _, name := range []string{"/a", "/b", "/c"} {
		if err := os.Mkdir(dir+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/b/hello.deb", newDEB(t, debtest.Spec{}).body, 0o644); err != nil {
		t.Fatal(err)
	}
	push := func(args ...string) proctest.Answer {
		return repomill(t, append([]string{"push", "--wait", "--staging", s.staging(), jammy}, args...)...)
	}
	const none = ": there is no .deb, .ddeb or .rpm in this folder\n"
	if a := push(dir + "/*"); a.Code != 0 || !strings.HasPrefix(a.Stderr, "skipped: "+dir+"/a"+none+"skipped: "+dir+"/c"+none) {
		t.Errorf("%v", a)
	}
	for _, args := range [][]string{{dir + "/[ac]"}, {dir + "/a"}, {dir + "/b", dir + "/a"}, {nothing}} {
		if a := push(args...); a.Code != 2 || !strings.HasSuffix(a.Stderr, none) || strings.Contains(a.Stderr, "skipped") {
			t.Errorf("%q: %v", args, a)
		}
	}
}

// Who did not wait long enough for a worker is not asked whether one runs.
func TestInterruptedSoon(t *testing.T) {
	t.Parallel()
	dir, hello := t.TempDir(), newDEB(t, debtest.Spec{}).path
	const soon = ": staged: no worker has reported on it so far"
	for timeout, end := range map[string]string{"500ms": soon + "\n", "3500ms": soon + "; does one (or repomill up) run?\n"} {
		var a proctest.Answer
		for begin := time.Now(); ; begin = time.Now() {
			a = repomill(t, "push", "--wait", "--timeout", timeout, "--staging", "file://"+dir, "acme/tools/ubuntu/jammy", hello)
			if timeout != "500ms" || time.Since(begin) < 3*time.Second {
				break
			} // else a busy machine had it wait for long
		}
		if want := "timed out after "; a.Code != 3 || !strings.Contains(a.Stderr, want) || !strings.HasSuffix(a.Stderr, end) {
			t.Errorf("after %s: got %v, want %q at the end", timeout, a, end)
		}
	}
}
