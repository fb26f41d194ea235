package pipelines_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/kmstest"
	"repomill/testdata/rpmtest"
)

// kmsSite returns a site that signs with keys in a KMS, after the tests' file if both is set.
func kmsSite(t *testing.T, both bool, urls ...string) *site {
	t.Helper()
	dir := t.TempDir()
	cfg := configOf(dir)
	migrate(t, cfg.Catalog)
	for _, url := range urls {
		addKey(t, openBucket(t, dir), url)
	}
	if both {
		urls = append([]string{"file://" + writeKey(t, dir)}, urls...)
	}
	cfg.SigningKey = pipelines.JoinKeys(urls)
	return openSite(t, dir, cfg, runDirect)
}

// What a publish costs, as the doc of package kms has it.
func TestRequestsOfAPublish(t *testing.T) {
	t.Parallel()
	a := kmstest.StartAWS(t)
	s := kmsSite(t, false, a.URL(a.NewKey(types.KeySpecRsa2048)))
	cost := func(what string, sign, public int, do func()) {
		t.Helper()
		s, p := a.Served(kmstest.Sign), a.Served(kmstest.GetPublicKey)
		do()
		if gotS, gotP := a.Served(kmstest.Sign)-s, a.Served(kmstest.GetPublicKey)-p; gotS != sign || gotP != public {
			t.Errorf("%s makes %d signatures and asks for %d public keys, want %d and %d", what, gotS, gotP, sign, public)
		}
	}
	cost("a start", 1, 0, func() { // the public key was asked for when it was opened
		if err := s.CheckKey(t.Context()); err != nil {
			t.Error(err)
		}
	})
	cost("a DEB release", 2, 0, func() { s.ingest(s.batch(s.putDebs(jammy, "one", 3)...)) })
	cost("its next revision", 2, 0, func() { s.ingest(s.batch(s.putDebs(jammy, "two", 1)...)) })
	cost("what is up to date", 0, 0, func() {
		if _, err := s.Publisher.Release(t.Context(), jammy); err != nil {
			t.Error(err)
		}
	})
	cost("an RPM distribution of three architectures", 3, 0, func() {
		s.ingest(s.batch(s.put("acme/tools/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{}))))
		for _, r := range []string{"aarch64", "SRPMS"} {
			if _, err := s.Publisher.Release(t.Context(), release("acme/tools/el/9/"+r)); err != nil {
				t.Error(err)
			}
		}
	})
	s.wantRelease(jammy, 4)
	s.wantRelease(el9, 1)
}

// Clients see what they saw as long as something is wrong with the only key; when that is mended, the publish goes on.
func TestAKeyThatFailsPublishesNothing(t *testing.T) {
	t.Parallel()
	g := kmstest.StartGoogle(t)
	name := g.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256)
	s := kmsSite(t, false, g.URL(name))
	s.ingest(s.batch(s.putDebs(jammy, "first", 1)...))
	before := s.pointer(jammy)
	if !strings.Contains(before, "\nHash: SHA256\n") {
		t.Errorf("InRelease begins with %.120q", before)
	}
	for _, tt := range []struct {
		name        string
		spoil, mend func()
		want        string
	}{
		{"it signs something else", func() { g.Fail(kmstest.Sign, kmstest.Wrong, 1000) }, g.Recover, "does not verify with its public half"},
		{"its answers are damaged", func() { g.Fail(kmstest.Sign, kmstest.Damaged, 1000) }, g.Recover, "checksums"},
		{"it refuses", func() { g.Fail(kmstest.Sign, kmstest.Refused, 1000) }, g.Recover, "cloudkms.cryptoKeyVersions.useToSign"},
		{"it was disabled", func() { g.SetState(name, kmspb.CryptoKeyVersion_DISABLED) },
			func() { g.SetState(name, kmspb.CryptoKeyVersion_ENABLED) }, "gcloud kms keys versions enable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := s.putDebs(jammy, strings.ReplaceAll(tt.name, " ", ""), 1)
			tt.spoil()
			s.ingest(s.batch(u...))
			if _, err := s.Publisher.Release(t.Context(), jammy); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("publish: %v, want %q", err, tt.want)
			}
			if err := s.CheckKey(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("a start: %v, want %q", err, tt.want)
			}
			if diff := cmp.Diff(before, s.pointer(jammy)); diff != "" {
				t.Errorf("clients see something else (-before +after):\n%s", diff)
			}
			if got := s.state(u[0]); got == string(catalog.Published) {
				t.Errorf("the upload is %q", got)
			}
			tt.mend()
			if _, err := s.Publisher.Release(t.Context(), jammy); err != nil {
				t.Error(err)
			}
			if before = s.pointer(jammy); !strings.Contains(before, "\nHash: SHA256\n") {
				t.Errorf("InRelease begins with %.120q", before)
			}
		})
	}
	s.wantRelease(jammy, 5)
}

// pointer returns the bytes of a release's pointer.
func (s *site) pointer(r catalog.Release) string {
	s.t.Helper()
	body, _, err := s.Bucket.Get(s.t.Context(), layout.PointerKey(r))
	if err != nil {
		s.t.Fatal(err)
	}
	defer body.Close()
	all, err := io.ReadAll(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(all)
}

func TestListsOfSigningKeys(t *testing.T) {
	t.Parallel()
	a := kmstest.StartAWS(t)
	url := a.URL(a.NewKey(types.KeySpecRsa2048))
	dir := filepath.Join(t.TempDir(), "a, comma")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := "file://" + writeKey(t, dir)
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	kms := addKey(t, openBucket(t, dir), url)
	for _, tt := range []struct {
		name, list string
		want       []string
	}{
		{"a file alone", file, key.Fingerprints()},
		{"a KMS alone", url, []string{kms.Fingerprint}},
		{"a file and a KMS", file + "," + url, append(key.Fingerprints(), kms.Fingerprint)},
		{"a KMS and a file, with a blank", url + ", " + file, append([]string{kms.Fingerprint}, key.Fingerprints()...)},
	} {
		cfg := configOf(dir)
		migrate(t, cfg.Catalog)
		cfg.SigningKey = tt.list
		s := openSite(t, dir, cfg, runDirect)
		if diff := cmp.Diff(tt.want, s.Signer().Fingerprints()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if ring, err := sign.ReadKeyring(s.Signer().Public()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if sig, err := s.Signer().Detach([]byte("x\n"), time.Now()); err != nil || ring.VerifyDetached([]byte("x\n"), sig) != nil {
			t.Errorf("%s: it does not sign: %v", tt.name, err)
		}
	}
	for _, tt := range []struct{ name, list, want string }{
		{"a file that is not there", url + ",file:///nonexistent/key.asc", "/nonexistent/key.asc"},
		{"the same file twice", file + "," + file, "is there twice"},
		{"another scheme", "vault://key", "use file:///path/to/key.asc, or"},
		{"a KMS key without a public half", a.URL(a.NewKey(types.KeySpecRsa2048)), "repomill key add 'awskms://"},
		{"a KMS key that is not there", a.URL("00000000-0000-4000-8000-00000000dead"), "there is no such key in this region"},
	} {
		cfg := configOf(dir)
		cfg.SigningKey = tt.list
		if r, err := pipelines.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			if err == nil {
				r.Close()
			}
		}
	}
}
