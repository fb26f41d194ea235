package main_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// A site is started again without the key that signs: who looks learns what waits, for what, until when, and what to do.
func TestAStartWithoutTheKeyThatSigns(t *testing.T) {
	t.Parallel()
	s, old, next := newKeySite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}))
	all, err := os.ReadFile(s.data + "/signing-key.asc")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(all), "-----BEGIN")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	write := func(body []byte) {
		t.Helper()
		if err := os.WriteFile(s.data+"/signing-key.asc", body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(all[at:])
	s = restart(t, s.data)
	pushed := repomill(t, "push", "--wait", "--timeout", "3s", "--staging", s.staging(), "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "2.0", Arch: "amd64"}).path)
	if pushed.Code != 3 {
		t.Errorf("push: %v", pushed)
	}
	s.keyStatus(t, 1, "1 release waits (acme/tools/ubuntu/jammy): no running worker has the private part of key "+old, "key "+next+" signs in its place", "Put it back")
	s.key(t, 0, "plan").Wants(t, "restore the private key "+old+" from a backup", "all releases are signed")
	s.key(t, 0, "list").Wants(t, "no running worker has its private part", "all releases are signed")
	if a := repomill(t, "status", "--data", s.data); !strings.Contains(a.Stdout, "no running worker has the private part of key "+old) {
		t.Errorf("status: %v", a)
	}
	s.logs(t, "ALARM: nothing is published: no running worker can sign")
	if log := s.Stderr.String(); strings.Count(log, "ALARM: nothing is published: no running worker can sign with a key that is to.") != 1 || strings.Contains(log, "not published") {
		t.Errorf("not one line about it all:\n%s", log)
	}
	write(all)
	s.keyStatus(t, 0)
}

// keyStatus waits until key status ends with an exit code, and says these things.
func (s *site) keyStatus(t *testing.T, code int, says ...string) {
	t.Helper()
	proctest.Until(t, fmt.Sprintf("key status ends with %d and says %q", code, says), func() proctest.Answer { return repomill(t, "key", "status", "--data", s.data) },
		func(a proctest.Answer) bool {
			return a.Code == code && !slices.ContainsFunc(says, func(one string) bool { return !strings.Contains(a.Stdout, one) })
		})
}

// The file of keys is removed under a site.
func TestStatusOfAKeyFileThatIsGone(t *testing.T) {
	t.Parallel()
	s, _, _ := newKeySite(t)
	s.key(t, 0, "status")
	if err := os.Rename(s.data+"/signing-key.asc", s.data+"/away"); err != nil {
		t.Fatal(err)
	}
	s.keyStatus(t, 1, "cannot use file://"+s.data+"/signing-key.asc since ", "no such file")
	if err := os.Rename(s.data+"/away", s.data+"/signing-key.asc"); err != nil { // or the site could not end well
		t.Fatal(err)
	}
}

// Hosts that follow a keyring package have to be able to get the next key before it signs.
func TestPromotingAKeyThatTheKeyringPackageLacks(t *testing.T) {
	t.Parallel()
	s, _, next := newKeySite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	set := func(value string) proctest.Answer {
		t.Helper()
		a := repomill(t, "repo", "set", "--data", s.data, "acme/tools", "--keyring-package", value, "--no-wait")
		if a.Code != 0 {
			t.Fatalf("repo set: %v", a)
		}
		return a
	}
	if a := set("on"); !strings.Contains(a.Stderr, "have the key inside of their .sources file") {
		t.Errorf("switched on: %v", a)
	}
	const lacks = "keyring package of acme/tools: no worker has made it yet"
	s.key(t, 0, "plan").Wants(t, "not before hosts can upgrade: "+lacks, "all releases are signed")
	if a := s.key(t, 1, "promote", next, "--overlap", "1ms", "--no-wait"); !strings.Contains(a.Stderr, lacks) {
		t.Errorf("promote: %v", a)
	}
	s = restart(t, s.data)
	proctest.Until(t, "it is made", func() proctest.Answer { return s.key(t, 0, "plan") }, func(a proctest.Answer) bool { return !strings.Contains(a.Stdout, "not before") })
	s.key(t, 0, "promote", next, "--overlap", "1ms").Wants(t, "key "+next+" is promoted: it signs everything now\nnext, now: repomill key retire ", "all releases are signed")
	if a := set("off"); !strings.Contains(a.Stderr, "/usr/share/keyrings/acme-tools-archive-keyring.asc") || !strings.Contains(a.Stderr, "no later key reaches them") {
		t.Errorf("switched off: %v", a)
	}
}
