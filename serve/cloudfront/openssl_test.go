package cloudfront_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestOpenSSL lets openssl judge: it verifies our signatures, and we verify its own. AWS's
// documentation of signed URLs is written in openssl commands.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	for _, key := range []crypto.Signer{ecdsaKey(t), rsaKey(t)} {
		t.Run(fmt.Sprintf("%T", key), func(t *testing.T) {
			private, public := writeKey(t, key)
			ours := sign(t, newSigner(t, edge, key), plusKey, noon)
			u := parseURL(t, ours)
			expires, err := strconv.ParseInt(u.Query().Get("Expires"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			resource, _, _ := strings.Cut(ours, "?")
			policy := write(t, "policy", []byte(cannedPolicy(resource, expires)))

			signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(u.Query().Get("Signature")))
			if err != nil {
				t.Fatal(err)
			}
			openssl(t, "dgst", "-sha1", "-verify", public, "-signature", write(t, "signature", signature), policy)

			for _, hash := range []string{"sha1", "sha256"} {
				theirs := fmt.Sprintf("%s?Expires=%d&Signature=%s&Key-Pair-Id=%s",
					resource, expires, encode(openssl(t, "dgst", "-"+hash, "-sign", private, policy)), keyID)
				if key == crypto.Signer(rsaKey(t)) && hash == "sha1" && theirs != ours { // RSA is deterministic
					t.Errorf("openssl and the SDK differ:\n%s\n%s", theirs, ours)
				}
				uri := requestURI(t, theirs)
				if hash == "sha256" {
					uri += "&Hash-Algorithm=SHA256"
				}
				v := newVerifier(t, edge, key)
				if got, err := v.Verify(uri, noon); err != nil || got != plusKey {
					t.Errorf("made by openssl with %s: got %q, %v", hash, got, err)
				}
				wantRefusal(t, v, uri, noon.Add(2*time.Hour), "expired")
				wantRefusal(t, v, strings.Replace(uri, "amd64", "arm64", 1), noon, "not for this URL")
			}
		})
	}
}

// openssl verifies the signature of a wildcard policy, over the very bytes that are sent.
func TestOpenSSLWildcard(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	for _, key := range []crypto.Signer{ecdsaKey(t), rsaKey(t)} {
		_, public := writeKey(t, key)
		q := parseURL(t, signBelow(t, newSigner(t, edge, key), plusKey, noon)).Query()
		policy, signature := write(t, "policy", decode(t, q.Get("Policy"))), write(t, "signature", decode(t, q.Get("Signature")))
		openssl(t, "dgst", "-sha1", "-verify", public, "-signature", signature, policy)
	}
}

// openssl returns what the command prints.
func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

func writeKey(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private = write(t, "private.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if der, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	return private, write(t, "public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
