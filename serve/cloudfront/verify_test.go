package cloudfront_test

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"repomill/schemas/layout"
	"repomill/serve/cloudfront"
)

func TestRoundTrip(t *testing.T) {
	for _, key := range []crypto.Signer{ecdsaKey(t), rsaKey(t)} {
		s, v := newSigner(t, edge, key), newVerifier(t, edge, key)
		for _, want := range []string{
			plusKey,
			"acme/tools/el/9/x86_64/e1/a-1^git-1.x86_64.rpm",
			"acme/tools/el/9/x86_64/repodata/repomd.xml",
			"acme/tools/ubuntu/dists/jammy/InRelease",
			"acme/tools/gpgkey",
		} {
			got, err := v.Verify(requestURI(t, sign(t, s, want, noon)), noon)
			if err != nil || got != want {
				t.Errorf("%T: got %q, %v, want %q", key, got, err, want)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	key := ecdsaKey(t)
	good := requestURI(t, sign(t, newSigner(t, edge, key), plusKey, noon))
	path, query, _ := strings.Cut(good, "?")
	p := parseURL(t, good).Query()
	expires, signature := p.Get("Expires"), p.Get("Signature")
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	foreign := requestURI(t, sign(t, newSigner(t, edge, ecdsaKey(t)), plusKey, noon))
	foreignHost := requestURI(t, sign(t, newSigner(t, "https://evil.example.org", key), plusKey, noon))
	foreignScheme := requestURI(t, sign(t, newSigner(t, "http://d111.cloudfront.net", key), plusKey, noon))

	for _, tt := range []struct {
		name, uri string
		now       time.Time
		want      string // in the reason
	}{
		{"another file", replace("amd64.deb", "arm64.deb"), noon, "not for this URL"},
		{"another spelling of the file", replace("%2B", "+"), noon, "not for this URL"},
		{"a later expiry", replace("Expires=1", "Expires=2"), noon, "not for this URL"},
		{"an expiry in another spelling", replace("Expires=", "Expires=0"), noon, "plain number"},
		{"an expiry with a sign", replace("Expires=", "Expires=+"), noon, "plain number"},
		{"another signature", replace("Signature=ME", "Signature=MF"), noon, "not for this URL"},
		{"a signature in plain base64", replace("Signature=", "Signature=+"), noon, "base64"},
		{"a signature of blanks", path + "?Expires=" + expires + "&Signature=%20&Key-Pair-Id=" + keyID, noon, "base64"},
		{"a key that we do not know", replace(keyID, "KOTHER"), noon, `"KOTHER" is unknown`},
		{"somebody else's key under our id", foreign, noon, "not for this URL"},
		{"a URL of another host", foreignHost, noon, "not for this URL"},
		{"a URL of another scheme", foreignScheme, noon, "not for this URL"},
		{"another hash", good + "&Hash-Algorithm=SHA256", noon, "not for this URL"},
		{"an unknown hash", good + "&Hash-Algorithm=MD5", noon, "hash algorithm"},
		{"the second of expiry", good, parseExpires(t, expires), "expired"},
		{"a day later", good, noon.Add(24 * time.Hour), "expired"},
		{"no parameters", path, noon, "not signed"},
		{"an empty query", path + "?", noon, "not signed"},
		{"a parameter twice", good + "&Expires=" + expires, noon, "twice"},
		{"a signature twice", good + "&Signature=" + signature, noon, "twice"},
		{"a parameter too many", good + "&versionId=1", noon, "unknown"},
		{"a parameter before ours", path + "?response-content-type=text/html&" + query, noon, "unknown"},
		{"a parameter in another case", good + "&expires=" + expires, noon, "unknown"},
		{"an empty parameter", good + "&", noon, "unknown"},
		{"no expiry", replace("Expires="+expires+"&", ""), noon, "either"},
		{"no signature", replace("&Signature="+signature, ""), noon, "Signature is missing"},
		{"no key pair id", replace("&Key-Pair-Id="+keyID, ""), noon, "Key-Pair-Id is missing"},
		{"both kinds of policy", good + "&Policy=e30_", noon, "either"},
		{"a second question mark", replace("?", "??"), noon, "unknown"},
		{"a line end in the signature", replace("Signature=", "Signature=\n"), noon, "base64"},
		{"an endless URL", good + strings.Repeat("x", 8192), noon, "8192"},
		{"nothing", "", noon, "not below"},
		{"an absolute URL", edge + good, noon, "not below"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefusal(t, newVerifier(t, edge, key), tt.uri, tt.now, tt.want)
		})
	}
}

// TestVerifyRefusesPaths signs each path as it is, so that only the path can be the reason.
func TestVerifyRefusesPaths(t *testing.T) {
	key := ecdsaKey(t)
	for _, tt := range []struct{ name, path, want string }{
		{"a folder", "/acme/tools/ubuntu/", "published"},
		{"the root", "/", "published"},
		{"settings", "/.repomill/acme/tools.json", "published"},
		{"history", "/.history/acme/tools/ubuntu/jammy/1-2.json", "published"},
		{"an encoded dot", "/%2Erepomill/acme/tools.json", "published"},
		{"dots", "/acme/tools/el/9/x86_64/../a.rpm", "published"},
		{"encoded dots", "/acme/tools/el/9/x86_64/%2e%2e/a.rpm", "published"},
		{"an encoded slash", "/acme/tools/el/9/x86_64/repodata%2Frepomd.xml", "slash"},
		{"an encoded slash in lower case", "/acme/tools/el/9/x86_64%2frepodata/repomd.xml", "slash"},
		{"two slashes", "/acme/tools/el/9//x86_64/a.rpm", "published"},
		{"an alias of a key", "/acme/tools/ubuntu/jammy/dists/jammy/InRelease", "published"},
		{"encoded twice", "/acme/tools/el/9/x86_64/g%252B.rpm", "published"},
		{"half an encoding", "/acme/tools/el/9/x86_64/g%2.rpm", "percent-encoding"},
		{"a NUL", "/acme/tools/el/9/x86_64/g%00.rpm", "published"},
		{"a quote", `/acme/tools/el/9/x86_64/g".rpm`, "encoded"},
		{"a backslash", `/acme/tools/el/9/x86_64/g\.rpm`, "encoded"},
		{"a raw byte beyond ASCII", "/acme/tools/el/9/x86_64/\xe9.rpm", "encoded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefusal(t, newVerifier(t, edge, key), canned(t, key, tt.path, noon.Add(time.Hour)), noon, tt.want)
		})
	}
}

// TestVerifyTakesTheURLAsReceived: the policy is for the spelling that was sent, whichever it is.
func TestVerifyTakesTheURLAsReceived(t *testing.T) {
	key := ecdsaKey(t)
	for _, path := range []string{
		"/acme/tools/el/9/x86_64/g++-1~2%5E3.rpm",
		"/acme/tools/el/9/x86_64/g%2B%2B-1~2%5E3.rpm",
		"/acme/tools/el/9/x86_64/g%2b%2b-1%7e2%5e3.rpm",
	} {
		uri := canned(t, key, path, noon.Add(time.Hour))
		got, err := newVerifier(t, edge, key).Verify(uri, noon)
		if want := "acme/tools/el/9/x86_64/g++-1~2^3.rpm"; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestVerifyPrefix(t *testing.T) {
	key := ecdsaKey(t)
	good := requestURI(t, sign(t, newSigner(t, edge+"/edge", key), plusKey, noon))
	v := newVerifier(t, edge+"/edge", key)
	wantRefusal(t, v, strings.TrimPrefix(good, "/edge"), noon, "not below")
	wantRefusal(t, v, strings.Replace(good, "/edge", "/edge/edge", 1), noon, "published")
	wantRefusal(t, v, strings.Replace(good, "/edge", "/EDGE", 1), noon, "not below")
}

func TestSHA256(t *testing.T) {
	for _, key := range []crypto.Signer{ecdsaKey(t), rsaKey(t)} {
		policy := cannedPolicy(edge+"/acme/tools/gpgkey", noon.Add(time.Hour).Unix())
		uri := fmt.Sprintf("/acme/tools/gpgkey?Expires=%d&Signature=%s&Key-Pair-Id=%s",
			noon.Add(time.Hour).Unix(), encode(sha256Signature(t, key, policy)), keyID)
		v := newVerifier(t, edge, key)
		if got, err := v.Verify(uri+"&Hash-Algorithm=SHA256", noon); err != nil || got != "acme/tools/gpgkey" {
			t.Errorf("%T: got %q, %v", key, got, err)
		}
		wantRefusal(t, v, uri, noon, "not for this URL")
		wantRefusal(t, v, uri+"&Hash-Algorithm=SHA1", noon, "not for this URL")
	}
}

func TestTwoKeys(t *testing.T) {
	before, after := ecdsaKey(t), rsaKey(t)
	v := cloudfront.NewVerifier(parseURL(t, edge), map[string]crypto.PublicKey{"KBEFORE": before.Public(), "KAFTER": after.Public()})
	for id, key := range map[string]crypto.Signer{"KBEFORE": before, "KAFTER": after} {
		s, err := cloudfront.NewSigner(parseURL(t, edge), id, key)
		if err != nil {
			t.Fatal(err)
		}
		uri := requestURI(t, sign(t, s, plusKey, noon))
		if _, err := v.Verify(uri, noon); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		other := map[string]string{"KBEFORE": "KAFTER", "KAFTER": "KBEFORE"}[id]
		wantRefusal(t, v, strings.Replace(uri, id, other, 1), noon, "not for this URL")
	}
}

// FuzzCloudFrontVerify checks that nothing but what was signed is good.
func FuzzCloudFrontVerify(f *testing.F) {
	key := ecdsaKey(f)
	v := newVerifier(f, edge, key)
	signed := requestURI(f, sign(f, newSigner(f, edge, key), plusKey, noon))
	wildcard, err := sdk.NewURLSigner(keyID, key).SignWithPolicy(edge+"/acme/tools/gpgkey", &sdk.Policy{Statements: []sdk.Statement{
		{Resource: edge + "/acme/tools/*", Condition: sdk.Condition{DateLessThan: sdk.NewAWSEpochTime(noon.Add(time.Hour))}},
	}})
	if err != nil {
		f.Fatal(err)
	}
	wildcard = requestURI(f, wildcard)
	_, query, _ := strings.Cut(wildcard, "?")
	for _, seed := range []string{
		signed, wildcard, signed + "&Hash-Algorithm=SHA256", signed + "&Expires=1", strings.ToLower(signed),
		"/acme/other/gpgkey?" + query, "/acme/tools/%2e%2e/other/gpgkey?" + query, "/", "", "?", "/?&=", "/%?Expires=-1&Signature=~&Key-Pair-Id=" + keyID,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		got, err := v.Verify(uri, noon)
		if err != nil {
			if !errors.As(err, new(cloudfront.Refusal)) || got != "" {
				t.Errorf("%q: got %q, %#v, want a Refusal alone", uri, got, err)
			}
			return
		}
		if ref, ok := layout.Parse(got); !ok || ref.Key != got {
			t.Errorf("%q gives %q, which is no object key", uri, got)
		}
		if uri != signed && !strings.HasPrefix(got, "acme/tools/") {
			t.Errorf("%q is good, but nobody signed it", uri)
		}
	})
}

func wantRefusal(t *testing.T, v *cloudfront.Verifier, uri string, now time.Time, want string) {
	t.Helper()
	got, err := v.Verify(uri, now)
	var refusal cloudfront.Refusal
	if got != "" || !errors.As(err, &refusal) || !strings.Contains(string(refusal), want) {
		t.Errorf("%q: got %q, %v, want a refusal with %q", uri, got, err, want)
	}
	if len(string(refusal)) > 512 || strings.ContainsAny(string(refusal), "\r\n\x00") {
		t.Errorf("refusal %q is not fit for a log", refusal)
	}
}

// canned signs a raw path as it is, without any of the Signer's care.
func canned(t *testing.T, key crypto.Signer, rawPath string, expires time.Time) string {
	t.Helper()
	digest := sha1.Sum([]byte(cannedPolicy(edge+rawPath, expires.Unix())))
	signature, err := key.Sign(nil, digest[:], crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s?Expires=%d&Signature=%s&Key-Pair-Id=%s", rawPath, expires.Unix(), encode(signature), keyID)
}

func sha256Signature(t *testing.T, key crypto.Signer, policy string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(policy))
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// cannedPolicy is as AWS documents it: no blanks, in this order.
func cannedPolicy(resource string, expires int64) string {
	return fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, resource, expires)
}

func encode(b []byte) string {
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString(b))
}

func parseExpires(t *testing.T, s string) time.Time {
	t.Helper()
	var seconds int64
	if _, err := fmt.Sscan(s, &seconds); err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}
