package sign_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
)

// fingerprints returns those of signers with one key each.
func fingerprints(all ...*sign.Signer) (f []string) {
	for _, s := range all {
		f = append(f, s.Fingerprints()...)
	}
	return f
}

func TestOnly(t *testing.T) {
	s, want := both(t), fingerprints(newSigner(), oldSigner())
	only := s.Only(append([]string{"0123"}, want...))
	if diff := cmp.Diff(want, only.Fingerprints()); diff != "" {
		t.Errorf("fingerprints (-want +got):\n%s", diff)
	}
	signers, err := keyring(t, s.Public()).SignersClear(must(only.Clear([]byte(body), now)))
	if diff := cmp.Diff(want, signers); diff != "" || err != nil {
		t.Errorf("signers, %v (-want +got):\n%s", err, diff)
	}
	if one := s.Only(want[:1]); !bytes.Equal(one.Public(), newSigner().Public()) {
		t.Error("the public key of one of them is another")
	}
	if none := s.Only([]string{"0123"}); none != nil {
		t.Error("a signer without a key")
	}
}

// libzypp judges by the last signature, yum of EL7 by the first.
func TestDetachRPMRepeatsFirstSignature(t *testing.T) {
	old, new := oldSigner(), newSigner()
	for name, tt := range map[string]struct {
		signer *sign.Signer
		want   []string
	}{
		"one key":  {old, fingerprints(old)},
		"two keys": {both(t), fingerprints(old, new, old)},
	} {
		sig := must(tt.signer.DetachRPM([]byte(body), now))
		got, err := keyring(t, both(t).Public()).SignersDetached([]byte(body), sig)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", name, err, diff)
		}
		file, sigFile := write(t, t.TempDir(), "repomd.xml", []byte(body)), write(t, t.TempDir(), "repomd.xml.asc", sig)
		if !run(judge(t, "gpgv"), "--keyring", gpgvKeyring(t, both(t).Public()), sigFile, file) {
			t.Errorf("%s: gpgv refuses", name)
		}
	}
}

func TestReadIgnoresUnfitKeys(t *testing.T) {
	home := gpgHome(t)
	gpg(t, home, nil, "--faked-system-time", "20240101T000000", "--quick-gen-key", "acme", "rsa2048", "sign", "10d")
	expired := gpg(t, home, nil, "--armor", "--export-secret-keys")
	weak := gpgHome(t)
	gpg(t, weak, nil, "--quick-gen-key", "acme", "rsa1024", "sign", "never")
	s, err := sign.Read(slices.Concat(expired, gpg(t, weak, nil, "--armor", "--export-secret-keys"), private(t, oldSigner())))
	if err != nil {
		t.Fatal(err)
	}
	if unfit := s.Unfit(); len(unfit) != 1 || unfit[0].Fingerprint != fingerprint(t, weak) || !strings.Contains(unfit[0].Why.Error(), "1024 bits") {
		t.Errorf("unfit: %v", unfit)
	}
	got, err := keyring(t, s.Public()).SignersClear(must(s.Clear([]byte(body), now)))
	if diff := cmp.Diff(fingerprints(oldSigner()), got); diff != "" || err != nil {
		t.Errorf("signed after one has expired, %v (-want +got):\n%s", err, diff)
	}
	if _, err := s.Clear([]byte(body), now.AddDate(-2, 0, 0)); err == nil {
		t.Error("signed before any of the keys was made")
	}
}

// dnf5 of Fedora 43 and zypper with rpm 4.20 refuse signatures by subkeys.
func TestReadPrefersPrimaryKey(t *testing.T) {
	for usage, subkey := range map[string]bool{"sign": false, "cert": true} {
		t.Run(usage, func(t *testing.T) {
			t.Parallel()
			home := gpgHome(t)
			gpg(t, home, nil, "--faked-system-time", "20250101T000000", "--quick-gen-key", "acme", "ed25519", usage, "never")
			gpg(t, home, nil, "--quick-add-key", fingerprint(t, home), "rsa2048", "sign", "never")
			s, err := sign.Read(gpg(t, home, nil, "--armor", "--export-secret-keys"))
			if err != nil {
				t.Fatal(err)
			}
			k := described(t, s)
			if want := map[bool]string{false: "Ed25519", true: "RSA 2048"}[subkey]; k.Subkey != subkey || k.Algorithm != want || k.Fingerprint != fingerprint(t, home) {
				t.Errorf("got %s, subkey %v", k.Algorithm, k.Subkey)
			}
			signed := must(s.Clear([]byte(body), time.Now().Add(time.Second)))
			if !run(judge(t, "gpgv"), "--keyring", gpgvKeyring(t, s.Public()), write(t, t.TempDir(), "InRelease", signed)) {
				t.Error("gpgv refuses")
			}
		})
	}
}

// rpm calls a key that it imported by its ID and its time.
func TestRPMName(t *testing.T) {
	k := described(t, oldSigner())
	id := strings.ToLower(k.Fingerprint[len(k.Fingerprint)-8:])
	if want := "gpg-pubkey-" + id + "-67c67c2f"; k.RPMName() != want { // an hour before now
		t.Errorf("got %s, want %s", k.RPMName(), want)
	}
	again, err := sign.ReadPublic(both(t).Public())
	if diff := cmp.Diff([]sign.Key{k, described(t, newSigner())}, again); diff != "" || err != nil {
		t.Errorf("read from public keys, %v (-want +got):\n%s", err, diff)
	}
}
