package main_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// keyring fetches a repository's public key into a file, armoured.
func (s *site) keyring(t *testing.T, repository string) string {
	t.Helper()
	return newFile(t, "gpgkey", s.fetch(t, repository+"/gpgkey")).path
}

// gpgv takes every signature that clients are given.
func TestGpgv(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "gpgv")
	s := shared(t)
	s.publish(t, "acme/gpgv/debian/trixie", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/gpgv/el/8", newRPM(t, rpmtest.Spec{}))
	block, err := armor.Decode(bytes.NewReader(s.fetch(t, "acme/gpgv/gpgkey")))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := io.ReadAll(block.Body)
	if err != nil {
		t.Fatal(err)
	}
	ring := newFile(t, "ring.gpg", binary).path
	const deb, rpm = "acme/gpgv/debian/dists/trixie/", "acme/gpgv/el/8/"
	for _, keys := range [][]string{
		{deb + "InRelease"},
		{deb + "Release.gpg", deb + "Release"},
		{rpm + "x86_64/repodata/repomd.xml.asc", rpm + "x86_64/repodata/repomd.xml"},
		{rpm + "aarch64/repodata/repomd.xml.asc", rpm + "aarch64/repodata/repomd.xml"},
		{rpm + "SRPMS/repodata/repomd.xml.asc", rpm + "SRPMS/repodata/repomd.xml"},
	} {
		args := []string{"--keyring", ring}
		for _, key := range keys {
			args = append(args, newFile(t, filepath.Base(key), s.fetch(t, key)).path)
		}
		if a := proctest.Run(t, nil, "gpgv", args...); a.Code != 0 {
			t.Errorf("gpgv %q: %v", keys, a)
		}
	}
}

// check reads what was published, in the folder and through the resolver, and finds what is wrong in a copy.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/check/ubuntu/noble", newDEB(t, debtest.Spec{Size: 2000}), newDEB(t, debtest.Spec{Arch: "amd64", Version: "2:1.0+a~b"}))
	s.publish(t, "acme/check/el/9", newRPM(t, rpmtest.Spec{PayloadSize: 2000}), newRPM(t, rpmtest.Spec{Arch: "noarch", Name: "common"}))
	ring := s.keyring(t, "acme/check")
	ours := filepath.Join(s.data, "bucket/acme/check")
	const deb, rpm = "/acme/check/ubuntu/dists/noble", "/acme/check/el/9/x86_64"
	for _, tt := range []struct {
		name, tree string
		code       int
	}{
		{"a folder with releases is sound", ours, 0},
		{"a DEB release is sound through the resolver", s.url + deb, 0},
		{"an RPM release is sound through the resolver", s.url + rpm, 0},
		{"a pointer's own URL will do", s.url + rpm + "/repodata/repomd.xml", 0},
		{"a folder that is not there cannot be read", filepath.Join(s.data, "nothing"), 4},
		{"a folder without releases cannot be read", t.TempDir(), 4},
		{"a server that is not there cannot be read", "http://127.0.0.1:1" + deb, 4},
		{"a release that is not there cannot be read", s.url + "/acme/check/ubuntu/dists/jammy", 4},
	} {
		if a := repomill(t, "check", tt.tree, "--keyring", ring); a.Code != tt.code {
			t.Errorf("%s: want exit code %d, got %v", tt.name, tt.code, a)
		}
	}
	if a := repomill(t, "check", ours, "--keyring", filepath.Join(s.data, "nothing")); a.Code != 2 {
		t.Errorf("without a keyring: %v", a)
	}
	if a := repomill(t, "check", ours, "--keyring", newFile(t, "other.asc", []byte(otherKey(t))).path); a.Code != 1 {
		t.Errorf("with another keyring: %v", a)
	}
	for _, pattern := range []string{
		"ubuntu/pool/noble/main/h/hello/hello_1.0_all.deb", "ubuntu/dists/noble/InRelease", "ubuntu/dists/noble/Release", "ubuntu/dists/noble/main/binary-amd64/by-hash/SHA256/*",
		"el/9/x86_64/hello-1.0-1.x86_64.rpm", "el/9/aarch64/common-1.0-1.noarch.rpm", "el/9/SRPMS/repodata/repomd.xml", "el/9/x86_64/repodata/*-filelists.xml.gz",
	} {
		tree := t.TempDir()
		if err := os.CopyFS(tree, os.DirFS(ours)); err != nil {
			t.Fatal(err)
		}
		flipByte(t, filepath.Join(tree, pattern))
		if a := repomill(t, "check", tree, "--keyring", ring); a.Code != 1 {
			t.Errorf("a flipped byte in %s: %v", pattern, a)
		}
	}
}

// flipByte changes a byte in the middle of the one file that matches a pattern.
func flipByte(t *testing.T, pattern string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %q, %v", pattern, paths, err)
	}
	body, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := os.WriteFile(paths[0], body, 0o644); err != nil {
		t.Fatal(err)
	}
}
