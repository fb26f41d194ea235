package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// mutable declares a mutable repository with ubuntu/jammy, which has a component besides main, and el/9.
func (s *site) mutable(t *testing.T, repository string) (jammy, el9 string) {
	t.Helper()
	a := s.does(t, 0, "", "repo", "create", "--mutable", repository, "--distribution", "ubuntu/jammy", "--distribution", "el/9", "--component", "extra")
	if !strings.HasPrefix(a.Stdout, repository+": public, mutable, ") {
		t.Errorf("repo create says %s", a.Stdout)
	}
	return repository + "/ubuntu/jammy", repository + "/el/9"
}

// builds returns packages of one name and version with different bytes.
func builds(t *testing.T, n int) (debs, rpms []packageFile) {
	t.Helper()
	for i := range n {
		payload := strings.Repeat("build", i+1)
		debs = append(debs, newDEB(t, debtest.Spec{Arch: "amd64", Files: map[string]string{"usr/share/build": payload}}))
		rpms = append(rpms, newRPM(t, rpmtest.Spec{Arch: "noarch", Files: map[string]string{"/usr/share/build": payload}}))
	}
	return debs, rpms
}

// Other bytes of a version take the place of the older ones, which stay fetchable under their own names; the older ones come back when
// they are pushed again. apt and dnf get what is published.
func TestReplace(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	proctest.Need(t, "dnf")
	s := newSite(t)
	jammy, el9 := s.mutable(t, "acme/nightly")
	debs, rpms := builds(t, 2)
	var keys []string // of what was published
	see := func(when string, i int) {
		t.Helper()
		a := newApt(t, "amd64")
		a.Source(t, "sources", string(s.fetch(t, jammy+".sources")))
		a.Update(t)
		files := a.Download(t, "hello")
		if len(files) != 1 {
			t.Fatalf("%s, apt has %q", when, files)
		}
		if got, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(got, debs[i].body) {
			t.Errorf("%s, apt gets other bytes: %v", when, err)
		}
		d := newDnf(t, string(s.fetch(t, el9+".repo")))
		if got := d.query(t, "x86_64"); !slices.Equal(got, []string{"hello-0:1.0-1.noarch"}) {
			t.Errorf("%s, dnf sees %q", when, got)
		}
		d.ok(t, "--forcearch=x86_64", "download", "--destdir="+d.dir+"/got", "hello")
		files, _ = filepath.Glob(d.dir + "/got/*.rpm")
		if len(files) != 1 {
			t.Fatalf("%s, dnf has %q", when, files)
		}
		if got, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(got, rpms[i].body) {
			t.Errorf("%s, dnf gets other bytes: %v", when, err)
		}
	}
	push := func(when string, i, was int) {
		t.Helper()
		for target, files := range map[string][]packageFile{jammy: debs, el9: rpms} {
			v := s.publish(t, target, files[i])[0]
			want := ""
			if was >= 0 {
				want = files[was].sha256()
			}
			if v.State != catalog.Published || v.SHA256 != files[i].sha256() || v.Replaced != want || !strings.Contains(v.Key, files[i].sha256()[:32]) {
				t.Errorf("%s: the verdict is %+v, want sha256 %s in place of %q", when, v, files[i].sha256(), want)
			}
			keys = append(keys, v.Key)
		}
		see(when, i)
	}
	push("first", 0, -1)
	push("replaced", 1, 0)
	for _, v := range append(s.publish(t, jammy, debs[1]), s.publish(t, el9, rpms[1])...) {
		if v.State != catalog.Duplicate || v.Replaced != "" {
			t.Errorf("equal bytes: %+v", v)
		}
	}
	push("again the first", 0, 1)
	for _, key := range keys {
		if got := digest(s.fetch(t, key)); !strings.Contains(key, got[:32]) {
			t.Errorf("%s has sha256 %s", key, got)
		}
	}
	a := repomill(t, "push", "--wait", "--staging", s.staging(), jammy, debs[1].path)
	if want := ": replaced: hello 1.0 amd64: sha256 " + debs[1].sha256() + " in place of " + debs[0].sha256() + "; hosts that have the version keep the old bytes\n"; !strings.Contains(a.Stdout, want) {
		t.Errorf("push says %v, want %s", a, want)
	}
	if log := s.does(t, 0, "", "log", "acme/nightly").Stdout; !strings.Contains(log, "sha256 "+debs[1].sha256()+" in place of "+debs[0].sha256()) {
		t.Errorf("the log lacks the replacement:\n%s", log)
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}
