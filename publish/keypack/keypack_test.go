package keypack_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/ingest"
	"repomill/publish/keypack"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/pgptest"
)

var spec = keypack.Spec{
	Repository: catalog.Repository{Owner: "acme_x", Name: "tools"}, Version: "20261129.1", Made: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
	URL: "https://packages.example.org:8443/acme_x/tools", Keys: []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nkeys\n-----END PGP PUBLIC KEY BLOCK-----\n"),
	Fingerprints: []string{strings.Repeat("A", 40), strings.Repeat("B", 40)},
	Repo:         keypack.RepoFile{Path: "/etc/yum.repos.d/acme_x_tools.repo", Body: []byte("[acme_x_tools]\n")},
}

// Published packages never change their bytes: another worker, or the next release of the program, makes the same ones.
// Where that cannot be, form has to change.
func TestBytesAreGolden(t *testing.T) {
	fixed := func(content []byte) ([]byte, bool, error) {
		sum := sha256.Sum256(content)
		return sum[:], true, nil
	}
	deb, err := keypack.DEB(spec)
	if err != nil {
		t.Fatal(err)
	}
	rpm, err := keypack.RPM(spec, fixed)
	if err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		b    []byte
		want string
	}{
		"deb": {deb, "99e45862fdbfeb76790a71cf577602551a96a0e7cdbaf7c3ee2a5a0b4962115e"},
		"rpm": {rpm, "ba721adc071b28abe3c186d1d6516ba4b17980cf4615c88d9c232f1ea5698169"},
	} {
		sum := sha256.Sum256(tt.b)
		if got := hex.EncodeToString(sum[:]); got != tt.want {
			t.Errorf("%s is %s, want %s", what, got, tt.want)
		}
	}
}

func TestContentIgnoresVersionAndTime(t *testing.T) {
	same := spec
	same.Version, same.Made = "20300101.5", spec.Made.Add(time.Hour)
	more := spec
	more.Keys = append(bytes.Clone(spec.Keys), "more"...)
	ghost := spec
	ghost.Repo.Ghost = true
	if same.Content(catalog.DEB) != spec.Content(catalog.DEB) {
		t.Error("another version is other content")
	}
	for what, s := range map[string]keypack.Spec{"another key": more, "another .repo": ghost} {
		if s.Content(catalog.RPM) == spec.Content(catalog.RPM) {
			t.Errorf("%s is the same content", what)
		}
	}
	if spec.Content(catalog.RPM) == spec.Content(catalog.DEB) {
		t.Error("both formats have the same content")
	}
}

// write puts a package into a folder of its own.
func write(t *testing.T, f catalog.Format, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), spec.File(f))
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// ask runs a program that is there, and fails unless its output has all that is wanted.
func ask(t *testing.T, want []string, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not installed")
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	for _, w := range want {
		if err != nil || !strings.Contains(string(out), w) {
			t.Errorf("%s %q: %v, want %q in\n%s", program, args, err, w, out)
		}
	}
	return string(out)
}

// Our own intake takes what is made, as it is named.
func TestKeyringPackagesPassIntake(t *testing.T) {
	deb, err := keypack.DEB(spec)
	if err != nil {
		t.Fatal(err)
	}
	rpm, err := keypack.RPM(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at     string
		b      []byte
		format catalog.Format
	}{
		{"acme_x/tools/ubuntu/jammy/", deb, catalog.DEB}, {"acme_x/tools/debian/stretch/", deb, catalog.DEB},
		{"acme_x/tools/el/7/", rpm, catalog.RPM}, {"acme_x/tools/fedora/45/", rpm, catalog.RPM}, {"acme_x/tools/sles/12.5/", rpm, catalog.RPM},
	} {
		at, rej := layout.ParseStaging(tt.at + spec.File(tt.format))
		if rej != nil {
			t.Fatal(rej)
		}
		distro, rej := layout.DefaultTable().Lookup(at.Distribution)
		if rej != nil {
			t.Fatal(rej)
		}
		got, err := ingest.Examine(t.Context(), bytes.NewReader(tt.b), at, distro, 1<<20)
		want := spec.Identity(tt.format)
		if err != nil || got.Name != want.Name || got.Version != want.Version || got.Arch != want.Arch {
			t.Errorf("%s: %s %s %s, %v; want %s %s %s", tt.at, got.Name, got.Version, got.Arch, err, want.Name, want.Version, want.Arch)
		}
	}
}

func TestDpkgReadsKeyringPackage(t *testing.T) {
	b, err := keypack.DEB(spec)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, catalog.DEB, b)
	info := ask(t, []string{"Package: acme+x-tools-archive-keyring\n", "Version: 20261129.1\n", "Architecture: all\n", "Maintainer: acme_x/tools <noreply@packages.example.org>\n"}, "dpkg-deb", "--info", path)
	if strings.Contains(info, "conffiles") || strings.Contains(info, "postinst") {
		t.Errorf("it has conffiles or scripts:\n%s", info)
	}
	ask(t, []string{"-rw-r--r-- root/root", "./usr/share/keyrings/acme+x-tools-archive-keyring.asc\n", "drwxr-xr-x root/root", "/copyright\n", "/changelog.gz\n"}, "dpkg-deb", "--contents", path)
	root := t.TempDir()
	ask(t, nil, "dpkg-deb", "--extract", path, root)
	if got, err := os.ReadFile(root + "/usr/share/keyrings/acme+x-tools-archive-keyring.asc"); err != nil || !bytes.Equal(got, spec.Keys) {
		t.Errorf("the keys are %q, %v", got, err)
	}
	ask(t, []string{"md5sums"}, "dpkg-deb", "--ctrl-tarfile", path) // a tar that dpkg reads
	ask(t, []string{"-all.", "20261129.1"}, "sh", "-c", "echo -all.; dpkg-parsechangelog -l - -S version <<EOF\n"+changelog(t, root)+"\nEOF")
}

func changelog(t *testing.T, root string) string {
	return ask(t, nil, "gzip", "-dc", root+"/usr/share/doc/acme+x-tools-archive-keyring/changelog.gz")
}

func TestRpmReadsKeyringPackage(t *testing.T) {
	for _, kind := range []pgptest.Kind{pgptest.RSA, pgptest.EdDSA} {
		t.Run(string(kind), func(t *testing.T) {
			key := pgptest.New(t, pgptest.Options{Kind: kind, Made: spec.Made.Add(-time.Hour)})
			sign := func(content []byte) ([]byte, bool, error) {
				return key.Sign(t, 4, crypto.SHA512, spec.Made, content), kind == pgptest.RSA, nil
			}
			b, err := keypack.RPM(spec, sign)
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, catalog.RPM, b)
			db := t.TempDir()
			public := filepath.Join(t.TempDir(), "key.asc")
			if err := os.WriteFile(public, []byte(key.Package(t).Armor), 0o644); err != nil {
				t.Fatal(err)
			}
			ask(t, nil, "rpmkeys", "--dbpath", db, "--import", public)
			ask(t, []string{"Header V4", "Header SHA256 digest: OK", "Header SHA1 digest: OK", "Payload SHA256 digest: OK", "MD5 digest: OK"}, "rpmkeys", "--dbpath", db, "-Kv", path)
			if out := ask(t, nil, "rpmkeys", "--dbpath", db, "-Kv", path); strings.Contains(out, "NOKEY") || strings.Contains(out, "BAD") || strings.Count(out, "Signature, key ID") < 2 && strings.Count(out, "signature, key ID") < 2 {
				t.Errorf("signatures:\n%s", out)
			}
		})
	}
	b, err := keypack.RPM(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, catalog.RPM, b)
	ask(t, []string{"Name        : acme+x-tools-release", "Version     : 20261129.1", "Architecture: noarch", "License     : Redistributable", "URL         : https://packages.example.org:8443/acme_x/tools"}, "rpm", "-qip", path)
	ask(t, []string{"/etc/pki/rpm-gpg/RPM-GPG-KEY-acme+x-tools", "/etc/yum.repos.d/acme_x_tools.repo"}, "rpm", "-qlp", path)
	if got := ask(t, nil, "rpm", "-qcp", path); got != "/etc/yum.repos.d/acme_x_tools.repo\n" {
		t.Errorf("configuration files are %q", got)
	}
	private := spec
	private.Repo = keypack.RepoFile{}
	if b, err = keypack.RPM(private, nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, nil, "rpm", "-qlp", write(t, catalog.RPM, b)); got != "/etc/pki/rpm-gpg/RPM-GPG-KEY-acme+x-tools\n" {
		t.Errorf("of a private repository it owns %q", got)
	}
}

// What the maker of signatures says goes into the package.
func TestSignaturePacketsVerify(t *testing.T) {
	s, err := sign.Generate("test", sign.MinRSABits, spec.Made)
	if err != nil {
		t.Fatal(err)
	}
	one := func(content []byte) ([]byte, bool, error) { return s.Packet(content, spec.Made) }
	a, err := keypack.RPM(spec, one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := keypack.RPM(spec, one)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("a second time it is another, %v", err)
	}
	path, db := write(t, catalog.RPM, a), t.TempDir()
	public := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(public, s.Public(), 0o644); err != nil {
		t.Fatal(err)
	}
	ask(t, nil, "rpmkeys", "--dbpath", db, "--import", public)
	ask(t, []string{"digests signatures OK"}, "rpmkeys", "--dbpath", db, "-K", path)
}
