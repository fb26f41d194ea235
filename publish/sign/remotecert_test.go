package sign_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/publish/sign"
)

func TestAttachRefuses(t *testing.T) {
	r := remotes()["RSA with SHA-512"]
	other := attach(t, remotes()["P-256"], "other")
	for _, tt := range []struct {
		name   string
		public []byte
		want   string
	}{
		{"the public half of another key", other.Public(), "another key"},
		{"two certificates", must(join(attach(t, r, "acme"), other)), "2 keys"},
		{"what is no key", []byte("junk"), "read public half"},
	} {
		if _, err := sign.Attach(tt.public, r); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign.Certify(remote{Signer: weak, hash: crypto.SHA512}, "acme", time.Now()); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("RSA with 1024 bits: %v", err)
	}
	if _, err := sign.Certify(r, "acme\nroot", time.Now()); err == nil {
		t.Error("a user id of two lines was taken")
	}
}

func join(signers ...*sign.Signer) ([]byte, error) {
	s, err := sign.Join(signers...)
	if err != nil {
		return nil, err
	}
	return s.Public(), nil
}

// A key that moves from a file into a KMS keeps its certificate: clients notice nothing.
func TestAttachKeepsCertificateOfMovedKey(t *testing.T) {
	home := gpgHome(t)
	gpg(t, home, nil, "--quick-gen-key", "acme <a@example.org>", "rsa2048", "cert", "never")
	gpg(t, home, nil, "--quick-add-key", fingerprint(t, home), "rsa2048", "sign", "never")
	armored := gpg(t, home, nil, "--armor", "--export-secret-keys")
	file, err := sign.Read(armored)
	if err != nil {
		t.Fatal(err)
	}
	moved := remote{Signer: secret(t, armored, 1), hash: crypto.SHA512}
	s, err := sign.Attach(file.Public(), moved)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(time.Second)
	if a, b := must(file.Clear([]byte(body), at)), must(s.Clear([]byte(body), at)); !bytes.Equal(a, b) {
		t.Errorf("the file and the KMS sign differently:\n%s\n%s", a, b)
	}
	if !sign.IsOf(file.Public(), moved) || sign.IsOf(oldSigner().Public(), moved) {
		t.Error("IsOf does not know the certificate of the key")
	}
	parts, err := sign.Split(must(join(oldSigner(), file)))
	if err != nil || len(parts) != 2 || !bytes.Equal(parts[1], file.Public()) || !bytes.Equal(parts[0], oldSigner().Public()) {
		t.Errorf("Split: %d parts, %v", len(parts), err)
	}
}

// secret returns the RSA key of an exported certificate: its primary key, or a subkey.
func secret(t *testing.T, armored []byte, n int) crypto.Signer {
	t.Helper()
	list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(armored))
	if err != nil {
		t.Fatal(err)
	}
	keys := []*packet.PrivateKey{list[0].PrivateKey}
	for _, s := range list[0].Subkeys {
		keys = append(keys, s.PrivateKey)
	}
	return keys[n].PrivateKey.(*rsa.PrivateKey)
}
