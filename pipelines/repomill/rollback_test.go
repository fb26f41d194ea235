package main_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// After a rollback apt finds the packages of then, and the rollback can be undone; a plan of it does what it says, or nothing.
func TestRollback(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := newSite(t)
	const target = "acme/tools/ubuntu/jammy"
	s.publish(t, target, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "kept"}))
	a := newApt(t, "amd64")
	a.Source(t, "sources", string(s.fetch(t, target+".sources")))
	see := func(when, want string) {
		t.Helper()
		a.Update(t)
		var got []string
		for _, name := range []string{"hello", "kept"} {
			for line := range strings.Lines(a.Run(t, "apt-cache", "madison", name).Stdout) {
				got = append(got, name+strings.TrimSpace(strings.Split(line, "|")[1]))
			}
		}
		got = slices.Compact(got) // a package of all architectures is in the index of each
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s, apt sees %q, want %q", when, text, want)
		}
	}
	revision := func() string { return fmt.Sprint(s.status(t, "acme/tools").Releases[0].Revision) }
	then := revision()
	see("before", "hello1.0 kept1.0")
	s.does(t, 0, "", "yank", target, "hello=1.0", "--reason", "old")
	s.publish(t, target, newDEB(t, debtest.Spec{Version: "2.0"}))
	bad := revision()
	see("with the new version", "hello2.0 kept1.0")

	plan := filepath.Join(t.TempDir(), "plan.json")
	d := s.does(t, 5, "", "rollback", target, "--to", then, "--dry-run", "--plan", plan)
	for _, line := range []string{target + ": 2 would change, 1 stay", "  restore: hello 1.0 all in main", "  withdraw: hello 2.0 all in main"} {
		if !strings.Contains(d.Stdout, line) {
			t.Errorf("the dry run lacks %q: %s", line, d.Stdout)
		}
	}
	s.publish(t, target, newDEB(t, debtest.Spec{Version: "3.0"}))
	s.does(t, 1, "new: withdraw hello 3.0 all in acme/tools/ubuntu/jammy, main", "apply", plan)
	see("after a plan that does not hold", "hello3.0 hello2.0 kept1.0")
	s.does(t, 5, "", "rollback", target, "--to", then, "--dry-run", "--plan", plan)
	for range 2 { // a repeat changes nothing
		s.does(t, 0, "", "apply", plan, "--why", "broken")
	}
	see("back", "hello1.0 kept1.0")
	if a := s.does(t, 0, "", "rollback", target, "--to", then); a.Stdout != target+" is as it was at revision "+then+": nothing changed\n" {
		t.Errorf("a repeat says %s", a.Stdout)
	}
	if a := s.does(t, 0, "", "log", "acme/tools"); !strings.Contains(a.Stdout, "to revision "+then+": 2 withdrawn, 1 restored") {
		t.Errorf("the log lacks the rollback: %s", a.Stdout)
	}
	if a := s.does(t, 0, "", "rollback", "acme/tools", "--to", bad); !strings.Contains(a.Stdout, "1 withdrawn, 1 restored") {
		t.Errorf("to undo it says %s", a.Stdout)
	}
	see("undone", "hello2.0 kept1.0")
}

// What cannot be rolled back changes nothing, and says why.
func TestRollbackRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, jammy, el9 = "acme/back", "acme/back/ubuntu/jammy", "acme/back/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "kept"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	then := fmt.Sprint(s.status(t, jammy).Releases[0].Revision)
	for _, tt := range []struct {
		fact string
		code int
		args []string
		says string
	}{
		{"a revision of several releases", 2, []string{repository, "--to", "1"}, "a revision is of one release, and acme/back has several: name a time"},
		{"a revision that never was", 1, []string{jammy, "--to", "999"}, "revision 999 of acme/back/ubuntu/jammy was never published"},
		{"a time before all", 1, []string{repository, "--to", "2020-01-01"}, "was not published yet, or nothing is known of that time any more"},
		{"a time to come", 2, []string{repository, "--to", "2099-01-01"}, "name an earlier time"},
		{"no time", 2, []string{repository, "--to", "yesterday"}, `--to "yesterday": use a revision, such as 41, or a time in UTC`},
		{"a component", 2, []string{jammy + "/main", "--to", "1"}, "leave out /main"},
		{"an unknown repository", 1, []string{"acme/nothing", "--to", "2020-01-01"}, "repository acme/nothing is not declared"},
		{"an unknown distribution", 1, []string{repository + "/ubuntu/noble", "--to", "1"}, "acme/back"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			s.does(t, tt.code, tt.says, append([]string{"rollback"}, tt.args...)...)
			s.does(t, tt.code, tt.says, append([]string{"rollback", "--dry-run"}, tt.args...)...)
		})
	}
	s.does(t, 0, "", "yank", jammy, "hello=1.0", "--reason", "x", "--now")
	s.does(t, 1, "1 package of then cannot come back, their files are gone: hello 1.0 all in acme/back/ubuntu/jammy/main; nothing is changed: add --partial", "rollback", jammy, "--to", then)
	if a := s.does(t, 0, "", "rollback", jammy, "--to", then, "--partial"); !strings.Contains(a.Stdout, "but for 1 packages whose files are gone: nothing changed") {
		t.Errorf("without the package it says %s", a.Stdout)
	}
}
