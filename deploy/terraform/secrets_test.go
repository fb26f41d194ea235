package terraform_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

var (
	// secretTypes are resources whose state has a secret.
	secretTypes = regexp.MustCompile(`\b(google_service_account_key|google_secret_manager(_regional)?_secret_version|google_storage_hmac_key|google_sql_ssl_cert|` +
		`google_kms_secret_ciphertext|aws_iam_access_key|aws_iam_user|aws_iam_user_login_profile|aws_secretsmanager_secret_version|aws_ssm_parameter|` +
		`aws_kms_ciphertext|tls_private_key|random_password)\b`)
	// secretNames are arguments that have one.
	secretNames = regexp.MustCompile(`^(password|root_password|secret_data|secret_string|private_key|private_key_pem|pem_private_key|access_key|secret_key|token|auth_token|master_password)$`)
	// secretTexts are secrets themselves.
	secretTexts = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY|\bA(KIA|SIA)[A-Z0-9]{16}\b|://[^/@\s"]+:[^/@\s"]+@`)
	argument    = regexp.MustCompile(`^\s*([a-z_]+)\s*=[^=]`)
)

// secretsIn finds secrets in a state.
func secretsIn(m made) []string {
	var found []string
	for _, r := range m.resources() {
		if secretTypes.MatchString(r.Type) {
			found = append(found, r.Address+" has a secret in the state")
		}
		found = append(found, secretsAt(r.Address, r.Values)...)
	}
	for name, o := range m.Outputs {
		if secretTexts.Match(o.Value) {
			found = append(found, "the output "+name+" has a secret")
		}
	}
	return found
}

func secretsAt(path string, v any) []string {
	var found []string
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if s, ok := inner.(string); ok && s != "" && secretNames.MatchString(name) {
				found = append(found, path+"."+name+" has a secret in the state")
			}
			found = append(found, secretsAt(path+"."+name, inner)...)
		}
	case []any:
		for i, inner := range v {
			found = append(found, secretsAt(fmt.Sprintf("%s[%d]", path, i), inner)...)
		}
	case string:
		if secretTexts.MatchString(v) {
			found = append(found, path+" has a secret in the state")
		}
	}
	return found
}

// secretsInText finds secrets, and what would bring one into a state, in a file of Terraform.
func secretsInText(text string) []string {
	var found []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		code, _, _ := strings.Cut(line, "#")
		name := argument.FindStringSubmatch(code)
		if secretTypes.MatchString(code) || secretTexts.MatchString(code) || name != nil && secretNames.MatchString(name[1]) {
			found = append(found, fmt.Sprintf("line %d: %s", n, strings.TrimSpace(line)))
		}
	}
	return found
}

func TestFilesHaveNoSecrets(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "terraform/**/*.tf, *.tfvars, *.hcl", Check: "no secret, and no resource or argument that would bring one into the state", Tool: "go test", CannotShow: "secrets in a form that is not known"})
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".tf", ".tfvars", ".hcl"}, filepath.Ext(path)) {
			return err
		}
		if filepath.Base(filepath.Dir(path)) == "tests" { // they have wrong values on purpose
			return nil
		}
		files++
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range secretsInText(string(body)) {
			t.Errorf("%s: %s", path, found)
		}
		return nil
	})
	if err != nil || files < 40 {
		t.Errorf("%d files, %v", files, err)
	}
	for name, text := range map[string]string{
		"a key of a service account":   `resource "google_service_account_key" "ci" {`,
		"a version of a secret":        `resource "google_secret_manager_secret_version" "url_key" {`,
		"an access key":                `resource "aws_iam_access_key" "ci" {`,
		"a password":                   `  password = random_password.catalog.result`,
		"a password in the settings":   `  root_password = "letmein"`,
		"a key in a value":             "url_key = <<-PEM\n-----BEGIN PRIVATE KEY-----",
		"a password in a URL":          `catalog = "mysql://repomill:letmein@10.64.0.3/repomill"`,
		"an access key's id in a text": `key = "AKIAIOSFODNN7EXAMPLE"`,
	} {
		t.Run(name+" is found", func(t *testing.T) {
			if len(secretsInText(text)) == 0 {
				t.Errorf("nothing was found in %q", text)
			}
		})
	}
}
