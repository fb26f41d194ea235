package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

const jammyKeyring = "acme-tools-archive-keyring"

// newHost returns an apt whose sources are written by the lines that hint prints, and installs what they install.
func newHost(t *testing.T, s *site, target string) aptRoot {
	t.Helper()
	a := newApt(t, "amd64")
	hint := repomill(t, "hint", "--data", s.data, target)
	_, lines, ok := strings.Cut(hint.Stdout, ":\n")
	if hint.Code != 0 || !ok {
		t.Fatalf("hint: %v", hint)
	}
	moved := "sed -i 's,/usr/share/keyrings/,/etc/moved/,' /etc/apt/sources.list.d/* && apt-get update"
	lines = strings.ReplaceAll(strings.ReplaceAll(lines, "sudo apt-get update", moved), "/usr/share/keyrings/"+jammyKeyring, "/etc/moved/"+jammyKeyring)
	paste(t, a.Env(), lines, "/etc/apt/sources.list.d/", a.Dir+"/etc/sources.list.d/", "/etc/moved/", a.Dir+"/etc/")
	return a
}

// upgradeKeyring downloads the newest keyring package as an upgrade does, and unpacks it where the host's keys are.
func (a aptRoot) upgradeKeyring(t *testing.T, name string) {
	t.Helper()
	a.download(t, name)
	debs, err := filepath.Glob(a.Dir + "/cache/archives/" + name + "_*.deb")
	if err != nil || len(debs) == 0 {
		t.Fatalf("no %s was downloaded, %v", name, err)
	}
	slices.SortFunc(debs, func(x, y string) int {
		return layout.CompareKeyringVersions(strings.Split(filepath.Base(x), "_")[1], strings.Split(filepath.Base(y), "_")[1])
	})
	root := proctest.OpenDir(t)
	if out := proctest.Run(t, nil, "dpkg-deb", "--extract", debs[len(debs)-1], root); out.Code != 0 {
		t.Fatal(out)
	}
	key, err := os.ReadFile(root + "/usr/share/keyrings/" + name + ".asc")
	if err != nil {
		t.Fatal(err)
	}
	a.Write(t, "etc/"+name+".asc", string(key))
}

// addKey puts another private key into the file of a site, which becomes a standby key, and returns its fingerprint.
func (s *site) addKey(t *testing.T) string {
	t.Helper()
	key, err := sign.Generate("another standby key", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.Private()
	if err != nil {
		t.Fatal(err)
	}
	path := s.data + "/signing-key.asc"
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, slices.Concat(have, private), 0o600); err != nil {
		t.Fatal(err)
	}
	name := key.Fingerprints()[0]
	proctest.Eventually(t, "the new key is a standby key", func() bool { return strings.Contains(s.key(t, 0, "list").Stdout, name) })
	return name
}

// rotate has one key sign in the place of another, once a worker has said that it has it.
func (s *site) rotate(t *testing.T, old, next string) {
	t.Helper()
	proctest.Eventually(t, "the new key is promoted", func() bool { return repomill(t, "key", "promote", "--data", s.data, next, "--force").Code == 0 })
	if a := s.key(t, 1, "retire", old); !strings.Contains(a.Stderr, "retire it from") || !strings.Contains(a.Stderr, "--force") {
		t.Errorf("retire too early: %v", a)
	}
	s.key(t, 0, "retire", "--force", old)
}

// signs returns the fingerprint of the one key that a site has.
func (s *site) signs(t *testing.T) string {
	t.Helper()
	_, line, _ := strings.Cut(s.key(t, 0, "list").Stdout, "\n")
	return strings.Fields(line)[0]
}

// A host that installs the keyring package and upgrades reads on by a key that did not exist when it was set up.
func TestKeyringPackageOfDEB(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get", "dpkg-deb")
	s := newSite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}))
	s.publish(t, "acme/tools/ubuntu/focal/extra", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}))
	if a := repomill(t, "repo", "set", "--data", s.data, "acme/tools", "--keyring-package", "on"); a.Code != 0 || !strings.Contains(a.Stdout, ", keyring package 2") {
		t.Fatalf("repo set: %v", a)
	}
	old := s.signs(t)
	for _, target := range []string{"acme/tools/ubuntu/jammy", "acme/tools/ubuntu/focal/extra", "acme/tools/ubuntu/focal/main"} {
		if a := repomill(t, "ls", "--data", s.data, target, jammyKeyring); a.Code != 0 || strings.Count(a.Stdout, jammyKeyring) != 1 {
			t.Errorf("ls %s: %v", target, a)
		}
	}
	hosts := map[string]aptRoot{"jammy": newHost(t, s, "acme/tools/ubuntu/jammy"), "focal": newHost(t, s, "acme/tools/ubuntu/focal/extra")}
	for name, a := range hosts {
		a.Update(t)
		before := s.fetch(t, "acme/tools/gpgkey")
		a.upgradeKeyring(t, jammyKeyring)
		if key, err := os.ReadFile(a.Dir + "/etc/" + jammyKeyring + ".asc"); err != nil || !bytes.Equal(key, before) {
			t.Errorf("%s: the package has other bytes than gpgkey, %v", name, err)
		}
	}

	next := s.addKey(t)
	versions := func(a aptRoot) int { a.Update(t); return len(slices.Compact(a.versions(t, jammyKeyring))) }
	for name, a := range hosts {
		proctest.Eventually(t, "a second version of the keyring package", func() bool { return versions(a) == 2 })
		a.upgradeKeyring(t, jammyKeyring)
		if key, err := os.ReadFile(a.Dir + "/etc/" + jammyKeyring + ".asc"); err != nil || !bytes.Equal(key, s.fetch(t, "acme/tools/gpgkey")) {
			t.Errorf("%s: after the upgrade it has other keys than gpgkey, %v", name, err)
		}
	}
	s.rotate(t, old, next)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "2.0", Arch: "amd64"}))
	s.publish(t, "acme/tools/ubuntu/focal/extra", newDEB(t, debtest.Spec{Version: "2.0", Arch: "amd64"}))
	for name, a := range hosts {
		a.Update(t)
		if got := a.versions(t, "hello"); len(got) != 2 || got[0] != "2.0" {
			t.Errorf("%s: apt knows hello %q", name, got)
		}
	}
}
