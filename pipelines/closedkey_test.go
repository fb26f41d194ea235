package pipelines_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"

	"repomill/pipelines"
	"repomill/publish/keys"
	"repomill/schemas/catalog"
	"repomill/testdata/kmstest"
)

// A KMS is out of reach when a worker starts that has a good key in a file besides: the file's signs, and the other one is
// standby once the KMS answers.
func TestAStartWithoutAKMS(t *testing.T) {
	t.Parallel()
	g := kmstest.StartGoogle(t)
	url := g.URL(g.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256))
	dir := t.TempDir()
	cfg := configOf(dir)
	migrate(t, cfg.Catalog)
	remote := addKey(t, openBucket(t, dir), url).Fingerprint
	g.Fail(kmstest.GetPublicKey, kmstest.Refused, 1000)

	alone := cfg
	alone.SigningKey = url
	if r, err := pipelines.Open(t.Context(), alone); err == nil || !strings.Contains(err.Error(), "cloudkms.cryptoKeyVersions.viewPublicKey") {
		t.Errorf("the key alone: %v, %v", r, err)
	}
	file := "file://" + writeKey(t, dir)
	wrong := cfg
	wrong.SigningKey = pipelines.JoinKeys([]string{file, "gcpkms://key"})
	if r, err := pipelines.Open(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "cryptoKeyVersions") {
		t.Errorf("a URL that names no key: %v, %v", r, err)
	}
	cfg.SigningKey = pipelines.JoinKeys([]string{url, file})
	s := openSite(t, dir, cfg, runDirect)
	must(t, s.CheckKey(t.Context()))
	u := s.putDebs(jammy, "first", 1)
	s.ingest(s.batch(u...))
	if got := s.state(u[0]); got != string(catalog.Published) {
		t.Errorf("the upload is %q", got)
	}
	set, signing := s.Keys()
	if len(signing) != 1 || signing[0] == remote || len(set.Keys) != 1 {
		t.Errorf("signing: %q of %q", signing, keys.Fingerprints(set.Keys))
	}
	asked := g.Served(kmstest.GetPublicKey)
	s.RetryKeys(t.Context(), time.Now())
	if n := g.Served(kmstest.GetPublicKey) - asked; n != 0 {
		t.Error("it is tried again at once")
	}
	for i, mend := range []func(){func() {}, g.Recover} {
		mend()
		s.RetryKeys(t.Context(), time.Now().Add(time.Duration(i+1)*time.Hour))
		must(t, s.RefreshKeys(t.Context()))
		set, _ = s.Keys()
		if got := slices.Contains(keys.Fingerprints(set.With(keys.Standby)), remote); got != (i == 1) {
			t.Errorf("try %d: it stands by: %t", i, got)
		}
	}
}
