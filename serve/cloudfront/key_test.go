package cloudfront_test

import (
	"os/exec"
	"strings"
	"testing"

	"repomill/serve/cloudfront"
)

// Keys are read as openssl writes them, in each of its forms.
func TestParseKeyOfOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	rsa2048 := openssl(t, "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	p256 := openssl(t, "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	file := func(text []byte) string { return write(t, "key.pem", text) }
	for _, tt := range []struct {
		name, begin string
		text        []byte
		want        string // in the error; empty if good
	}{
		{"RSA in PKCS #8", "PRIVATE KEY", rsa2048, ""},
		{"RSA in PKCS #1", "RSA PRIVATE KEY", openssl(t, "rsa", "-in", file(rsa2048), "-traditional"), ""},
		{"P-256 in PKCS #8", "PRIVATE KEY", p256, ""},
		{"P-256 in SEC 1", "EC PRIVATE KEY", openssl(t, "ec", "-in", file(p256)), ""},
		{"P-256 with its parameters before it", "EC PARAMETERS", openssl(t, "ecparam", "-name", "prime256v1", "-genkey"), ""},
		{"P-256 with text before it", "PRIVATE KEY", append([]byte("the key of d111\n"), p256...), ""},
		{"RSA-3072", "PRIVATE KEY", openssl(t, "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"), "RSA key of 3072 bits: CloudFront takes 2048 only"},
		{"RSA-1024", "PRIVATE KEY", openssl(t, "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "RSA key of 1024 bits"},
		{"P-384", "PRIVATE KEY", openssl(t, "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"), "P-256 only"},
		{"Ed25519", "PRIVATE KEY", openssl(t, "genpkey", "-algorithm", "ED25519"), "ed25519"},
		{"X25519, which cannot sign", "PRIVATE KEY", openssl(t, "genpkey", "-algorithm", "X25519"), "CloudFront takes"},
		{"encrypted", "ENCRYPTED PRIVATE KEY", openssl(t, "pkcs8", "-topk8", "-in", file(p256), "-passout", "pass:secret"), "passphrase"},
		{"encrypted in the old way", "EC PRIVATE KEY", openssl(t, "ec", "-in", file(p256), "-aes128", "-passout", "pass:secret"), "passphrase"},
		{"the public half", "PUBLIC KEY", openssl(t, "pkey", "-in", file(p256), "-pubout"), "public"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(string(tt.text), "-----BEGIN "+tt.begin+"-----") {
				t.Fatalf("openssl wrote\n%s", tt.text)
			}
			key, err := cloudfront.ParseKey(tt.text)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want == "":
				sign(t, newSigner(t, edge, key), plusKey, noon)
			case err == nil || !strings.Contains(err.Error(), tt.want) || key != nil:
				t.Errorf("got %T, %v, want an error with %q", key, err, tt.want)
			}
		})
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":            "",
		"no PEM":             "AKIAIOSFODNN7EXAMPLE",
		"a certificate":      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"a key of nonsense":  "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"a key that is open": "-----BEGIN PRIVATE KEY-----\nAAAA\n",
	} {
		key, err := cloudfront.ParseKey([]byte(text))
		if key != nil || err == nil || strings.Contains(err.Error(), "AAAA") || strings.Contains(err.Error(), "AKIA") {
			t.Errorf("%s: got %T, %v", name, key, err)
		}
	}
}
