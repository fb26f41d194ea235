package main_test

import (
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"repomill/testdata/debtest"
	"repomill/testdata/pgptest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// packageKey makes a key that signs packages, and its file.
func packageKey(t *testing.T) (*pgptest.Key, string) {
	t.Helper()
	k := pgptest.New(t, pgptest.Options{Kind: pgptest.RSA, Made: time.Now().Add(-24 * time.Hour)})
	return k, newFile(t, "key.asc", []byte(k.Package(t).Armor)).path
}

// signedRPM returns a package that a key signed.
func signedRPM(t *testing.T, spec rpmtest.Spec, k *pgptest.Key) packageFile {
	t.Helper()
	b := rpmtest.Sign(t, rpmtest.Build(t, spec), map[uint32][]rpmtest.Signer{rpmtest.SigRSA: {func(b []byte) []byte {
		return k.Sign(t, 4, crypto.SHA256, time.Now(), b)
	}}})
	return newFile(t, "signed.rpm", b)
}

// With a package key, clients check the signatures of packages: what they would refuse is not published, and what is published
// they install.
func TestPackageKeysKeepOutWhatClientsRefuse(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf")
	s := shared(t)
	key, file := packageKey(t)
	stranger, _ := packageKey(t)
	const el9 = "acme/signed/el/9"
	if a := repomill(t, "repo", "create", "--data", s.data, "acme/signed", "--distribution", "el/9", "--package-key", file); a.Code != 0 || !strings.Contains(a.Stdout, "1 package key, 0 tokens, signatures required of rpm\n") {
		t.Fatal(a)
	}
	for _, tt := range []struct {
		name string
		file packageFile
		says []string
	}{
		{"unsigned", newRPM(t, rpmtest.Spec{}), []string{"unsigned", "has no signature", "--require-signed none"}},
		{"by a stranger", signedRPM(t, rpmtest.Spec{}, stranger), []string{"unknown-signer", stranger.Fingerprint(), "--package-key FILE"}},
	} {
		a := repomill(t, "push", "--wait", "--timeout", "3m", "--staging", s.staging(), el9, tt.file.path)
		if a.Code != 1 {
			t.Errorf("%s: %v", tt.name, a)
		}
		for _, want := range append(tt.says, "Accepted here: "+key.Fingerprint()) {
			if !strings.Contains(a.Said(), want) {
				t.Errorf("%s: %v; want %q", tt.name, a, want)
			}
		}
	}
	signed := signedRPM(t, rpmtest.Spec{Name: "kept", Arch: "noarch", Files: map[string]string{"/usr/share/kept/kept": "x"}}, key)
	s.publish(t, el9, signed)
	repo := string(s.fetch(t, el9+".repo"))
	if !strings.Contains(repo, "\ngpgcheck=1\n") {
		t.Errorf(".repo is\n%s", repo)
	}
	d := newDnf(t, repo)
	d.ok(t, "install", "kept")
	if _, err := os.Stat(filepath.Join(d.dir, "root/usr/share/kept/kept")); err != nil {
		t.Error(err)
	}
	if a := repomill(t, "ls", "--data", s.data, "--json", el9); a.Code != 0 || strings.Count(a.Stdout, "\n") != 1 || !strings.Contains(a.Stdout, `"signer":"`+key.Fingerprint()+`"`) {
		t.Errorf("ls: %v", a)
	}
}

func TestRepoSetRequiresSignatures(t *testing.T) {
	t.Parallel()
	s := shared(t)
	key, file := packageKey(t)
	other, otherFile := packageKey(t)
	const el9 = "acme/changing/el/9"
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Name: "before"}))
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"without a key", []string{"--require-signed", "rpm"}, 2, "register one with --package-key"},
		{"of nothing, besides", []string{"--package-key", file, "--require-signed", "rpm,none"}, 2, "none excludes all others"},
		{"of a format that is none", []string{"--package-key", file, "--require-signed", "msi"}, 2, "--require-signed"},
		{"the first key", []string{"--package-key", file}, 0, "signatures required of rpm\n"},
		{"none", []string{"--require-signed", "none"}, 0, "1 package key, 0 tokens\n"},
		{"a second key", []string{"--package-key", otherFile}, 0, "2 package keys, 0 tokens\n"},
		{"both", []string{"--require-signed", "rpm,deb"}, 0, "signatures required of deb and rpm\n"},
		{"something else", []string{"--verify-payload", "always"}, 0, "signatures required of deb and rpm\n"},
		{"one by one", []string{"--require-signed", "deb", "--require-signed", "rpm"}, 0, "signatures required of deb and rpm\n"},
		{"a key fewer", []string{"--remove-package-key", other.Package(t).ID}, 0, "signatures required of deb and rpm\n"},
		{"no key any more", []string{"--remove-package-key", key.Package(t).ID}, 2, "add --require-signed none"},
		{"no key, and none", []string{"--remove-package-key", key.Package(t).ID, "--require-signed", "none"}, 0, "0 package keys, 0 tokens, payloads verified\n"},
		{"the first key, and none", []string{"--package-key", file, "--require-signed", "none"}, 0, "1 package key, 0 tokens, payloads verified\n"},
	} {
		a := repomill(t, append([]string{"repo", "set", "--data", s.data, "acme/changing"}, tt.args...)...)
		if a.Code != tt.code || !strings.Contains(a.Said(), tt.says) {
			t.Errorf("%s: %v, want code %d and %q", tt.name, a, tt.code, tt.says)
		}
	}
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Name: "after"}))
	if repo := string(s.fetch(t, el9+".repo")); !strings.Contains(repo, "\ngpgcheck=1\n") { // clients check as long as there is a key
		t.Errorf(".repo is\n%s", repo)
	}
	old := pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: time.Now().Add(-48 * time.Hour)})
	old.RevokeAt(t, time.Now().Add(-time.Hour), packet.KeyCompromised)
	a := repomill(t, "repo", "set", "--data", s.data, "acme/changing", "--package-key", newFile(t, "old.asc", []byte(old.Package(t).Armor)).path)
	if a.Code != 0 || !strings.Contains(a.Stderr, "warning: package key "+old.Fingerprint()) || !strings.Contains(a.Stderr, "revoked") || strings.Contains(a.Stderr, key.Fingerprint()) {
		t.Errorf("a key that is revoked: %v", a)
	}
	ended := pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: time.Now().Add(-48 * time.Hour), Lifetime: time.Hour})
	a = repomill(t, "repo", "set", "--data", s.data, "acme/changing", "--package-key", newFile(t, "ended.asc", []byte(ended.Package(t).Armor)).path)
	_, said, _ := strings.Cut(a.Stderr, "warning: package key "+ended.Fingerprint()+": the key has ended: it expired at ")
	if said, _, _ = strings.Cut(said, "\n"); a.Code != 0 || !strings.HasSuffix(said, " UTC: packages that it signs from now on are refused; register the key again (--package-key) if its owner has extended it") || strings.Contains(said, "the signature") {
		t.Errorf("a key that has expired: %v", a)
	}
}

// Where signatures of .deb files are required, those that debsigs makes count.
func TestSignedDEBs(t *testing.T) {
	t.Parallel()
	s := shared(t)
	key, file := packageKey(t)
	const jammy = "acme/debsigs/ubuntu/jammy"
	if a := repomill(t, "repo", "create", "--data", s.data, "acme/debsigs", "--distribution", "ubuntu/jammy", "--package-key", file, "--require-signed", "deb"); a.Code != 0 {
		t.Fatal(a)
	}
	unsigned := newDEB(t, debtest.Spec{Size: 1000})
	if a := repomill(t, "push", "--wait", "--timeout", "3m", "--staging", s.staging(), jammy, unsigned.path); a.Code != 1 || !strings.Contains(a.Said(), "unsigned") || !strings.Contains(a.Said(), "_gpgorigin") {
		t.Errorf("unsigned: %v", a)
	}
	b := debtest.Sign(t, debtest.Build(t, debtest.Spec{Size: 1000}), func(b []byte) []byte { return key.Sign(t, 4, crypto.SHA512, time.Now(), b) })
	s.publish(t, jammy, newFile(t, "signed.deb", b))
}

// Who pushes unsigned packages to systems that refuse them is warned once, and no one else.
func TestPushWarnsOfUnsignedPackages(t *testing.T) {
	t.Parallel()
	key, _ := packageKey(t)
	unsigned := []packageFile{newRPM(t, rpmtest.Spec{Name: "one", Arch: "noarch"}), newRPM(t, rpmtest.Spec{Name: "two", Arch: "noarch"})}
	signed := signedRPM(t, rpmtest.Spec{Name: "three", Arch: "noarch"}, key)
	for _, tt := range []struct {
		target string
		files  []packageFile
		says   string
	}{
		{"opensuse/tumbleweed", append(unsigned, signed), "warning: RPM packages without a signature: 2. "},
		{"sles/16.0", unsigned[:1], "warning: RPM packages without a signature: 1. "},
		{"fedora/43", unsigned, "warning: RPM packages without a signature: 2. "},
		{"fedora/43", []packageFile{signed}, ""},
		{"sles/15.6", unsigned, ""},
		{"el/9", unsigned, ""},
		{"ubuntu/jammy", []packageFile{newDEB(t, debtest.Spec{})}, ""},
	} {
		args := []string{"push", "--staging", "file://" + t.TempDir(), "acme/warned/" + tt.target}
		for _, f := range tt.files {
			args = append(args, f.path)
		}
		if a := repomill(t, args...); a.Code != 0 || strings.Count(a.Stderr, "warning:") != min(1, len(tt.says)) || !strings.Contains(a.Stderr, tt.says) {
			t.Errorf("%s: %v, want %q", tt.target, a, tt.says)
		}
	}
}
