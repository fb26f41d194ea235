package main_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The only key expires while a site runs: /readyz says so, and names no host.
func TestReadyzWithoutAKey(t *testing.T) {
	t.Parallel()
	data, listen := openDir(t), freeAddress(t)
	if _, err := program(); err != nil { // which takes a while to build
		t.Fatal(err)
	}
	made := time.Now().Add(-48 * time.Hour)
	life := uint32(time.Since(made)/time.Second) + 12
	private, fingerprint := newKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: life, Time: func() time.Time { return made }})
	if err := os.WriteFile(data+"/signing-key.asc", private, 0o600); err != nil {
		t.Fatal(err)
	}
	restart(t, data, "--ops-listen", listen)
	if status, body := get(t, "http://"+listen+"/readyz"); status != 200 {
		t.Errorf("before: %d %s", status, body)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		status, body := get(t, "http://"+listen+"/readyz")
		if status == 503 {
			if want := "not ready: no signing key can sign: key " + fingerprint + ": it expired at "; !strings.HasPrefix(string(body), want) {
				t.Errorf("got %q, want %q", body, want)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("/readyz answers %d %s", status, body)
		}
	}
}
