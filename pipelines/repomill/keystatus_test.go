package main_test

import (
	"os"
	"strings"
	"testing"
	"time"

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
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		a := repomill(t, "key", "status", "--data", s.data)
		if a.Code == 1 && strings.Contains(a.Stdout, "1 release waits (acme/tools/ubuntu/jammy): no running worker has the private part of key "+old) &&
			strings.Contains(a.Stdout, "key "+next+" signs in its place") && strings.Contains(a.Stdout, "Put it back") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("status: %v", a)
		}
	}
	s.key(t, 0, "plan").Wants(t, "put the private part of key "+old+" back", "all is well")
	s.key(t, 0, "list").Wants(t, "no running worker has its private part", "all is well")
	if a := repomill(t, "status", "--data", s.data); !strings.Contains(a.Stdout, "no running worker has the private part of key "+old) {
		t.Errorf("status: %v", a)
	}
	if log := s.Stderr.String(); strings.Count(log, "ALARM: nothing is published: no running worker can sign with a key that is to.") != 1 || strings.Contains(log, "not published") {
		t.Errorf("not one line about it all:\n%s", log)
	}
	write(all)
	for end := time.Now().Add(30 * time.Second); repomill(t, "key", "status", "--data", s.data).Code != 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the key is back: %v", s.key(t, 0, "status"))
		}
	}
}

// The file of keys is removed under a site.
func TestStatusOfAKeyFileThatIsGone(t *testing.T) {
	t.Parallel()
	s, _, _ := newKeySite(t)
	s.key(t, 0, "status")
	if err := os.Rename(s.data+"/signing-key.asc", s.data+"/away"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		a := repomill(t, "key", "status", "--data", s.data)
		if a.Code == 1 && strings.Contains(a.Stdout, "cannot use file://"+s.data+"/signing-key.asc since ") && strings.Contains(a.Stdout, "no such file") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("status: %v", a)
		}
	}
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
	s.key(t, 0, "plan").Wants(t, "not before hosts can upgrade: "+lacks, "all is well")
	if a := s.key(t, 1, "promote", next, "--overlap", "1ms", "--no-wait"); !strings.Contains(a.Stderr, lacks) {
		t.Errorf("promote: %v", a)
	}
	s = restart(t, s.data)
	for end := time.Now().Add(60 * time.Second); strings.Contains(s.key(t, 0, "plan").Stdout, "not before"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not made: %v", s.key(t, 0, "plan"))
		}
	}
	s.key(t, 0, "promote", next, "--overlap", "1ms").Wants(t, "key "+next+" is promoted: it signs everything now\nnext, now: repomill key retire ", "all is well")
	if a := set("off"); !strings.Contains(a.Stderr, "/usr/share/keyrings/acme-tools-archive-keyring.asc") || !strings.Contains(a.Stderr, "no later key reaches them") {
		t.Errorf("switched off: %v", a)
	}
}
