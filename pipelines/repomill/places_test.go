package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// What was tried in testing goes into main as it is: apt has it from both. Nothing else takes its name anywhere.
func TestTheSameFileInTwoComponents(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := shared(t)
	const jammy = "acme/places/ubuntu/jammy"
	hello := newDEB(t, debtest.Spec{Arch: "amd64"})
	for _, tt := range []struct{ target, key string }{
		{jammy + "/testing", "acme/places/ubuntu/pool/jammy/testing/h/hello/hello_1.0_amd64.deb"},
		{jammy, "acme/places/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"},
	} {
		vs := s.publish(t, tt.target, hello)
		if vs[0].State != catalog.Published || vs[0].Key != tt.key || vs[0].Checked != catalog.CheckedStructure {
			t.Errorf("%s: %+v", tt.target, vs[0])
		}
		if body := s.fetch(t, tt.key); string(body) != string(hello.body) {
			t.Errorf("%s has other bytes", tt.key)
		}
	}
	other := newDEB(t, debtest.Spec{Arch: "amd64", Seed: 1, Size: 10})
	for _, target := range []string{jammy, jammy + "/testing", jammy + "/third"} {
		a, vs := s.push(t, target, other)
		if a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.Conflict || !strings.Contains(vs[0].Detail, hello.sha256()) || !strings.Contains(vs[0].Detail, other.sha256()) {
			t.Errorf("other bytes into %s: %v", target, a)
		}
	}
	ls := func(target string) []string {
		return strings.Fields(strings.Join(column(repomill(t, "ls", "--data", s.data, target, "hello").Stdout, 3), " "))
	}
	if got, want := ls(jammy), []string{"main", "testing"}; !cmp.Equal(got, want) {
		t.Errorf("ls says that hello is in %q, want %q", got, want)
	}
	client := newApt(t, "amd64")
	client.Source(t, "sources", string(s.fetch(t, jammy+".sources")))
	client.Update(t)
	out := client.Run(t, "apt-cache", "madison", "hello").Stdout
	if !strings.Contains(out, "jammy/main") || !strings.Contains(out, "jammy/testing") {
		t.Errorf("apt sees %q", out)
	}
	if got := client.download(t, "hello"); !slices.Equal(got, []string{hello.sha256()}) {
		t.Errorf("downloaded %q", got)
	}
	if a := repomill(t, "yank", "--data", s.data, "--reason", "moved", jammy+"/testing", "hello=1.0"); a.Code != 0 || !strings.Contains(a.Stdout, "from acme/places ubuntu/jammy/testing") {
		t.Errorf("%v", a)
	}
	if got, want := ls(jammy), []string{"main"}; !cmp.Equal(got, want) {
		t.Errorf("ls says that hello is in %q, want %q", got, want)
	}
	if a := repomill(t, "yank", "--data", s.data, "--reason", "moved", jammy+"/third", "hello=1.0"); a.Code != 1 || !strings.Contains(a.Stderr, "there is no hello 1.0 in acme/places/ubuntu/jammy/third; it is in component main, testing: use acme/places/ubuntu/jammy/main hello=1.0") {
		t.Errorf("%v", a)
	}
}

// column returns the n-th word of each line but the first.
func column(table string, n int) (words []string) {
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		words = append(words, strings.Fields(line)[n])
	}
	return words
}

// An x86_64 system installs a package for 32-bit x86, as its distribution's own.
func TestDnfInstallsMultilib(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf")
	s := shared(t)
	lib := newRPM(t, rpmtest.Spec{Name: "lib32", Arch: "i686"})
	vs := s.publish(t, "acme/multilib/el/9", lib, newRPM(t, rpmtest.Spec{Name: "lib64"}))
	for _, v := range vs {
		if strings.HasPrefix(v.Package, "lib32") && v.Key != "acme/multilib/el/9/x86_64/lib32-1.0-1.i686.rpm" {
			t.Errorf("%+v", v)
		}
	}
	d := newDnf(t, string(s.fetch(t, "acme/multilib/el/9.repo")))
	if got, want := d.query(t, "x86_64"), []string{"lib32-0:1.0-1.i686", "lib64-0:1.0-1.x86_64"}; !cmp.Equal(got, want) {
		t.Errorf("x86_64 sees %q, want %q", got, want)
	}
	d.ok(t, "--forcearch=x86_64", "install", "lib32.i686", "lib64")
	got := strings.Fields(proctest.Run(t, nil, "rpm", "--root", d.dir+"/root", "-qa", "--qf", "%{NAME}.%{ARCH} ").Stdout)
	slices.Sort(got)
	if want := []string{"gpg-pubkey.(none)", "lib32.i686", "lib64.x86_64"}; !cmp.Equal(slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "gpg-pubkey") }), want[1:]) {
		t.Errorf("installed %q", got)
	}
	if states := s.status(t, "acme/multilib").Releases; len(states) != 3 {
		t.Errorf("there are %d directories, want no i386: %+v", len(states), states)
	}
}
