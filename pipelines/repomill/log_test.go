package main_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// What was done is in the log: who, why, from which job, and no secret.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	by := func(args ...string) []string {
		return append(args, "--by", "kim", "--why", "asked for", "--job", "https://ci.example/7")
	}
	s.does(t, 0, "", by("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")...)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0"}))
	secret := strings.TrimSpace(s.does(t, 0, "", by("token", "create", "acme/tools", "host", "--expires", "1d")...).Stdout)
	push := strings.TrimSpace(s.does(t, 0, "", by("token", "create", "acme", "ci", "--scope", "push")...).Stdout)
	s.does(t, 0, "", "yank", "acme/tools/ubuntu/jammy", "hello=1.0", "--reason", "bad", "--by", "lee")
	s.does(t, 0, "", by("unyank", "acme/tools/ubuntu/jammy", "hello=1.0")...)
	s.does(t, 0, "", "reindex", "acme/tools/ubuntu/jammy", "--by", "lee")
	s.does(t, 0, "", by("key", "add")...)

	a := s.does(t, 0, "", "log", "acme/tools", "--json")
	var got []string
	for line := range strings.Lines(a.Stdout) {
		var e catalog.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{string(e.Action), e.By, e.Why, e.Job}, "|"))
	}
	const kim = "|kim|asked for|https://ci.example/7"
	for _, want := range []string{"repo.create" + kim, "repo.declare" + kim, "upload|||", "token.create" + kim, "package.yank|lee|bad|",
		"package.unyank" + kim, "reindex.ask|lee||", "keys.change" + kim} {
		if !slices.Contains(got, want) {
			t.Errorf("the log lacks %s:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if slices.Contains(got, "keys.change|lee||") {
		t.Error("a command that changed no key is said to have")
	}
	for _, hidden := range []string{secret, push, "PRIVATE KEY"} {
		if strings.Contains(a.Stdout, hidden) {
			t.Errorf("a secret is in the log")
		}
	}
	text := s.does(t, 0, "", "log").Stdout
	for _, line := range []string{"  kim  token.create  acme  ci: API, push  (asked for)  https://ci.example/7\n", " published", "  lee  package.yank  acme/tools/ubuntu/jammy/main  hello 1.0 all  (bad)\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("the log lacks %q:\n%s", line, text)
		}
	}
	if a := s.does(t, 0, "", "log", "acme", "--since", "1ns"); a.Stdout != "nothing is recorded of acme since then\n" {
		t.Error(a)
	}
	s.does(t, 1, "did you mean acme/tools?", "log", "acme/tols")
	s.does(t, 2, "target", "log", "acme/tools/ubuntu")
	s.does(t, 2, "name the repository of the packages", "log", "acme", "hello")
	s.does(t, 2, `package "hello=": use NAME`, "log", "acme/tools", "hello=")
}

// The log of a distribution, a component or packages has what concerns them alone.
func TestLogOfPackages(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, noble = "acme/logged", "acme/logged/ubuntu/jammy", "acme/logged/ubuntu/noble"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Name: "other"}))
	s.publish(t, noble+"/contrib", newDEB(t, debtest.Spec{}))
	s.await(t, s.drop(t, noble+"/hello_1.0_all.deb", []byte("x")))
	s.does(t, 0, "", "yank", repository, "hello=1.0", "--reason", "bad")
	s.does(t, 0, "", "repo", "set", repository, "--description", "logged")
	check := func(want []string, args ...string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(s.does(t, 0, "", append([]string{"log", "--json"}, args...)...).Stdout) {
			var e catalog.AuditEntry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Action == catalog.ActionKeys || !strings.HasPrefix(e.Target, repository) { // concerns all, or the owner; the site is shared
				continue
			}
			got = append(got, string(e.Action)+" "+strings.TrimPrefix(e.Target, repository)+" "+e.Package)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
	one := []string{"package.yank /ubuntu/jammy/main ", "package.yank /ubuntu/noble/contrib ", "upload /ubuntu/jammy hello 1.0 all", "upload /ubuntu/noble ", "upload /ubuntu/noble/contrib hello 1.0 all"}
	check(one, repository, "hello=1.0")
	check([]string{one[0], one[2]}, jammy, "hel*=1.*")
	check([]string{one[1], one[4]}, noble+"/contrib", "hello")
	check([]string{one[3]}, noble+"/main", "hello=1.0:all")
	check([]string{"package.yank /ubuntu/jammy/main ", "repo.create /ubuntu/jammy ", "repo.set  ", "upload /ubuntu/jammy hello 1.0 all", "upload /ubuntu/jammy hello 2.0 all", "upload /ubuntu/jammy other 1.0 all"}, jammy)
	if a := s.does(t, 0, "", "log", repository, "none"); a.Stdout != "nothing is recorded of none in acme/logged since then\n" {
		t.Error(a)
	}
}

// Each upload has its own pusher in the log: a duplicate that of who pushed it again, and a rejected one, too.
func TestLogNamesPushers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const target = "acme/tools/ubuntu/jammy"
	push := func(code int, user string, f packageFile) {
		t.Helper()
		a := repomill(t, "push", "--wait", "--timeout", "3m", "--staging", s.staging(), "--user", user, "--job", "https://ci.example/"+user, target, f.path)
		if a.Code != code {
			t.Fatalf("push by %s: %v, want exit code %d", user, a, code)
		}
	}
	s.does(t, 0, "", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	first := newDEB(t, debtest.Spec{})
	push(0, "kim", first)
	push(0, "lee", first)
	push(1, "mo", newDEB(t, debtest.Spec{Size: 10, Seed: 1}))
	var got []string
	for line := range strings.Lines(s.does(t, 0, "", "log", "acme/tools", "--json").Stdout) {
		var e catalog.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionUpload {
			_, what, _ := strings.Cut(e.Detail, " ")
			what, _, _ = strings.Cut(what, ":")
			got = append(got, strings.Join([]string{what, e.By, e.Job}, " "))
		}
	}
	want := []string{"published kim https://ci.example/kim", "duplicate lee https://ci.example/lee", "rejected mo https://ci.example/mo"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
