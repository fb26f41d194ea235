package clients_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"repomill/testdata/proctest"
)

// aptly counts every version, and mirrors what a filter selects.
func readAptly(t *testing.T, s *site) func(*testing.T, realPackage) {
	proctest.Need(t, "aptly")
	dir := s.folder(t, "aptly")
	config := "-config=" + write(t, dir, "aptly.conf", fmt.Sprintf(`{"rootDir": %q, "gpgProvider": "internal", "architectures": ["amd64", "arm64"]}`, dir))
	ring := "-keyring=" + write(t, dir, "ring.gpg", dearmor(t, s.fetch(t, "acme/tools/gpgkey")))
	aptly := func(t *testing.T, args ...string) string {
		t.Helper()
		return proctest.Must(t, nil, "aptly", append([]string{config}, args...)...)
	}
	aptly(t, "mirror", "create", ring, "-filter="+strings.ReplaceAll(filter, "Package", "Name"), "ours", s.url+"/acme/tools/ubuntu", "jammy", "main")
	mirror := func(t *testing.T, want ...realPackage) {
		t.Helper()
		out := aptly(t, "mirror", "update", ring, "ours")
		if line := fmt.Sprintf("Packages filtered: %d -> %d.\n", len(s.want), len(want)); !strings.Contains(out, line) {
			t.Errorf("aptly mirror update does not say %q:\n%s", line, out)
		}
	}
	mirror(t, s.real...)
	aptly(t, "snapshot", "create", "now", "from", "mirror", "ours")
	aptly(t, "publish", "snapshot", "-skip-signing", "-skip-contents", "-skip-bz2", "now")
	wantDownloads(t, dir+"/public/pool/main/*/*/*.deb", s.real...)
	return func(t *testing.T, more realPackage) { mirror(t, append(s.real, more)...) }
}

func dearmor(t *testing.T, key string) string {
	t.Helper()
	block, err := armor.Decode(strings.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, block.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
