package sign_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/publish/sign"
)

// expiries returns when gpg says that the keys of a file expire, the primary key first; empty: never.
func expiries(t *testing.T, file []byte) (all []string) {
	t.Helper()
	for line := range strings.Lines(string(gpg(t, gpgHome(t), file, "--show-keys", "--with-colons"))) {
		if f := strings.Split(line, ":"); slices.Contains([]string{"pub", "sub", "sec", "ssb"}, f[0]) {
			all = append(all, f[6])
		}
	}
	return all
}

func TestExtend(t *testing.T) {
	t.Parallel()
	until := time.Now().AddDate(2, 0, 0).Truncate(time.Second)
	unix := fmt.Sprint(until.Unix())
	for _, tt := range []struct {
		name string
		make func(t *testing.T, home string)
		want []string
	}{
		{"an RSA key", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "rsa2048", "sign", "10d")
		}, []string{unix}},
		{"one that expired long ago", func(t *testing.T, home string) {
			gpg(t, home, nil, "--faked-system-time", "20240101T000000", "--quick-gen-key", "acme", "ed25519", "sign", "10d")
		}, []string{unix}},
		{"a passphrase", func(t *testing.T, home string) {
			gpg(t, home, nil, "--passphrase", passphrase, "--quick-gen-key", "acme", "ed25519", "sign", "10d")
		}, []string{unix}},
		{"two user ids", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "ed25519", "sign", "10d")
			gpg(t, home, nil, "--quick-add-uid", fingerprint(t, home), "acme, again")
		}, []string{unix}},
		{"a signing subkey that expires with it", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "ed25519", "cert", "10d")
			gpg(t, home, nil, "--quick-add-key", fingerprint(t, home), "ed25519", "sign", "10d")
		}, []string{unix, unix}},
		{"a subkey that never expires", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "ed25519", "cert", "10d")
			gpg(t, home, nil, "--quick-add-key", fingerprint(t, home), "ed25519", "sign", "never")
		}, []string{unix, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := gpgHome(t)
			tt.make(t, home)
			mine := gpg(t, home, nil, "--passphrase", passphrase, "--armor", "--export-secret-keys")
			file := slices.Concat([]byte("# first\n"), private(t, oldSigner()), []byte("# second\n"), mine, []byte("# end\n"))
			got, key, err := sign.Extend(file, [][]byte{[]byte(passphrase)}, fingerprint(t, home), until, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !key.Expires.Equal(until) || key.Fingerprint != fingerprint(t, home) {
				t.Errorf("%s expires %v", key.Fingerprint, key.Expires)
			}
			if all := expiries(t, key.Public); !slices.Equal(all, tt.want) {
				t.Errorf("gpg reads of the public key: %q, want %q", all, tt.want)
			}
			head, _, _ := bytes.Cut(file, []byte("# second\n"))
			if !bytes.HasPrefix(got, head) || !bytes.HasSuffix(got, []byte("-----\n# end\n")) {
				t.Error("what is beside the key has changed")
			}
			if s, err := sign.ReadLocked(got, [][]byte{[]byte(passphrase)}); err != nil || len(s.Fingerprints()) != 2 {
				t.Errorf("the file: %v", err)
			}
			if !sign.Later(key.Public, gpg(t, home, nil, "--armor", "--export")) {
				t.Error("the old public key is taken for later")
			}
			// gpg merges it into the key that it has, and continues to sign with the same protection.
			gpg(t, home, key.Public, "--import")
			fresh := gpgHome(t)
			gpg(t, fresh, got, "--passphrase", passphrase, "--import")
			clear := gpg(t, fresh, []byte(body), "--passphrase", passphrase, "--local-user", key.Fingerprint, "--digest-algo", "SHA512", "--clear-sign")
			if !run(judge(t, "gpgv"), "--keyring", gpgvKeyring(t, key.Public), write(t, t.TempDir(), "InRelease", clear)) {
				t.Error("gpgv refuses what the file signs")
			}
			if text := gpg(t, home, nil, "--list-keys", "--with-colons"); !strings.Contains(string(text), ":"+unix+":") {
				t.Errorf("gpg does not learn of it:\n%s", text)
			}
		})
	}
}

func TestExtendRefuses(t *testing.T) {
	t.Parallel()
	home := gpgHome(t)
	gpg(t, home, nil, "--passphrase", passphrase, "--quick-gen-key", "acme", "ed25519", "sign", "10d")
	file, name := gpg(t, home, nil, "--passphrase", passphrase, "--armor", "--export-secret-keys"), fingerprint(t, home)
	offline := gpgHome(t)
	gpg(t, offline, nil, "--quick-gen-key", "acme", "ed25519", "cert", "10d")
	gpg(t, offline, nil, "--quick-add-key", fingerprint(t, offline), "ed25519", "sign", "10d")
	year := time.Now().AddDate(1, 0, 0)
	for _, tt := range []struct {
		fact, want string
		file       []byte
		key        string
		until      time.Time
	}{
		{"no passphrase", "none is given", file, name, year},
		{"another key", "its private part is not in the file", private(t, oldSigner()), name, year},
		{"a key without expiry", "never expires", private(t, oldSigner()), oldSigner().Fingerprints()[0], year},
		{"a public key", "its private part is not in the file", gpg(t, home, nil, "--armor", "--export"), name, year},
		{"a primary key that is elsewhere", "kept elsewhere", gpg(t, offline, nil, "--armor", "--export-secret-subkeys"), fingerprint(t, offline), year},
		{"the past", "is past", gpg(t, offline, nil, "--armor", "--export-secret-keys"), fingerprint(t, offline), time.Now().Add(-time.Hour)},
		{"an earlier time", "already", gpg(t, offline, nil, "--armor", "--export-secret-keys"), fingerprint(t, offline), time.Now().AddDate(0, 0, 3)},
		{"two centuries", "later than an OpenPGP key can live", gpg(t, offline, nil, "--armor", "--export-secret-keys"), fingerprint(t, offline), time.Now().AddDate(200, 0, 0)},
	} {
		if _, _, err := sign.Extend(tt.file, nil, tt.key, tt.until, time.Now()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.fact, err, tt.want)
		}
	}
}

func TestExtendRemote(t *testing.T) {
	t.Parallel()
	until := time.Now().AddDate(1, 0, 0).Truncate(time.Second)
	for _, algo := range []string{"rsa2048", "ed25519"} { // moved into the KMS, as gpg made them
		home := gpgHome(t)
		gpg(t, home, nil, "--quick-gen-key", "acme", algo, "sign", "10d")
		e := must(openpgp.ReadArmoredKeyRing(bytes.NewReader(gpg(t, home, nil, "--armor", "--export-secret-keys"))))[0]
		r := remote{hash: crypto.SHA512}
		switch k := e.PrivateKey.PrivateKey.(type) {
		case *rsa.PrivateKey:
			r.Signer = k
		case *eddsa.PrivateKey:
			r.Signer = ed25519.NewKeyFromSeed(k.D)
		}
		public := gpg(t, home, nil, "--armor", "--export")
		key, err := sign.ExtendRemote(public, r, until, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := expiries(t, key.Public), []string{fmt.Sprint(until.Unix())}; !slices.Equal(got, want) || !key.Expires.Equal(until) {
			t.Errorf("%s: gpg reads %q, want %q", algo, got, want)
		}
		if _, err := sign.Attach(key.Public, r); err != nil {
			t.Error(err)
		}
		r.spy = func([]byte) ([]byte, error) { return make([]byte, 64), nil }
		if _, err := sign.ExtendRemote(public, r, until, time.Now()); err == nil {
			t.Errorf("%s: a wrong signature is taken", algo)
		}
		r.spy = func([]byte) ([]byte, error) { return nil, errors.New("out of order") }
		if _, err := sign.ExtendRemote(public, r, until, time.Now()); err == nil || !strings.Contains(err.Error(), "out of order") {
			t.Errorf("%s: %v", algo, err)
		}
		if _, err := sign.ExtendRemote(public, remotes()["P-256"], until, time.Now()); err == nil || !strings.Contains(err.Error(), "kept elsewhere") {
			t.Errorf("%s, with another key: %v", algo, err)
		}
	}
}

// A signer goes by what the owner of a key signed last, wherever that was.
func TestWithLaterPublicKeys(t *testing.T) {
	t.Parallel()
	home := gpgHome(t)
	gpg(t, home, nil, "--faked-system-time", "20240101T000000", "--quick-gen-key", "acme", "ed25519", "sign", "10d")
	file := gpg(t, home, nil, "--armor", "--export-secret-keys")
	until := time.Now().AddDate(1, 0, 0).Truncate(time.Second)
	_, key, err := sign.Extend(file, nil, fingerprint(t, home), until, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := must(sign.Read(file))
	if _, err := s.Clear([]byte(body), time.Now()); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("by the file: %v", err)
	}
	later := s.With(oldSigner().Public(), key.Public)
	if end := described(t, later).Expires; !end.Equal(until) || !bytes.Equal(later.Public(), key.Public) {
		t.Errorf("it expires %v", end)
	}
	if _, err := keyring(t, key.Public).VerifyClear(must(later.Clear([]byte(body), time.Now()))); err != nil {
		t.Error(err)
	}
	if end := described(t, later.With(s.Public())).Expires; !end.Equal(until) {
		t.Errorf("an older public key counts: it expires %v", end)
	}
}
