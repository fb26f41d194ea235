package main_test

import (
	"os"
	"strings"
	"testing"

	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// zypper takes the release package, and reads on by a key that did not exist when it was set up. Debian's libzypp does not
// know the hints of keys in a repomd.xml (SUSE's bug 1184326), and asks, like dnf, unless it is allowed to import.
func TestKeyringPackageWithZypper(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "zypper")
	if os.Getenv("REPOMILL_TEST_CLIENTS") == "" {
		t.Skip("zypper takes its time: set REPOMILL_TEST_CLIENTS")
	}
	s := newSite(t)
	s.publish(t, "acme/tools/opensuse/15.6", newRPM(t, rpmtest.Spec{Version: "1.0", Arch: "noarch"}))
	s.keyringOn(t, "acme/tools")
	old := s.signs(t)
	z := newZypper(t, string(s.fetch(t, "acme/tools/opensuse/15.6.repo")))
	if a := z.run(t, "--gpg-auto-import-keys", "refresh"); a.Code != 0 {
		t.Fatalf("%v", a)
	}
	downloaded := func() int {
		if a := z.run(t, "install", "--download-only", "acme-tools-release"); a.Code != 0 {
			t.Errorf("%v", a)
		}
		return len(digests(t, z.dir+"/var/cache/zypp/packages/acme_tools/acme-tools-release-*.rpm"))
	}
	if got := downloaded(); got != 1 {
		t.Errorf("%d packages downloaded, want 1", got)
	}
	next := s.addKey(t)
	proctest.Eventually(t, "a second version, downloaded as an upgrade is", func() bool {
		return z.run(t, "refresh", "--force").Code == 0 && downloaded() == 2
	})
	s.rotate(t, old, next)
	s.publish(t, "acme/tools/opensuse/15.6", newRPM(t, rpmtest.Spec{Version: "2.0", Arch: "noarch"}))
	if a := z.run(t, "--gpg-auto-import-keys", "refresh", "--force"); a.Code != 0 {
		t.Errorf("refresh: %v", a)
	}
	if a := z.run(t, "search", "--details"); !strings.Contains(a.Stdout, "2.0-1") {
		t.Errorf("zypper does not know what was published since: %v", a)
	}
}
