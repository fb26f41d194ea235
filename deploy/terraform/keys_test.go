package terraform_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"repomill/testdata/deploytest"
)

// static matches what makes keys and passwords that are stored, or users who have them.
var static = regexp.MustCompile(`"(aws_iam_access_key|aws_iam_user|aws_iam_user_login_profile|google_service_account_key|google_storage_hmac_key|tls_private_key|random_password)"|\b(access_key|secret_key)\s*=`)

// staticKeys returns the files below a folder that have one.
func staticKeys(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".tf" {
			return err
		}
		body, err := os.ReadFile(path)
		if static.Match(body) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestNoStaticKeys(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "terraform/**/*.tf", Check: "no resource or argument is a stored key", Tool: "Go", CannotShow: "keys that are made by other means"})
	for _, path := range staticKeys(t, ".") {
		t.Errorf("%s has a stored key: its state would have it as well", path)
	}
	t.Run("one is found", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte("resource \"aws_iam_access_key\" \"worker\" {\n}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if found := staticKeys(t, dir); len(found) != 1 {
			t.Errorf("found %q", found)
		}
	})
}
