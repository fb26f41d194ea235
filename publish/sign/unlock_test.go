package sign_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/publish/sign"
)

const passphrase = "correct horse, battery staple"

// lockedBy returns a private key that gpg has protected in some way.
func lockedBy(t *testing.T, algo string, options ...string) []byte {
	t.Helper()
	home := gpgHome(t)
	gpg(t, home, nil, "--passphrase", passphrase, "--quick-gen-key", "acme", algo, "sign", "never")
	return gpg(t, home, nil, append(options, "--passphrase", passphrase, "--armor", "--export-secret-keys")...)
}

// lockedInAEAD returns a private key protected as RFC 9580 has it, which gpg 2.2 does not make.
func lockedInAEAD(t *testing.T) []byte {
	t.Helper()
	c := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, AEADConfig: &packet.AEADConfig{DefaultMode: packet.AEADModeOCB}, S2KConfig: &s2k.Config{S2KMode: s2k.Argon2S2K}}
	e := must(openpgp.NewEntity("acme", "", "", c))
	if err := e.EncryptPrivateKeys([]byte(passphrase), c); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := must(armor.EncodeWithChecksumOption(&b, openpgp.PrivateKeyType, nil, true))
	if err := e.SerializePrivateWithoutSigning(w, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadLockedOpensProtectedKeys(t *testing.T) {
	t.Parallel()
	right := must(sign.Passphrases([]byte("another one\r\n\n" + passphrase + "\n")))
	wrong := [][]byte{[]byte("Correct horse, battery staple"), []byte(passphrase + " ")}
	for name, file := range map[string][]byte{
		"RSA, as gpg makes it":            lockedBy(t, "rsa2048"),
		"Ed25519, AES-256 and SHA-512":    lockedBy(t, "ed25519", "--s2k-cipher-algo", "AES256", "--s2k-digest-algo", "SHA512"),
		"OCB under a key made by Argon2":  lockedInAEAD(t),
		"a key that this program locked":  must(oldSigner().Lock([]byte(passphrase))),
		"one of two, behind another text": slices.Concat([]byte("# keys\n"), lockedBy(t, "ed25519")),
	} {
		s, err := sign.ReadLocked(file, right)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		signed, err := s.Clear([]byte(body), time.Now().Add(time.Second))
		if err != nil || must(keyring(t, s.Public()).VerifyClear(signed)) == nil {
			t.Errorf("%s: it does not sign: %v", name, err)
		}
		if _, err := sign.ReadLocked(file, wrong); err == nil || !strings.Contains(err.Error(), "none in the file of --signing-key-passphrase-file opens it") {
			t.Errorf("%s, with others: got %v", name, err)
		}
		if _, err := sign.Read(file); err == nil || !strings.Contains(err.Error(), "none is given: write it into a file, and name that with --signing-key-passphrase-file") {
			t.Errorf("%s, without any: got %v", name, err)
		}
	}
}

// A key that stays closed stops nothing while another one is open.
func TestReadLockedSkipsLockedKeys(t *testing.T) {
	t.Parallel()
	file := slices.Concat(lockedBy(t, "ed25519"), private(t, oldSigner()))
	for want, passphrases := range map[string][][]byte{"none is given": nil, "none in the file": {[]byte("wrong")}} {
		s, err := sign.ReadLocked(file, passphrases)
		if err != nil {
			t.Fatal(err)
		}
		if u := s.Unfit(); len(u) != 1 || !strings.Contains(u[0].Why.Error(), want) || !slices.Equal(s.Fingerprints(), oldSigner().Fingerprints()) {
			t.Errorf("unfit %v, want %q", u, want)
		}
	}
	if s, err := sign.ReadLocked(file, [][]byte{[]byte(passphrase)}); err != nil || len(s.Unfit()) != 0 || len(s.Fingerprints()) != 2 {
		t.Errorf("with the passphrase: %v", err)
	}
}

func TestGpgOpensLockedKeys(t *testing.T) {
	home := gpgHome(t)
	gpg(t, home, must(oldSigner().Lock([]byte(passphrase))), "--passphrase", passphrase, "--import")
	detached := gpg(t, home, []byte(body), "--passphrase", passphrase, "--armor", "--digest-algo", "SHA512", "--detach-sign")
	if err := keyring(t, oldSigner().Public()).VerifyDetached([]byte(body), detached); err != nil {
		t.Error(err)
	}
}

func TestPassphrases(t *testing.T) {
	for _, text := range []string{"", "\n\r\n"} {
		if _, err := sign.Passphrases([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
