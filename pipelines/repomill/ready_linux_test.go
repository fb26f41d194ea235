package main_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// The only key expires while a site runs: /readyz says so, and names no host.
func TestReadyzWithoutAKey(t *testing.T) {
	t.Parallel()
	if _, err := program(); err != nil { // which takes a while to build
		t.Fatal(err)
	}
	left := 12 * time.Second
	for !readyUntilTheKeyExpires(t, left) {
		if left *= 3; left > 5*time.Minute {
			t.Fatal("the program does not start before the key expires")
		}
	}
}

// readyUntilTheKeyExpires reports whether the program was ready while its key had so much time left.
func readyUntilTheKeyExpires(t *testing.T, left time.Duration) bool {
	t.Helper()
	data, listen := proctest.OpenDir(t), porttest.Free(t)
	made := time.Now().Add(-48 * time.Hour)
	life := uint32((48*time.Hour + left) / time.Second)
	private, fingerprint := newKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: life, Time: func() time.Time { return made }})
	if err := os.WriteFile(data+"/signing-key.asc", private, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := startSite(data, "--ops-listen", listen)
	expired := func() bool { return time.Since(made) > 48*time.Hour+left-time.Second }
	if err != nil {
		if expired() {
			return false
		}
		t.Fatal(err)
	}
	defer s.Stop() //nolint:errcheck // what it does without a key is not tested here
	status, body := get(t, "http://"+listen+"/readyz")
	if expired() {
		return false
	}
	if status != 200 {
		t.Errorf("before: %d %s", status, body)
	}
	for end := time.Now().Add(left + 2*time.Minute); ; time.Sleep(200 * time.Millisecond) {
		status, body := get(t, "http://"+listen+"/readyz")
		if status == 503 {
			if want := "not ready: no signing key can sign: key " + fingerprint + ": it expired at "; !strings.HasPrefix(string(body), want) {
				t.Errorf("got %q, want %q", body, want)
			}
			return true
		}
		if time.Now().After(end) {
			t.Fatalf("/readyz answers %d %s", status, body)
		}
	}
}
