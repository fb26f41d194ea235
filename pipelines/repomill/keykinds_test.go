package main_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"repomill/publish/sign"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// newKey makes a private key of a kind, and returns it, armoured, and its fingerprint.
func newKey(t *testing.T, c *packet.Config) (private []byte, fingerprint string) {
	t.Helper()
	e, err := openpgp.NewEntity("a test's", "", "", c)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.PrivateKeyType, nil, true)
	if err == nil {
		err = errors.Join(e.SerializePrivateWithoutSigning(w, nil), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := sign.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), s.Fingerprints()[0]
}

// siteWith starts a site with private keys, of which the first signs, and publishes for EL 7 and EL 9.
func siteWith(t *testing.T, private ...[]byte) *site {
	t.Helper()
	data := proctest.OpenDir(t)
	if err := os.WriteFile(data+"/signing-key.asc", bytes.Join(private, []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := restart(t, data)
	for _, d := range []string{"el/7", "el/9"} {
		s.publish(t, "acme/tools/"+d, newRPM(t, rpmtest.Spec{Version: "1.0", Arch: "noarch"}))
	}
	return s
}

// yum of EL 7 reads RSA alone. A key of another kind may sign beside one of RSA, and not without it.
func TestAKeyThatSomeClientsCannotRead(t *testing.T) {
	t.Parallel()
	rsa, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sign.Read(rsa)
	if err != nil {
		t.Fatal(err)
	}
	old := signer.Fingerprints()[0]
	eddsa, next := newKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	s := siteWith(t, rsa, eddsa)
	const unread = "it is Ed25519, of which clients of el/7 read no signature"
	for _, command := range []string{"status", "plan", "list"} {
		s.key(t, 0, command).Wants(t, unread, "el/9")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	s = restart(t, s.data)
	s.logs(t, unread)
	if log := s.Stderr.String(); strings.Contains(log, "ALARM") {
		t.Errorf("a start logs %s", log)
	}
	s.key(t, 0, "promote", next, "--force")
	s.key(t, 1, "retire", old).Wants(t, "without key "+old+", clients of el/7 read no signature", "el/9")
	s.key(t, 0, "retire", "--force", next)
}

// What EL 7 reads is the first signature.
func TestKeysThatNoneOfSomeClientsCanRead(t *testing.T) {
	t.Parallel()
	eddsa, first := newKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	ecdsa, second := newKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256})
	rsa, third := newKey(t, &packet.Config{RSABits: 2048})
	s := siteWith(t, eddsa, ecdsa, rsa)
	s.key(t, 1, "status").Wants(t, "clients of el/7 refuse every release", "el/9")
	s.key(t, 1, "promote", second, "--overlap", "1s").Wants(t, "is ECDSA P256, and clients of el/7 would still have no signature that they can read", "el/9")
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	s = restart(t, s.data)
	s.logs(t, "ALARM: clients read no signature of what is published")
	s.key(t, 0, "promote", third, "--force")
	s.key(t, 1, "status").Wants(t, "refuse every release", "el/9") // it signs behind the other one
	s.key(t, 0, "retire", "--force", first)
	s.key(t, 0, "status").Wants(t, "notice: key "+third+" (signing): it is RSA 2048, which apt refuses from 2030-02-01 on", "refuse every release")
}
