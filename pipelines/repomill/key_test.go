package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// newKeySite starts a site with the tests' key, which signs, and a standby key, and returns their fingerprints.
func newKeySite(t *testing.T) (s *site, old, next string) {
	t.Helper()
	data := proctest.OpenDir(t)
	first, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	standby, err := sign.Generate("test standby key", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	second, err := standby.Private()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(data+"/signing-key.asc", slices.Concat(first, second), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := sign.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	return restart(t, data), signer.Fingerprints()[0], standby.Fingerprints()[0]
}

// key runs a command about the keys of a site.
func (s *site) key(t *testing.T, code int, args ...string) proctest.Answer {
	t.Helper()
	a := repomill(t, append([]string{"key", args[0], "--data", s.data}, args[1:]...)...)
	if a.Code != code {
		t.Errorf("key %q: %v, want exit %d", args, a, code)
	}
	return a
}

// A rotation has clients that were set up before it, and repositories that are quiet and busy while it goes on. More kinds of
// clients, zypper among them, go through one in testdata/clients (make test-clients).
type rotation struct {
	*site
	apt      map[string]aptRoot // repository: a client of it
	dnf      map[string]dnfRoot
	versions []string // of the busy repository, the newest first
}

// check fails unless each client sees, in its own cache, all that was pushed. No client gets an answer to a question.
func (r *rotation) check(t *testing.T, step string) {
	t.Helper()
	for name, want := range map[string][]string{"busy": r.versions, "quiet": {"1.0"}} {
		a := r.apt[name]
		a.Update(t)
		if diff := cmp.Diff(want, a.versions(t, "hello")); diff != "" {
			t.Errorf("%s, %s: apt (-want +got):\n%s", step, name, diff)
		}
		if d, ok := r.dnf[name]; ok {
			out := proctest.Run(t, nil, "dnf", append(slices.Concat([]string{"--assumeno"}, d.options()[1:]), "--refresh", "--quiet", "--forcearch=x86_64", "repoquery", "--qf", "%{version}")...)
			got := strings.Fields(out.Stdout)
			slices.Sort(got)
			slices.Reverse(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: dnf (-want +got):\n%s%v", step, name, diff, out)
			}
		}
	}
}

// push publishes another version into the busy repository.
func (r *rotation) push(t *testing.T, version string) {
	t.Helper()
	r.versions = append([]string{version}, r.versions...)
	r.publish(t, "busy/keys/ubuntu/jammy", newDEB(t, debtest.Spec{Version: version, Arch: "amd64"}))
	r.publish(t, "busy/keys/opensuse/15.6", newRPM(t, rpmtest.Spec{Version: version, Arch: "noarch"}))
}

// there reports whether a program is installed.
func there(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// newRotation sets clients up for two repositories.
func newRotation(t *testing.T, s *site) *rotation {
	t.Helper()
	r := &rotation{site: s, apt: map[string]aptRoot{}, dnf: map[string]dnfRoot{}}
	r.push(t, "1.0")
	s.publish(t, "quiet/keys/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}))
	s.publish(t, "quiet/keys/opensuse/15.6", newRPM(t, rpmtest.Spec{Version: "1.0", Arch: "noarch"}))
	for _, name := range []string{"busy", "quiet"} {
		r.apt[name] = newApt(t, "amd64")
		r.apt[name].Source(t, "sources", string(s.fetch(t, name+"/keys/ubuntu/jammy.sources")))
		repo := string(s.fetch(t, name+"/keys/opensuse/15.6.repo"))
		if there("dnf") {
			r.dnf[name] = newDnf(t, repo)
			r.dnf[name].ok(t, "--forcearch=x86_64", "makecache") // which imports the keys, for the first time
		}
	}
	r.check(t, "set up")
	return r
}

// A key is replaced while real clients go on by themselves.
func TestReplacingAKeyIsNoEvent(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s, old, next := newKeySite(t)
	r := newRotation(t, s)

	if a := s.key(t, 1, "promote", next); !strings.Contains(a.Stderr, "promote it from") {
		t.Errorf("promote too early: %v", a)
	}
	if a := s.key(t, 1, "retire", old); !strings.Contains(a.Stderr, "no other key signs") {
		t.Errorf("retire too early: %v", a)
	}
	s.key(t, 0, "status")
	index := s.fetch(t, "quiet/keys/opensuse/15.6/x86_64/repodata/repomd.xml")
	s.key(t, 0, "promote", next, "--force")
	if !bytes.Equal(index, s.fetch(t, "quiet/keys/opensuse/15.6/x86_64/repodata/repomd.xml")) {
		t.Error("repomd.xml has changed: dnf fetches all indexes again")
	}
	r.check(t, "promoted")
	r.push(t, "2.0")
	r.check(t, "pushed with both keys")

	if a := s.key(t, 0, "plan"); !strings.Contains(a.Stdout, "repomill key retire "+old) {
		t.Errorf("plan: %v", a)
	}
	s.key(t, 0, "retire", old) // the other one was given to clients from the first on
	r.check(t, "retired")
	r.push(t, "3.0")
	r.check(t, "pushed with the new key")
	if a := s.key(t, 1, "status"); !strings.Contains(a.Stdout, "no standby key") {
		t.Errorf("status without a standby key: %v", a)
	}
	a := s.key(t, 0, "list")
	if got := strings.Count(a.Stdout, "\n"); got != 3 || !strings.Contains(a.Stdout, "retired") {
		t.Errorf("list: %v", a)
	}
}
