package main_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// lies reports whether there is a file below the site's folder.
func (s *site) lies(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(s.data + "/" + path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// When yank --now has returned, no file of the package is left: neither the published one nor what was pushed or copied into
// staging, nor the verdicts on that.
func TestYankNowLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/now/ubuntu/jammy"
	hello, kept := newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "kept"})
	vs := s.publish(t, jammy, hello, kept)
	if strings.Contains(vs[0].Package, "kept") {
		vs[0], vs[1] = vs[1], vs[0]
	}
	copied := s.drop(t, jammy+"/copied.deb", hello.body)
	s.await(t, copied)
	gone := []string{"bucket/" + vs[0].Key, "staging/" + vs[0].Object, "staging/" + copied, "staging/.results/" + vs[0].Object + ".json", "staging/.results/" + copied + ".json"}
	stay := []string{"bucket/" + vs[1].Key, "staging/" + vs[1].Object, "staging/.results/" + vs[1].Object + ".json"}
	check := func(when string, there bool, paths []string) {
		t.Helper()
		for _, path := range paths {
			if got := s.lies(t, path); got != there {
				t.Errorf("%s: %s is there: %v, want %v", when, path, got, there)
			}
		}
	}
	again := s.publish(t, jammy, hello) // under the same name, as people know it
	gone = append(gone, "staging/"+again[0].Object)
	check("before", true, gone)
	a := s.does(t, 0, "", "yank", "--now", jammy, "hello=1.0", "--reason", "leaked a key")
	check("after", false, gone)
	check("after", true, stay)
	name := strings.TrimPrefix(hello.path, hello.path[:strings.LastIndex(hello.path, "/")+1])
	for _, line := range []string{"removed: " + vs[0].Key + "\n", "removed from staging: " + jammy + "/" + name + " (2 copies)\n", "removed from staging: " + copied + "\n"} {
		if strings.Count(a.Stdout, line) != 1 {
			t.Errorf("it does not say %q:\n%s", line, a.Stdout)
		}
	}
	repeat := s.does(t, 0, "", "yank", "--now", jammy, "hello=1.0", "--reason", "another reason").Stdout
	if strings.Contains(repeat, "from staging") || strings.Contains(repeat, "\nremoved") || !strings.Contains(repeat, "\ngone already: "+vs[0].Key+"\n") ||
		!strings.Contains(repeat, " (it was already, on 20") || !strings.Contains(repeat, ": leaked a key)") {
		t.Errorf("a repeat says %s", repeat)
	}
	// A push of the same bytes leaves nothing either, and is not advised to take back what cannot come back.
	a, late := s.push(t, jammy, hello)
	if want := "and its file was removed for good; no other file takes its name: raise the version\n"; a.Code != 1 || len(late) != 1 || !strings.HasSuffix(a.Stderr, want) || strings.Contains(a.Stderr, "unyank") {
		t.Errorf("a push of what was removed: %v", a)
	}
	s.does(t, 1, "hello 1.0 cannot be restored: its file was removed; push it under a new version", "unyank", jammy, "hello=1.0")
	s.gone(t, "staging/"+late[0].Object) // which was pushed after the removal

	// Between the withdrawal and the removal, the advice holds; and what is pushed then goes with the file.
	const bad = "bad=1.0"
	leak := newDEB(t, debtest.Spec{Name: "bad"})
	s.publish(t, jammy, leak)
	s.does(t, 0, "", "yank", jammy, bad, "--reason", "leaked")
	a, between := s.push(t, jammy, leak)
	if a.Code != 1 || len(between) != 1 || !strings.HasSuffix(a.Stderr, "or take the withdrawal back with repomill unyank\n") {
		t.Errorf("a push of what was withdrawn: %v", a)
	}
	other, stays := s.push(t, jammy, newDEB(t, debtest.Spec{Name: "bad", Seed: 1, Size: 10}))
	if other.Code != 1 || len(stays) != 1 {
		t.Errorf("other bytes of that name: %v", other)
	}
	s.does(t, 0, "", "yank", "--now", jammy, bad, "--reason", "leaked")
	check("after a push in between", false, []string{"staging/" + between[0].Object, "staging/.results/" + between[0].Object + ".json"})
	check("of other bytes, the push", true, []string{"staging/" + stays[0].Object})

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s.does(t, 3, "recorded; no worker runs", "yank", "--now", jammy, "kept=1.0", "--reason", "leaked")
	check("without a worker", true, stay)
	s = restart(t, s.data) // which does the rest
	s.gone(t, stay...)
	repeat = s.does(t, 0, "", "yank", "--now", jammy, "kept=1.0", "--reason", "leaked").Stdout
	if !strings.Contains(repeat, "\ngone already: "+vs[1].Key+"\n") {
		t.Errorf("a repeat says %s", repeat)
	}
}

// gone waits until files below the site's folder are gone.
func (s *site) gone(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		proctest.Eventually(t, path+" is gone", func() bool { return !s.lies(t, path) })
	}
}

// What yank --now has recorded while no worker ran can be taken back until one does the rest.
func TestUnyankBeforeAWorkerRemovesTheFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/back/ubuntu/jammy"
	v := s.publish(t, jammy, newDEB(t, debtest.Spec{}))[0]
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s.does(t, 3, "recorded; no worker runs", "yank", "--now", jammy, "hello=1.0", "--reason", "leaked")
	s.does(t, 0, "", "unyank", "--no-wait", jammy, "hello=1.0")
	s = restart(t, s.data)
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "other"}))
	time.Sleep(3 * time.Second) // longer than workers take to remove files
	for _, path := range []string{"bucket/" + v.Key, "staging/" + v.Object} {
		if !s.lies(t, path) {
			t.Errorf("%s is gone", path)
		}
	}
	if a := repomill(t, "ls", "--data", s.data, jammy, "hello"); a.Code != 0 || strings.Contains(a.Stdout, "yanked") {
		t.Errorf("after unyank: %v", a)
	}
}
