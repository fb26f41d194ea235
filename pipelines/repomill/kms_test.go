package main_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"repomill/testdata/debtest"
	"repomill/testdata/kmstest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A company is a worker's resources in one folder, with keys in fakes of both KMS.
type company struct {
	t                *testing.T
	dir              string
	aws              *kmstest.AWS
	google           *kmstest.Google
	awsURL, gcpURL   string
	awsKey, gcpKey   string // fingerprints of the public halves
	env              []string
	staging, catalog []string
}

func newCompany(t *testing.T, aws *kmstest.AWS) *company {
	t.Helper()
	dir := proctest.OpenDir(t)
	c := &company{t: t, dir: dir, aws: aws, google: kmstest.StartGoogle(t), env: kmstest.Env()}
	c.awsURL = c.aws.URL(c.aws.NewKey(types.KeySpecRsa2048))
	c.gcpURL = c.google.URL(c.google.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256))
	c.staging = []string{"--staging", "file://" + dir + "/staging"}
	c.catalog = []string{"--catalog", "sqlite://" + dir + "/catalog.db", "--bucket", "file://" + dir + "/bucket"}
	if err := errors.Join(os.Mkdir(dir+"/staging", 0o755), os.Mkdir(dir+"/bucket", 0o755)); err != nil {
		t.Fatal(err)
	}
	if a := c.run("migrate", "--catalog", c.catalog[1]); a.Code != 0 {
		t.Fatal(a)
	}
	return c
}

func (c *company) run(args ...string) proctest.Answer {
	c.t.Helper()
	path, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	return proctest.Run(c.t, c.env, path, args...)
}

// push stages a file.
func (c *company) push(target string, f packageFile) {
	c.t.Helper()
	if a := c.run(append([]string{"push", target, f.path}, c.staging...)...); a.Code != 0 {
		c.t.Fatal(a)
	}
}

// addKeys makes the public halves of both keys.
func (c *company) addKeys() {
	c.t.Helper()
	for url, key := range map[string]*string{c.awsURL: &c.awsKey, c.gcpURL: &c.gcpKey} {
		made := c.run("key", "add", url, c.catalog[2], c.catalog[3], "--name", "Acme packages")
		again := c.run("key", "add", url, c.catalog[2], c.catalog[3])
		if made.Code != 0 || again.Code != 0 || made.Stdout != again.Stdout || !strings.Contains(again.Stderr, "exists already") {
			c.t.Fatalf("key add: %v, and again: %v", made, again)
		}
		*key = strings.TrimSpace(made.Stdout)
	}
}

// signWithBoth publishes with both keys: the first one signs, and the second is on standby until it is promoted.
func (c *company) signWithBoth() {
	c.t.Helper()
	keys := []string{"--signing-key", c.awsURL, "--signing-key", c.gcpURL}
	if a := c.work(keys...); a.Code != 0 {
		c.t.Fatal(a)
	}
	if a := c.run(append([]string{"key", "promote", c.gcpKey, "--force", "--no-wait"}, c.catalog...)...); a.Code != 0 {
		c.t.Fatal(a)
	}
	if a := c.work(keys...); a.Code != 0 {
		c.t.Fatal(a)
	}
}

// work runs a worker until nothing is left to do.
func (c *company) work(flags ...string) proctest.Answer {
	c.t.Helper()
	args := append([]string{"worker", "--once", "--events", "dir://", "--public-url", "http://packages.example.org", "--create", "auto", "--cache", c.dir + "/cache"},
		append(c.staging, c.catalog...)...)
	return c.run(append(args, flags...)...)
}

// published returns an object, and client configuration as one that reads the bucket's folder.
func (c *company) published(key string) string {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "bucket", key))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "http://packages.example.org", "file://"+c.dir+"/bucket")
}

// Keys in both KMS sign side by side what real clients install.
func TestReleasesSignedByAKMS(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get", "dnf", "gpgv")
	c := newCompany(t, kmstest.StartAWS(t))
	hello, greet := newDEB(t, debtest.Spec{Arch: "amd64"}), newRPM(t, rpmtest.Spec{})
	c.push("acme/kms/ubuntu/jammy", hello)
	c.push("acme/kms/el/9", greet)

	if a := c.work("--signing-key", c.awsURL); a.Code != 1 || !strings.Contains(a.Stderr, "repomill key add '"+c.awsURL+"'") {
		t.Errorf("a worker before the public half was made: %v", a)
	}
	c.addKeys()
	c.signWithBoth()
	c.clients(t, hello, greet)
	t.Run("the variable takes a list", func(t *testing.T) {
		c.push("acme/kms/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64", Version: "2.0"}))
		signed := c.aws.Served(kmstest.Sign) + c.google.Served(kmstest.Sign)
		c.env = append(c.env, "REPOMILL_SIGNING_KEY="+c.awsURL+","+c.gcpURL)
		if a := c.work(); a.Code != 0 {
			t.Errorf("%v", a)
		}
		// Each key signs once at the start, and InRelease and Release.gpg.
		if n := c.aws.Served(kmstest.Sign) + c.google.Served(kmstest.Sign) - signed; n != 6 {
			t.Errorf("%d signatures were asked for, want 6", n)
		}
		if a := c.run(append([]string{"reindex", "--all", "--dry-run"}, c.catalog...)...); a.Code != 0 {
			t.Errorf("reindex: %v", a)
		}
	})
	t.Run("two KMS that are busy are a fault that passes", func(t *testing.T) {
		before := c.published("acme/kms/ubuntu/dists/jammy/InRelease")
		c.push("acme/kms/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64", Version: "3.0"}))
		c.google.Fail(kmstest.Sign, kmstest.Throttled, 1000)
		c.aws.Fail(kmstest.Sign, kmstest.Throttled, 1000)
		if a := c.work(); a.Code != 4 || !strings.Contains(a.Stderr, "quota") {
			t.Errorf("%v", a)
		}
		if c.published("acme/kms/ubuntu/dists/jammy/InRelease") != before {
			t.Error("something was published")
		}
		c.google.Recover()
		c.aws.Recover()
		if a := c.work(); a.Code != 0 {
			t.Errorf("%v", a)
		}
	})
	t.Run("a key that may not sign is named, and left out beside another", func(t *testing.T) {
		before := c.published("acme/kms/ubuntu/dists/jammy/InRelease")
		c.push("acme/kms/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64", Version: "4.0"}))
		c.aws.Fail(kmstest.Sign, kmstest.Refused, 1000)
		if a := c.work(); a.Code != 0 || !strings.Contains(a.Stderr, "grant kms:Sign") || !strings.Contains(a.Stderr, "ALARM") {
			t.Errorf("%v", a)
		}
		if c.published("acme/kms/ubuntu/dists/jammy/InRelease") == before {
			t.Error("nothing was published")
		}
		c.aws.Recover()
	})
	keyring := newFile(t, "gpgkey", []byte(c.published("acme/kms/gpgkey"))).path
	if a := c.run("check", c.dir+"/bucket", "--keyring", keyring); a.Code != 0 {
		t.Errorf("check: %v", a)
	}
}

// An AWS KMS that others wrote takes what is asked of it, and signs what clients verify.
func TestReleasesSignedByMinistack(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get", "dnf", "gpgv")
	c := newCompany(t, kmstest.Emulator(t))
	hello, greet := newDEB(t, debtest.Spec{Arch: "amd64"}), newRPM(t, rpmtest.Spec{})
	c.push("acme/kms/ubuntu/jammy", hello)
	c.push("acme/kms/el/9", greet)
	c.addKeys()
	c.signWithBoth()
	c.clients(t, hello, greet)
}

// clients reads what was published as apt, dnf and gpgv do.
func (c *company) clients(t *testing.T, deb, rpm packageFile) {
	t.Helper()
	a := newApt(t, "amd64")
	a.Source(t, "sources", c.published("acme/kms/ubuntu/jammy.sources"))
	a.Update(t)
	if got := a.versions(t, "hello"); len(got) != 1 || got[0] != "1.0" {
		t.Errorf("apt sees hello %q", got)
	}
	a.download(t, "hello")
	d := newDnf(t, c.published("acme/kms/el/9.repo"))
	if out := d.run(t, "makecache"); out.Code != 0 || !strings.Contains(out.Said(), "Importing GPG key") {
		t.Errorf("dnf makecache: %v", out)
	}
	d.ok(t, "download", "--destdir", d.dir+"/got", "hello")
	if got := digests(t, d.dir+"/got/*.rpm"); len(got) != 1 || got[0] != rpm.sha256() {
		t.Errorf("dnf downloaded %q", got)
	}
	block, err := armor.Decode(strings.NewReader(c.published("acme/kms/gpgkey")))
	if err != nil {
		t.Fatal(err)
	}
	var ring bytes.Buffer
	if _, err := ring.ReadFrom(block.Body); err != nil {
		t.Fatal(err)
	}
	keyring := newFile(t, "ring.gpg", ring.Bytes()).path
	const dists, repodata = "acme/kms/ubuntu/dists/jammy/", "acme/kms/el/9/x86_64/repodata/"
	for _, keys := range [][]string{{dists + "InRelease"}, {dists + "Release.gpg", dists + "Release"}, {repodata + "repomd.xml.asc", repodata + "repomd.xml"}} {
		args := []string{"--status-fd", "1", "--keyring", keyring}
		for _, key := range keys {
			args = append(args, filepath.Join(c.dir, "bucket", key))
		}
		out := proctest.Run(t, nil, "gpgv", args...)
		if out.Code != 0 || !strings.Contains(out.Stdout, "VALIDSIG "+c.awsKey) || !strings.Contains(out.Stdout, "VALIDSIG "+c.gcpKey) {
			t.Errorf("gpgv %q: %v", keys, out)
		}
	}
	if in := c.published(dists + "InRelease"); !strings.HasPrefix(in, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512,SHA256\n\n") {
		t.Errorf("InRelease begins with %.100q", in)
	}
	if body := c.published("acme/kms/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"); digest([]byte(body)) != deb.sha256() {
		t.Error("the package in the bucket has other bytes")
	}
}

func TestKeyAddRefuses(t *testing.T) {
	t.Parallel()
	c := newCompany(t, kmstest.StartAWS(t))
	bucket := []string{"--bucket", "file://" + c.dir + "/bucket"}
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"a file", []string{"file:///etc/key.asc"}, 2, "is not the URL of a key in a KMS"},
		{"a key that is not there", []string{c.aws.URL("00000000-0000-4000-8000-00000000dead")}, 1, "there is no such key in this region"},
		{"a key that encrypts", []string{c.google.URL(c.google.NewKey(kmspb.CryptoKeyVersion_GOOGLE_SYMMETRIC_ENCRYPTION))}, 1, "--purpose asymmetric-signing"},
		{"a KMS that is out of reach", []string{"awskms://alias/acme?region=eu-west-1&endpoint=http://127.0.0.1:1"}, 4, "cannot be reached"},
		{"a name of two lines", []string{c.awsURL, "--name", "a\nb"}, 1, "printable text"},
		{"no bucket", []string{c.awsURL, "--bucket", "ftp://x"}, 2, "--bucket"},
	} {
		a := c.run(append(append([]string{"key", "add"}, bucket...), tt.args...)...)
		if a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) || a.Stdout != "" {
			t.Errorf("%s: %v, want code %d and %q", tt.name, a, tt.code, tt.says)
		}
	}
	if found, err := filepath.Glob(c.dir + "/bucket/.repomill/signing-keys/*"); err != nil || len(found) > 0 {
		t.Errorf("there are public halves: %q, %v", found, err)
	}
}
