package pipelines_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/google/go-cmp/cmp"

	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/testdata/kmstest"
	"repomill/testdata/rpmtest"
)

// signers returns who signed what clients see of a DEB release.
func (s *site) signers(r catalog.Release) []string {
	s.t.Helper()
	set, _ := s.Keys()
	public, err := keys.Public(set.Keys)
	must(s.t, err)
	ring, err := sign.ReadKeyring(public)
	must(s.t, err)
	all, err := ring.SignersClear([]byte(s.pointer(r)))
	must(s.t, err)
	return all
}

// One of two keys is in a KMS, and that fails: the other one, which clients know, signs on alone.
func TestAKeyThatFailsIsLeftOut(t *testing.T) {
	t.Parallel()
	g := kmstest.StartGoogle(t)
	name := g.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256)
	s := kmsSite(t, true, g.URL(name))
	must(t, s.CheckKey(t.Context()))
	set, signing := s.Keys()
	file, remote := signing[0], set.With(keys.Standby)[0].Fingerprint
	s.ingest(s.batch(s.putDebs(jammy, "first", 1)...))
	_, err := keys.Change(t.Context(), s.Bucket, func(set *keys.Set) error { return set.Promote(remote, time.Now()) })
	must(t, err)
	must(t, s.RefreshKeys(t.Context()))
	now := time.Now()
	for _, tt := range []struct {
		name        string
		spoil, mend func()
	}{
		{"it signs something else", func() { g.Fail(kmstest.Sign, kmstest.Wrong, 1000) }, g.Recover},
		{"it refuses", func() { g.Fail(kmstest.Sign, kmstest.Refused, 1000) }, g.Recover},
		{"it was disabled", func() { g.SetState(name, kmspb.CryptoKeyVersion_DISABLED) }, func() { g.SetState(name, kmspb.CryptoKeyVersion_ENABLED) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			step := strings.ReplaceAll(tt.name, " ", "")
			s.ingest(s.batch(s.putDebs(jammy, "with"+step, 1)...))
			if diff := cmp.Diff([]string{file, remote}, s.signers(jammy)); diff != "" {
				t.Fatalf("before (-want +got):\n%s", diff)
			}
			tt.spoil()
			u := s.putDebs(jammy, step, 1)
			s.ingest(s.batch(append(u, s.put("acme/tools/el/9/"+step+".rpm", rpmtest.Build(t, rpmtest.Spec{Name: step})))...))
			if got := s.state(u[0]); got != string(catalog.Published) {
				t.Fatalf("the upload is %q", got)
			}
			if diff := cmp.Diff([]string{file}, s.signers(jammy)); diff != "" {
				t.Errorf("signers (-want +got):\n%s", diff)
			}
			asked := g.Served(kmstest.Sign)
			s.ingest(s.batch(s.putDebs(jammy, "next"+step, 1)...))
			if n := g.Served(kmstest.Sign) - asked; n != 0 {
				t.Errorf("the key is asked %d times more", n)
			}
			if want, _ := s.KeyState(); want.DEB != file {
				t.Errorf("releases are to be signed as %q", want.DEB)
			}
			s.RetryKeys(t.Context(), time.Now())
			if n := g.Served(kmstest.Sign) - asked; n != 0 {
				t.Error("it is tried again at once")
			}
			now = now.Add(time.Hour)
			s.RetryKeys(t.Context(), now)
			must(t, s.RefreshKeys(t.Context()))
			if _, signing := s.Keys(); slices.Contains(signing, remote) {
				t.Error("it signs although it still fails")
			}

			tt.mend()
			now = now.Add(time.Hour)
			s.RetryKeys(t.Context(), now)
			must(t, s.RefreshKeys(t.Context()))
			want, _ := s.KeyState()
			behind, err := s.Catalog.ReleasesToSign(t.Context(), want, 10)
			must(t, err)
			if !slices.Contains(behind, jammy) || !slices.Contains(behind, el9) {
				t.Errorf("to be signed again: %v, want %s and %s among them", behind, jammy, el9)
			}
			for _, r := range behind {
				res, err := s.Publisher.Release(t.Context(), r)
				if err != nil || !res.Signed {
					t.Errorf("%s: %+v, %v", r, res, err)
				}
			}
			if diff := cmp.Diff([]string{file, remote}, s.signers(jammy)); diff != "" {
				t.Errorf("once it can sign again (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a start while it fails", func(t *testing.T) {
		g.Fail(kmstest.Sign, kmstest.Refused, 1000)
		must(t, s.CheckKey(t.Context()))
		if _, signing := s.Keys(); !slices.Equal(signing, []string{file}) {
			t.Errorf("signing: %q", signing)
		}
	})
}

// The other key signs nothing, since clients do not know it.
func TestAKeyThatFailsStopsAllWithoutOneThatClientsKnow(t *testing.T) {
	t.Parallel()
	g := kmstest.StartGoogle(t)
	s := kmsSite(t, false, g.URL(g.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256)))
	must(t, s.CheckKey(t.Context()))
	s.ingest(s.batch(s.putDebs(jammy, "first", 1)...))
	before := s.pointer(jammy)
	_, stranger, err := newStandby(t)
	must(t, err)
	_, err = keys.Change(t.Context(), s.Bucket, func(set *keys.Set) error { set.Add(time.Now(), keys.Signing, stranger); return nil })
	must(t, err)
	must(t, s.RefreshKeys(t.Context()))
	g.Fail(kmstest.Sign, kmstest.Refused, 1000)
	u := s.putDebs(jammy, "second", 1)
	s.ingest(s.batch(u...))
	if got := s.state(u[0]); got == string(catalog.Published) || s.pointer(jammy) != before {
		t.Errorf("the upload is %q", got)
	}
	if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "it fails: ") {
		t.Errorf("ready: %v", err)
	}
	if err := s.CheckKey(t.Context()); err == nil || !strings.Contains(err.Error(), "cloudkms.cryptoKeyVersions.useToSign") {
		t.Errorf("a start: %v", err)
	}
	g.Recover()
	if _, err := s.Publisher.Release(t.Context(), jammy); err != nil || s.pointer(jammy) == before {
		t.Errorf("mended: %v", err)
	}
}

// newStandby returns a key that no worker has.
func newStandby(t *testing.T) (*sign.Signer, sign.Key, error) {
	t.Helper()
	s, err := sign.Read(privateKeys()[2])
	must(t, err)
	all, err := s.Keys()
	return s, all[0], err
}

// publicOf describes an armoured private key.
func publicOf(t *testing.T, private []byte) sign.Key {
	t.Helper()
	s, err := sign.Read(private)
	must(t, err)
	all, err := s.Keys()
	must(t, err)
	return all[0]
}
