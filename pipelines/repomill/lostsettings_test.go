package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

// settings returns what a repository was declared with, as repo list says.
func (s *site) settings(t *testing.T, repository string) (got catalog.Settings) {
	t.Helper()
	a := s.does(t, 0, "", "repo", "list", "--json", repository)
	if err := json.Unmarshal([]byte(a.Stdout), &got); err != nil {
		t.Fatalf("%v in %v", err, a)
	}
	return got
}

// untilDeclared waits until a site that lost its catalog has taken over a repository's settings from the bucket: it is ready
// before that.
func (s *site) untilDeclared(t *testing.T, repository string) {
	t.Helper()
	proctest.Eventually(t, repository+" is declared", func() bool { return repomill(t, "repo", "list", "--json", repository, "--data", s.data).Code == 0 })
}

// All that a command changes in a repository's settings is in the bucket when it returns: the catalog that is lost then comes
// back with it.
func TestEachSettingOutlivesTheCatalog(t *testing.T) {
	t.Parallel()
	key, err := sign.Generate("package key", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := newFile(t, "key.asc", key.Public()).path
	s := newSite(t)
	const repository = "acme/kept"
	var before catalog.Settings
	for _, change := range [][]string{
		{"repo", "create", repository, "--distribution", "ubuntu/jammy", "--distribution", "el/9", "--origin", "Acme Inc", "--label", "kept"},
		{"repo", "set", repository, "--visibility", "private"},
		{"token", "create", repository, "ci"},
		{"token", "create", repository, "short", "--expires", "30d"},
		{"repo", "set", repository, "--package-key", file},
		{"repo", "set", repository, "--verify-payload", "always"},
		{"repo", "set", repository, "--distribution", "ubuntu/jammy", "--component", "extra", "--arch", "riscv64"},
		{"token", "revoke", repository, "ci"},
		{"repo", "set", repository, "--require-signed", "none", "--remove-package-key", ""},
		{"repo", "set", repository, "--distribution", "ubuntu/jammy", "--remove-arch", "riscv64"},
		{"repo", "set", repository, "--verify-payload", "default", "--visibility", "public"},
		{"retain", "set", repository, "--newest", "3", "--younger", "90d", "--keep", "hello=1.*"},
		{"retain", "set", repository + "/ubuntu/jammy", "--newest-per-series", "2", "--downloaded", "60d", "--automatic", "--allow-shrink"},
	} {
		if change[len(change)-1] == "" {
			change[len(change)-1] = before.PackageKeys[0].ID
		}
		var a proctest.Answer
		proctest.Eventually(t, "packages of before are recovered", func() bool {
			a = repomill(t, append(change, "--data", s.data)...)
			return !strings.Contains(a.Stderr, "are being recovered")
		})
		if a.Code != 0 {
			t.Fatalf("%q: %v", change, a)
		}
		want := s.settings(t, repository)
		if cmp.Equal(before, want) {
			t.Fatalf("%q changed nothing", change)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		loseCatalog(t, s.data)
		s = restart(t, s.data)
		s.untilDeclared(t, repository)
		if before = s.settings(t, repository); !cmp.Equal(want, before, cmpopts.IgnoreFields(catalog.Settings{}, "Revision")) {
			t.Errorf("after %q and the loss of the catalog (-want +got):\n%s", change, cmp.Diff(want, before))
		}
	}
}
