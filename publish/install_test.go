package publish_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// What packagecloud's scripts and Chef ask for, of a public and of a private repository.
func TestInstallFiles(t *testing.T) {
	repo := layout.ConfigFileKey(tools, el9.Distribution, catalog.RPM)
	for name, tt := range map[string]struct {
		change func(*catalog.Settings)
		want   map[string]string
	}{
		"public": {unchanged, map[string]string{
			layout.GPGKeyURLKey(tools, catalog.DEB):    "https://packages.example.org/acme/tools/gpgkey\n",
			layout.GPGKeyURLKey(tools, catalog.RPM):    "https://packages.example.org/acme/tools/gpgkey\n",
			layout.BaseURLKey(tools, el9.Distribution): "https://packages.example.org/acme/tools/el/9/$basearch\n",
			"install/repositories/acme/tools/ubuntu/jammy/config_file.list": "# acme/tools for ubuntu/jammy\n" +
				"deb [signed-by=/etc/apt/keyrings/acme_tools-archive-keyring.gpg] https://packages.example.org/acme/tools/ubuntu/ jammy contrib main\n" +
				"deb-src [signed-by=/etc/apt/keyrings/acme_tools-archive-keyring.gpg] https://packages.example.org/acme/tools/ubuntu/ jammy contrib main\n",
		}},
		"private": {func(s *catalog.Settings) { s.Visibility = catalog.Private }, map[string]string{
			layout.GPGKeyURLKey(tools, catalog.DEB): "https://packages.example.org/gpg.key\n", // which clients read without a token
			"install/repositories/acme/tools/ubuntu/jammy/config_file.list": "# apt finds the token in /etc/apt/auth.conf.d/acme_tools.conf: machine packages.example.org/acme/tools/ login TOKEN password x\n" +
				"# acme/tools for ubuntu/jammy\n" +
				"deb [signed-by=/etc/apt/keyrings/acme_tools-archive-keyring.gpg] https://packages.example.org/acme/tools/ubuntu/ jammy contrib main\n" +
				"deb-src [signed-by=/etc/apt/keyrings/acme_tools-archive-keyring.gpg] https://packages.example.org/acme/tools/ubuntu/ jammy contrib main\n",
		}},
	} {
		w := newWorld(t)
		w.declare(jammy, "contrib")
		w.change(tt.change)
		w.publishSettings()
		for key, want := range tt.want {
			if diff := cmp.Diff(want, string(w.bucket.Bytes(key))); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, key, diff)
			}
		}
		if diff := cmp.Diff(string(w.bucket.Bytes(layout.RepoKey(tools, el9.Distribution))), string(w.bucket.Bytes(repo))); diff != "" {
			t.Errorf("%s: %s differs from the .repo file:\n%s", name, repo, diff)
		}
	}
}

// The script has the keys of today, and the URL of today, as soon as the settings were published by them.
func TestScriptFollowsKeysAndURL(t *testing.T) {
	w := newWorld(t)
	w.publishSettings()
	key := layout.ScriptKey(tools, catalog.DEB)
	before := string(w.bucket.Bytes(key))
	both := bothSigners(t, signer(), generate("more"))
	if err := w.publisherWith(both, "https://moved.example.org").Settings(t.Context(), tools); err != nil {
		t.Fatal(err)
	}
	after := string(w.bucket.Bytes(key))
	if diff := cmp.Diff(before, after); diff == "" || !contains(after, "url='https://moved.example.org'\n", both.Fingerprints()[0]+", "+both.Fingerprints()[1]) {
		t.Errorf("the script did not follow: %s", after)
	}
	w.bucket.Writes()
	if err := w.publisherWith(both, "https://moved.example.org").Settings(t.Context(), tools); err != nil {
		t.Fatal(err)
	}
	w.checkSilent("a script that is as it should be")
}

func contains(text string, all ...string) bool {
	for _, s := range all {
		if !strings.Contains(text, s) {
			return false
		}
	}
	return true
}
