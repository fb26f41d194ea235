package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// keyringOn has the keyring package of a repository made, and waits until it can be installed.
func (s *site) keyringOn(t *testing.T, repository string) {
	t.Helper()
	if a := repomill(t, "repo", "set", "--data", s.data, repository, "--keyring-package", "on"); a.Code != 0 || !strings.Contains(a.Stdout, ", keyring package 2") {
		t.Fatalf("repo set: %v", a)
	}
}

// files returns the names of what an RPM package in the bucket owns.
func (s *site) files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(s.data + "/bucket/" + pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s, %v", pattern, err)
	}
	a := proctest.Run(t, nil, "rpm", "-qlp", paths[len(paths)-1])
	return strings.Fields(a.Stdout)
}

// A host that installs the release package and upgrades reads on by a key that did not exist when it was set up, also where
// clients check the signature of each package.
func TestKeyringPackageOfRPM(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf", "rpm")
	s := newSite(t)
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{Version: "1.0", Arch: "noarch"}))
	s.publish(t, "acme/tools/opensuse/15.6", newRPM(t, rpmtest.Spec{Version: "1.0", Arch: "noarch"}))
	vendor := newFile(t, "vendor.asc", []byte(otherKey(t))).path
	if a := repomill(t, "repo", "create", "--data", s.data, "acme/signed", "--distribution", "el/9", "--package-key", vendor, "--keyring-package", "on"); a.Code != 0 {
		t.Fatalf("repo create: %v", a)
	}
	s.keyringOn(t, "acme/tools")
	old := s.signs(t)
	if got, want := s.files(t, "acme/tools/opensuse/15.6/x86_64/acme-tools-release-*.rpm"), []string{"/etc/pki/rpm-gpg/RPM-GPG-KEY-acme-tools", "/etc/zypp/repos.d/acme_tools.repo"}; !cmp.Equal(got, want) {
		t.Errorf("the package of openSUSE owns %q, want %q", got, want)
	}

	hosts := map[string]dnfRoot{}
	for _, name := range []string{"tools", "signed"} {
		repo := string(s.fetch(t, "acme/"+name+"/el/9.repo"))
		d := newDnf(t, repo)
		own := d.dir + "/root/etc/yum.repos.d/acme_" + name + ".repo" // as hint writes it
		if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "signed" {
			repo += "# changed on the host\n"
		}
		if err := os.WriteFile(own, []byte(repo), 0o644); err != nil {
			t.Fatal(err)
		}
		d.ok(t, "install", "acme-"+name+"-release")
		d.checkKeyring(t, s, name, repo)
		hosts[name] = d
	}
	if got := entries(t, hosts["tools"].dir+"/root/etc/yum.repos.d"); !cmp.Equal(got, []string{"acme_tools.repo"}) {
		t.Errorf("beside the same .repo file there is %q", got)
	}

	next := s.addKey(t)
	for name, d := range hosts {
		proctest.Eventually(t, "a second version of the release package", func() bool {
			return len(d.query(t, "x86_64", "--refresh", "acme-"+name+"-release")) == 2
		})
		d.ok(t, "--refresh", "upgrade")
		repo := string(s.fetch(t, "acme/"+name+"/el/9.repo"))
		if name == "signed" {
			repo += "# changed on the host\n"
		}
		d.checkKeyring(t, s, name, repo)
	}
	s.rotate(t, old, next)
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{Version: "2.0", Arch: "noarch"}))
	if got, want := hosts["tools"].query(t, "x86_64", "--refresh", "hello"), []string{"hello-0:1.0-1.noarch", "hello-0:2.0-1.noarch"}; !cmp.Equal(got, want) {
		t.Errorf("dnf knows %q, want %q", got, want)
	}
	proctest.Eventually(t, "a third version, signed by the new key, which the host checks", func() bool {
		hosts["signed"].ok(t, "--refresh", "upgrade")
		out := proctest.Run(t, nil, "rpm", "--root", hosts["signed"].dir+"/root", "-q", "--qf", "%{RSAHEADER:pgpsig}", "acme-signed-release")
		return strings.Contains(strings.ToUpper(out.Stdout), next[len(next)-16:])
	})
}

// checkKeyring fails unless a host has the keys that the repository gives to clients, and its .repo file.
func (d dnfRoot) checkKeyring(t *testing.T, s *site, name, repo string) {
	t.Helper()
	if key, err := os.ReadFile(d.dir + "/root/etc/pki/rpm-gpg/RPM-GPG-KEY-acme-" + name); err != nil || !bytes.Equal(key, s.fetch(t, "acme/"+name+"/gpgkey")) {
		t.Errorf("%s: the host has other keys than gpgkey, %v", name, err)
	}
	if got, err := os.ReadFile(d.dir + "/root/etc/yum.repos.d/acme_" + name + ".repo"); err != nil || string(got) != repo {
		t.Errorf("%s: the host's .repo file is %q, %v", name, got, err)
	}
}

// The keyring package of a private repository leaves the file alone in which the host has its token; if it was public
// before, it goes on owning that file without writing it.
func TestKeyringPackageOfAPrivateRepository(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "rpm")
	s := newSite(t)
	for name, visibility := range map[string]string{"acme/secret": "private", "acme/later": "public"} {
		if a := repomill(t, "repo", "create", "--data", s.data, name, "--visibility", visibility, "--distribution", "el/9", "--distribution", "ubuntu/jammy", "--keyring-package", "on"); a.Code != 0 {
			t.Fatalf("%v", a)
		}
	}
	const key, repo = "/etc/pki/rpm-gpg/RPM-GPG-KEY-acme-", "/etc/yum.repos.d/acme_later.repo"
	if got, want := s.files(t, "acme/secret/el/9/x86_64/acme-secret-release-*.rpm"), []string{key + "secret"}; !cmp.Equal(got, want) {
		t.Errorf("of a private repository it owns %q, want %q", got, want)
	}
	if a := repomill(t, "repo", "set", "--data", s.data, "acme/later", "--visibility", "private"); a.Code != 0 {
		t.Fatalf("%v", a)
	}
	pattern := "acme/later/el/9/x86_64/acme-later-release-*.rpm"
	proctest.Eventually(t, "a second version", func() bool { return len(digests(t, s.data+"/bucket/"+pattern)) == 2 })
	if got, want := s.files(t, pattern), []string{key + "later", repo}; !cmp.Equal(got, want) {
		t.Errorf("of one that became private it owns %q, want %q", got, want)
	}
	token := repomill(t, "token", "create", "--data", s.data, "acme/secret", "ci")
	file := newFile(t, "token", []byte(token.Stdout)).path
	hint := repomill(t, "hint", "--data", s.data, "acme/secret/ubuntu/jammy", "--token-file", file)
	if hint.Code != 0 || !strings.Contains(hint.Stdout, "-fsSLo /usr/share/keyrings/acme-secret-archive-keyring.asc ") || !strings.Contains(hint.Stdout, "apt-get install -y acme-secret-archive-keyring\n") {
		t.Errorf("hint: %v", hint)
	}
}

// A name that is taken is not taken over, and a name that the keyring package has is not given to others.
func TestKeyringPackageNames(t *testing.T) {
	t.Parallel()
	s := shared(t)
	foreign := newDEB(t, debtest.Spec{Name: "acme-taken-archive-keyring", Version: "1.0"})
	s.publish(t, "acme/taken/ubuntu/jammy", foreign)
	on := []string{"repo", "set", "--data", s.data, "acme/taken", "--keyring-package", "on"}
	if a := repomill(t, on...); a.Code != 1 || !strings.Contains(a.Stderr, "repomill yank acme/taken/ubuntu/jammy acme-taken-archive-keyring=1.0") {
		t.Errorf("with a package of that name: %v", a)
	}
	if a := repomill(t, "yank", "--data", s.data, "--reason", "it is made by repomill now", "acme/taken/ubuntu/jammy", "acme-taken-archive-keyring=1.0"); a.Code != 0 {
		t.Fatalf("%v", a)
	}
	s.keyringOn(t, "acme/taken")
	push := repomill(t, "push", "--wait", "--staging", s.staging(), "acme/taken/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "acme-taken-archive-keyring", Version: "99999999"}).path)
	if push.Code != 1 || !strings.Contains(push.Stderr, "reserved-name") || !strings.Contains(push.Stderr, "--keyring-package off") {
		t.Errorf("push of that name: %v", push)
	}
	s.publish(t, "acme-x/y/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/x-y/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.keyringOn(t, "acme/x-y")
	if a := repomill(t, "repo", "set", "--data", s.data, "acme-x/y", "--keyring-package", "on"); a.Code != 1 || !strings.Contains(a.Stderr, "the keyring package of acme/x-y has the name acme-x-y-archive-keyring already") {
		t.Errorf("with the name of another one: %v", a)
	}
	// Later distributions and components get it, too.
	s.publish(t, "acme/x-y/ubuntu/noble/extra", newDEB(t, debtest.Spec{}))
	proctest.Eventually(t, "the new component has it", func() bool {
		return strings.Contains(repomill(t, "ls", "--data", s.data, "acme/x-y/ubuntu/noble/extra").Stdout, "acme-x-y-archive-keyring")
	})
	for _, tt := range []struct{ value, want string }{{"off", ""}, {"on", ", keyring package 2"}} {
		a := repomill(t, "repo", "set", "--data", s.data, "acme/x-y", "--keyring-package", tt.value)
		if a.Code != 0 || strings.Contains(a.Stdout, "keyring package") != (tt.want != "") || !strings.Contains(a.Stdout, tt.want) {
			t.Errorf("%s: %v", tt.value, a)
		}
	}
	if a := repomill(t, "repo", "list", "--data", s.data, "--json", "acme/x-y"); !strings.Contains(a.Stdout, `"keyring_package":{"on":true,"version":"2`) {
		t.Errorf("repo list --json: %v", a)
	}
	if got := slices.Compact(strings.Fields(repomill(t, "hint", "--data", s.data, "acme/x-y/ubuntu/noble").Stdout)); !slices.Contains(got, "acme-x-y-archive-keyring") {
		t.Errorf("hint: %q", got)
	}
}
