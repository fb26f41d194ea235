package deb_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/pgp"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/pgptest"
)

// keys are those of a repository.
type keys struct{ ring *pgp.Ring }

func (k keys) Signature(packet []byte) (deb.Signature, error) {
	s, err := k.ring.Signature(pgp.Dearmor(packet), time.Now())
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (k keys) Unsigned(what string) error { return k.ring.Unsigned(catalog.DEB, what) }

// readSigned reads a package that needs a signature by k, in small pieces.
func readSigned(t *testing.T, b []byte, k *pgptest.Key) (signer string, err error) {
	t.Helper()
	ring, err := pgp.Read(catalog.Repository{Owner: "acme", Name: "tools"}, []catalog.PackageKey{k.Package(t)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := deb.Peek(iotest.HalfReader(bytes.NewReader(b)))
	if err != nil {
		return "", err
	}
	defer p.Close()
	p.RequireSigned(keys{ring})
	got, err := io.ReadAll(p.Body())
	if err == nil && !bytes.Equal(got, b) {
		t.Error("the body is another")
	}
	for _, packet := range p.SignaturePackets() {
		signer = pgp.Signer(pgp.Dearmor(packet))
	}
	return signer, err
}

func TestSignedPackages(t *testing.T) {
	made := time.Now().Add(-24 * time.Hour)
	k, stranger := pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: made}), pgptest.New(t, pgptest.Options{Kind: pgptest.EdDSA, Made: made})
	by := func(k *pgptest.Key, version int, hash crypto.Hash) func([]byte) []byte {
		return func(b []byte) []byte { return k.Sign(t, version, hash, made.Add(time.Hour), b) }
	}
	odd := debtest.Build(t, debtest.Spec{Size: 100_001, Data: "gz"}) // members of odd sizes among them
	plain := debtest.Build(t, debtest.Spec{Size: 3000})
	moved := func(b []byte, to int) []byte {
		m := debtest.Members(t, debtest.Sign(t, b, by(k, 4, crypto.SHA256)))
		return debtest.Ar(slices.Insert(m[:len(m)-1:len(m)-1], to, m[len(m)-1])...)
	}
	with := func(name string, body []byte) []byte {
		return debtest.Ar(append(debtest.Members(t, plain), debtest.Member{Name: name, Body: body})...)
	}
	for _, tt := range []struct {
		name string
		deb  []byte
		want catalog.Reason
	}{
		{"signed", debtest.Sign(t, plain, by(k, 4, crypto.SHA256)), ""},
		{"signed, with padding", debtest.Sign(t, odd, by(k, 4, crypto.SHA512)), ""},
		{"signed with SHA-384", debtest.Sign(t, plain, by(k, 4, crypto.SHA384)), ""},
		{"signed with SHA-224", debtest.Sign(t, plain, by(k, 4, crypto.SHA224)), ""},
		{"signed by an old gpg", debtest.Sign(t, plain, by(k, 3, crypto.SHA256)), ""},
		{"the signature before control.tar", moved(plain, 1), ""},
		{"the signature before data.tar", moved(plain, 2), ""},
		{"other members besides", debtest.Ar(append(debtest.Members(t, debtest.Sign(t, plain, by(k, 4, crypto.SHA256))), debtest.Member{Name: "_gpgbuilder", Body: []byte("x")})...), ""},
		{"no signature", plain, catalog.Unsigned},
		{"a signature of another role", with("_gpgmaint", by(k, 4, crypto.SHA256)(nil)), catalog.Unsigned},
		{"an empty signature", with("_gpgorigin", nil), catalog.BadSignature},
		{"no signature in it", with("_gpgorigin", bytes.Repeat([]byte("x"), 100_000)), catalog.BadSignature},
		{"a stranger's", debtest.Sign(t, plain, by(stranger, 4, crypto.SHA256)), catalog.UnknownSigner},
		{"damaged", debtest.Sign(t, plain, func(b []byte) []byte { return pgptest.Damaged(by(k, 4, crypto.SHA256)(b)) }), catalog.BadSignature},
		{"of all but debian-binary", debtest.Sign(t, plain, func(b []byte) []byte { return by(k, 4, crypto.SHA256)(b[4:]) }), catalog.BadSignature},
		{"of all but the last byte", debtest.Sign(t, plain, func(b []byte) []byte { return by(k, 4, crypto.SHA256)(b[:len(b)-1]) }), catalog.BadSignature},
	} {
		signer, err := readSigned(t, tt.deb, k)
		rej, _ := errors.AsType[*catalog.Rejection](err)
		switch {
		case tt.want == "" && (err != nil || signer != k.Fingerprint() && signer != k.Fingerprint()[24:]):
			t.Errorf("%s: %v, by %q", tt.name, err, signer)
		case tt.want != "" && (rej == nil || rej.Reason != tt.want || !strings.Contains(rej.Detail, k.Fingerprint())):
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// What gpg signs as debsigs has it sign is good, armoured or not, and debsig-verify, where it is installed, finds the same.
func TestGpgSigns(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("no gpg to sign with")
	}
	home := t.TempDir()
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() }) //nolint:errcheck // it may have ended
	gpg := func(stdin []byte, args ...string) []byte {
		return output(t, stdin, "gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	}
	package5001 := debtest.Build(t, debtest.Spec{Size: 5001})
	for _, algorithm := range []string{"rsa2048", "ed25519", "nistp256"} {
		gpg(nil, "--quick-gen-key", algorithm, algorithm, "sign", "never")
		public := gpg(nil, "--armor", "--export", algorithm)
		ring, err := pgp.Read(catalog.Repository{Owner: "acme", Name: "tools"}, []catalog.PackageKey{{ID: algorithm, Armor: string(public)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			options []string
			change  func([]byte) []byte
			good    bool
		}{
			{[]string{"--digest-algo", "SHA512"}, bytes.Clone, true},
			{[]string{"--digest-algo", "SHA512", "--armor"}, bytes.Clone, true},
			{[]string{"--digest-algo", "SHA384"}, bytes.Clone, true},
			{[]string{"--digest-algo", "SHA512"}, func(b []byte) []byte { return append([]byte("x"), b...) }, false},
		} {
			b := debtest.Sign(t, package5001, func(content []byte) []byte {
				return gpg(tt.change(content), append([]string{"--openpgp", "--local-user", algorithm, "--detach-sign"}, tt.options...)...)
			})
			p, err := deb.Peek(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			p.RequireSigned(keys{ring})
			if _, err := io.Copy(io.Discard, p.Body()); (err == nil) != tt.good {
				t.Errorf("%s %v: %v", algorithm, tt.options, err)
			}
			p.Close() //nolint:errcheck // never fails
			if _, err := exec.LookPath("debsig-verify"); err == nil && debsigVerify(t, b, gpg(nil, "--export", algorithm), string(gpg(nil, "--list-keys", "--with-colons", algorithm))) != tt.good {
				t.Errorf("%s %v: debsig-verify finds something else", algorithm, tt.options)
			}
		}
	}
}

func output(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return out
}

// debsigVerify reports whether debsig-verify takes a package, by a policy that asks for the key. The listing has its ID.
func debsigVerify(t *testing.T, b, keyring []byte, listing string) bool {
	t.Helper()
	_, rest, _ := strings.Cut(listing, "\nfpr:::::::::")
	fingerprint, _, _ := strings.Cut(rest, ":")
	id := fingerprint[24:]
	required := `<Required Type="origin" File="key.gpg" id="` + id + `"/>`
	dir := t.TempDir()
	for name, body := range map[string]string{
		"package.deb":          string(b),
		"k/" + id + "/key.gpg": string(keyring),
		"p/" + id + "/a.pol": `<?xml version="1.0"?><Policy xmlns="https://www.debian.org/debsig/1.0/"><Origin Name="acme" id="` + id + `" Description="acme"/>` +
			`<Selection>` + required + `</Selection><Verification MinOptional="0">` + required + `</Verification></Policy>`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return exec.Command("debsig-verify", "--policies-dir", dir+"/p", "--keyrings-dir", dir+"/k", dir+"/package.deb").Run() == nil
}
