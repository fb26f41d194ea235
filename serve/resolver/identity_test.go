package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/awstest"
)

// The environment alone makes the resolver a machine of Google, and a machine without a service account is an error at start.
func TestIdentityOfGoogle(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "url-key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	m := awstest.StartMetadata(t)
	absent := http.HandlerFunc(http.NotFound)
	m.Answer.Store(&absent)
	for name, value := range map[string]string{
		"REPOMILL_AWS_IDENTITY": "google", "REPOMILL_AWS_AUDIENCE": "sts.acme.example", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/serve", "GCE_METADATA_HOST": m.Host,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	var out, errOut bytes.Buffer
	code := resolve(t.Context(), []string{
		"--bucket", "s3://acme-packages?region=eu-central-1", "--public-url", "https://packages.acme.example", "--cdn", "https://cdn.acme.example",
		"--key-pair-id", "K2JCJMDEHXQW5F", "--key", "file://" + path,
	}, &out, &errOut)
	if want := "take role arn:aws:iam::123456789012:role/serve: this machine or pod has no service account"; code != 4 || !strings.Contains(errOut.String(), want) {
		t.Errorf("exit code %d: %s", code, &errOut)
	}
	if got := <-m.Audiences; got != "sts.acme.example" {
		t.Errorf("the token is for %q", got)
	}
}
