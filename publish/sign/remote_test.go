package sign_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
)

// remote stands for a key that is kept elsewhere. It signs one digest alone, as a KMS does.
type remote struct {
	crypto.Signer
	hash crypto.Hash
	spy  func(digest []byte) ([]byte, error) // instead of the key, if set
}

func (r remote) Hash() crypto.Hash { return r.hash }

func (r remote) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if r.spy != nil {
		return r.spy(digest)
	}
	want := r.hash
	if _, ok := r.Public().(ed25519.PublicKey); ok {
		want = 0
	}
	if opts.HashFunc() != want || len(digest) != r.hash.Size() {
		return nil, errors.New("another digest was asked for")
	}
	return r.Signer.Sign(rand.Reader, digest, opts)
}

var remotes = sync.OnceValue(func() map[string]remote {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	key := func(s crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return s
	}
	ec := func(c elliptic.Curve) crypto.Signer { return key(ecdsa.GenerateKey(c, rand.Reader)) }
	bits := func(n int) crypto.Signer { return key(rsa.GenerateKey(rand.Reader, n)) }
	return map[string]remote{
		"RSA with SHA-512": {Signer: bits(2048), hash: crypto.SHA512},
		"RSA with SHA-256": {Signer: bits(3072), hash: crypto.SHA256},
		"P-256":            {Signer: ec(elliptic.P256()), hash: crypto.SHA256},
		"P-384":            {Signer: ec(elliptic.P384()), hash: crypto.SHA384},
		"P-521":            {Signer: ec(elliptic.P521()), hash: crypto.SHA512},
		"Ed25519":          {Signer: ed, hash: crypto.SHA512},
	}
})

func attach(t *testing.T, r sign.Remote, name string) *sign.Signer {
	t.Helper()
	public, err := sign.Certify(r, name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := sign.Attach(public, r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(public), string(s.Public())); diff != "" {
		t.Errorf("the public half changed (-made +attached):\n%s", diff)
	}
	return s
}

// judges lets gpgv, sqv and our own keyring judge what a signer signs, with a ring of all its keys and of each alone.
func judges(t *testing.T, s *sign.Signer, header string) {
	t.Helper()
	dir := t.TempDir()
	file := write(t, dir, "body", []byte(body))
	signed := must(s.Clear([]byte(body), time.Now()))
	clear := write(t, dir, "InRelease", signed)
	sig := must(s.Detach([]byte(body), time.Now()))
	detached := write(t, dir, "Release.gpg", sig)
	if got := strings.Split(string(signed), "\n")[1]; got != header {
		t.Errorf("the message begins with %q, want %q", got, header)
	}
	all := keyring(t, s.Public())
	if got, err := all.VerifyClear(signed); err != nil || string(got) != body {
		t.Errorf("VerifyClear: %q, %v", got, err)
	}
	if err := all.VerifyDetached([]byte(body), sig); err != nil {
		t.Errorf("VerifyDetached: %v", err)
	}
	ring, out := gpgvKeyring(t, s.Public()), filepath.Join(dir, "out")
	gpgv := judge(t, "gpgv")
	if got := gpgvSays(gpgv, "--keyring", ring, "--output", out, clear); got != good {
		t.Errorf("gpgv says %+v of the cleartext signature", got)
	}
	if got := gpgvSays(gpgv, "--keyring", ring, detached, file); got != good {
		t.Errorf("gpgv says %+v of the detached signature", got)
	}
	if sqv, err := exec.LookPath("sqv"); err == nil && !run(sqv, "--keyring", write(t, dir, "key.asc", s.Public()), detached, file) {
		t.Error("sqv refuses the detached signature")
	}
	if bad := write(t, dir, "bad", bytes.Replace(signed, []byte("jammy"), []byte("noble"), 1)); gpgvSays(gpgv, "--keyring", ring, bad).exit == 0 {
		t.Error("gpgv takes a tampered body")
	}
}

func TestRemoteSignaturesVerify(t *testing.T) {
	headers := map[string]string{"P-256": "SHA256", "P-384": "SHA384", "RSA with SHA-256": "SHA256"}
	for name, r := range remotes() {
		t.Run(name, func(t *testing.T) {
			header := headers[name]
			if header == "" {
				header = "SHA512"
			}
			s := attach(t, r, "acme "+name)
			judges(t, s, "Hash: "+header)
			if _, err := s.Private(); err == nil {
				t.Error("it gave away a private key")
			}
			listing := string(gpg(t, gpgHome(t), s.Public(), "--show-keys", "--with-colons"))
			if !strings.Contains(listing, "fpr:::::::::"+s.Fingerprints()[0]+":") || !strings.Contains(listing, ":acme "+name+":") {
				t.Errorf("gpg --show-keys says:\n%s", listing)
			}
		})
	}
}

func TestJoinSignsWithRemoteAndLocalKeys(t *testing.T) {
	sha256 := attach(t, remotes()["RSA with SHA-256"], "kms")
	for _, tt := range []struct {
		name    string
		signers []*sign.Signer
		header  string
	}{
		{"a file first", []*sign.Signer{oldSigner(), sha256}, "Hash: SHA512,SHA256"},
		{"a file last", []*sign.Signer{sha256, oldSigner()}, "Hash: SHA256,SHA512"},
		{"a digest that two have", []*sign.Signer{oldSigner(), attach(t, remotes()["RSA with SHA-512"], "kms 2"), attach(t, remotes()["P-384"], "kms 3")}, "Hash: SHA512,SHA384"},
		{"a file of two keys", []*sign.Signer{both(t), sha256}, "Hash: SHA512,SHA256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sign.Join(tt.signers...)
			if err != nil {
				t.Fatal(err)
			}
			judges(t, s, tt.header)
			var want []string
			for _, one := range tt.signers {
				want = append(want, one.Fingerprints()...)
				if got := gpgvSays(judge(t, "gpgv"), "--keyring", gpgvKeyring(t, one.Public()),
					write(t, t.TempDir(), "InRelease", must(s.Clear([]byte(body), time.Now())))); !got.good || got.bad {
					t.Errorf("gpgv says %+v to a client that has the key %s alone", got, one.Fingerprints())
				}
			}
			if diff := cmp.Diff(want, s.Fingerprints()); diff != "" {
				t.Errorf("fingerprints (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := sign.Join(oldSigner(), both(t)); err == nil {
		t.Error("one key was joined twice")
	}
	if _, err := sign.Join(); err == nil {
		t.Error("no keys were joined")
	}
}

// The numbers of a signature lose their leading zeros in OpenPGP, which a KMS sends.
func TestSignatureWithLeadingZeros(t *testing.T) {
	r := remotes()["RSA with SHA-512"]
	s := attach(t, r, "acme")
	zeros := false
	r.spy = func(digest []byte) ([]byte, error) {
		sig, err := r.Signer.Sign(nil, digest, crypto.SHA512)
		zeros = zeros || err == nil && sig[0] == 0
		return sig, err
	}
	spied, err := sign.Attach(s.Public(), r)
	if err != nil {
		t.Fatal(err)
	}
	ring := gpgvKeyring(t, s.Public())
	for at := time.Now(); !zeros; at = at.Add(-time.Second) {
		signed := must(spied.Clear([]byte(body), at))
		if zeros && gpgvSays(judge(t, "gpgv"), "--keyring", ring, write(t, t.TempDir(), "InRelease", signed)) != good {
			t.Error("gpgv refuses a signature that began with zeros")
		}
	}
}

func TestWrongRemoteSignatureIsRefused(t *testing.T) {
	refused := errors.New("permission cloudkms.cryptoKeyVersions.useToSign denied")
	for name, r := range remotes() {
		t.Run(name, func(t *testing.T) {
			public := attach(t, r, "acme").Public()
			for _, tt := range []struct {
				name string
				spy  func(digest []byte) ([]byte, error)
				want string
			}{
				{"it refuses", func([]byte) ([]byte, error) { return nil, refused }, refused.Error()},
				{"it signs something else", func(d []byte) ([]byte, error) {
					opts := crypto.SignerOpts(r.hash)
					if name == "Ed25519" {
						opts = crypto.Hash(0)
					}
					return r.Signer.Sign(rand.Reader, append([]byte{^d[0]}, d[1:]...), opts)
				}, "does not verify with its public half"},
				{"it sends junk", func([]byte) ([]byte, error) { return []byte("junk"), nil }, ""},
				{"it sends nothing", func([]byte) ([]byte, error) { return nil, nil }, ""},
			} {
				r.spy = tt.spy
				s, err := sign.Attach(public, r)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := s.Detach([]byte(body), time.Now()); err == nil || got != nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: Detach gave %d bytes, %v", tt.name, len(got), err)
				}
				if got, err := s.Clear([]byte(body), time.Now()); err == nil || got != nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: Clear gave %d bytes, %v", tt.name, len(got), err)
				}
				if got, err := sign.Certify(r, "acme", time.Now()); err == nil || got != nil {
					t.Errorf("%s: Certify gave %d bytes, %v", tt.name, len(got), err)
				}
			}
		})
	}
}
