package kms_test

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"repomill/pipelines/kms"
	"repomill/testdata/kmstest"
)

// A server is a fake of either service, with a key.
type server struct {
	fail    func(operation string, f kmstest.Fault, times int)
	recover func()
	served  func(operation string) int
	url     string
	tries   int // how often a request is made
	// The words of an operator's language.
	viewPermission, signPermission string
}

func servers(t *testing.T) map[string]server {
	g, a := kmstest.StartGoogle(t), kmstest.StartAWS(t)
	return map[string]server{
		"Google": {g.Fail, g.Recover, g.Served, g.URL(g.NewKey(kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256)), 4,
			"cloudkms.cryptoKeyVersions.viewPublicKey", "cloudkms.cryptoKeyVersions.useToSign"},
		"AWS": {a.Fail, a.Recover, a.Served, a.URL(a.NewKey(types.KeySpecRsa2048)), 2, "kms:GetPublicKey", "kms:Sign"},
	}
}

func TestPermissionsAreNamed(t *testing.T) {
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s.fail(kmstest.GetPublicKey, kmstest.Refused, 1)
			refused(t, s.url, "grant "+s.viewPermission)
			k := open(t, s.url)
			before := s.served(kmstest.Sign)
			s.fail(kmstest.Sign, kmstest.Refused, 1)
			if _, _, err := sign(k, "hello"); err == nil || kms.Unavailable(err) || !strings.Contains(err.Error(), "grant "+s.signPermission) {
				t.Errorf("sign: %v", err)
			}
			if n := s.served(kmstest.Sign) - before; n != 1 {
				t.Errorf("a refusal was asked for %d times", n)
			}
		})
	}
}

func TestTransientFaultsAreRetried(t *testing.T) {
	t.Parallel()
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, f := range []kmstest.Fault{kmstest.Busy, kmstest.Throttled} {
				s.fail(kmstest.GetPublicKey, f, s.tries-1)
				k := open(t, s.url)
				s.fail(kmstest.Sign, f, s.tries-1)
				if digest, signature, err := sign(k, "hello"); err != nil || !good(k, digest, signature) {
					t.Errorf("after %d faults: %v", s.tries-1, err)
				}
				before := s.served(kmstest.Sign)
				s.fail(kmstest.Sign, f, 100)
				_, _, err := sign(k, "hello")
				if n := s.served(kmstest.Sign) - before; !kms.Unavailable(err) || n != s.tries {
					t.Errorf("faults without end: %d requests, %v", n, err)
				}
				if f == kmstest.Throttled && !strings.Contains(err.Error(), "quota") {
					t.Errorf("a quota: %v", err)
				}
				s.recover()
			}
		})
	}
}

func TestSlowServiceTimesOut(t *testing.T) {
	t.Parallel()
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A busy machine answers well within an attempt, and within what one that ended leaves of the total.
			const attempt, total = 5 * time.Second, 12 * time.Second
			k, err := kms.OpenWithin(t.Context(), s.url, attempt, total)
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close() //nolint:errcheck // a test's
			s.fail(kmstest.Sign, kmstest.Slow, 1)
			if digest, signature, err := sign(k, "hello"); err != nil || !good(k, digest, signature) {
				t.Errorf("one slow answer: %v", err)
			}
			s.fail(kmstest.Sign, kmstest.Slow, 100)
			if _, _, err := sign(k, "hello"); !kms.Unavailable(err) || !strings.Contains(err.Error(), "does not answer in time") {
				t.Errorf("slow answers without end: %v", err)
			}
			s.recover()
			s.fail(kmstest.GetPublicKey, kmstest.Slow, 100)
			if _, err := kms.OpenWithin(t.Context(), s.url, attempt, total); err == nil || !strings.Contains(err.Error(), "does not answer in time") {
				t.Errorf("open: %v", err)
			}
		})
	}
}

func TestUnreachableService(t *testing.T) {
	kmstest.StartAWS(t) // for its environment
	refused(t, "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1?endpoint=127.0.0.1:1&insecure=true", "cannot be reached; check the endpoint")
	refused(t, "awskms://alias/acme?region=eu-west-1&endpoint=http://127.0.0.1:1", "cannot be reached; check the endpoint")
}

func TestURLs(t *testing.T) {
	const version = "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
	for _, tt := range []struct{ name, url, want string }{
		{"no version", "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k", "use gcpkms://projects/P/"},
		{"a version that is no number", version + "x", "use gcpkms://projects/P/"},
		{"an unknown parameter of Google's", version + "?region=x", `parameter "region" is unknown`},
		{"insecure without an emulator", version + "?insecure=true", "name it with endpoint"},
		{"insecure that is neither", version + "?insecure=yes", "use true or false"},
		{"a key of AWS without a name", "awskms://?region=eu-west-1", "not a key id"},
		{"an ARN of another service", "awskms://arn:aws:s3:eu-west-1:000000000000:key/x", "not a key id"},
		{"two regions", "awskms://" + kmstest.ARN("00000000-0000-4000-8000-000000000001") + "?region=us-east-1", "region=us-east-1, but the key's ARN is of region eu-west-1"},
		{"an unknown parameter of AWS's", "awskms://alias/acme?insecure=true", `unknown parameter "insecure"`},
		{"a parameter twice", "awskms://alias/acme?region=a&region=b", "region more than once"},
		{"an endpoint with a password", "awskms://alias/acme?region=a&endpoint=https://u:secret@h", "without credentials"},
		{"another scheme", "vault://key", "use gcpkms://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := kms.Open(t.Context(), tt.url)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	for url, want := range map[string]bool{version: true, "awskms://alias/acme": true, "file:///k": false, "awskms": false, "/gcpkms://": false} {
		if kms.IsURL(url) != want {
			t.Errorf("IsURL(%q) is %v", url, !want)
		}
	}
}

func TestAWSRequiresRegion(t *testing.T) {
	for _, v := range kmstest.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	if _, err := kms.Open(t.Context(), "awskms://alias/acme"); err == nil || !strings.Contains(err.Error(), "add ?region=R") {
		t.Errorf("got %v", err)
	}
}
