package upload_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

func TestDigests(t *testing.T) {
	of := func(s string) string {
		b := sha256.Sum256([]byte(s))
		return base64.StdEncoding.EncodeToString(b[:])
	}
	d := open(t, nil)
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"hexadecimal", []string{"X-Checksum-Sha256: " + sum("bytes")}, 202},
		{"in capitals", []string{"X-Checksum-Sha256: " + strings.ToUpper(sum("bytes"))}, 202},
		{"Digest", []string{"Digest: SHA-256=" + of("bytes")}, 202},
		{"Digest, in another case, beside others", []string{"Digest: md5=xx, sha-256=" + of("bytes") + ",unixsum=1"}, 202},
		{"Content-Digest", []string{"Content-Digest: sha-512=:xx:, sha-256=:" + of("bytes") + ":"}, 202},
		{"Repr-Digest", []string{"Repr-Digest: sha-256=:" + of("bytes") + ":"}, 202},
		{"other algorithms alone", []string{"Digest: md5=xx"}, 202},
		{"all of them", []string{"X-Checksum-Sha256: " + sum("bytes"), "Digest: SHA-256=" + of("bytes"), "Content-Digest: sha-256=:" + of("bytes") + ":"}, 202},
		{"one of them another", []string{"X-Checksum-Sha256: " + sum("bytes"), "Digest: SHA-256=" + of("other")}, 422},
		{"Digest of other bytes", []string{"Digest: SHA-256=" + of("other")}, 422},
		{"Content-Digest of other bytes", []string{"Content-Digest: sha-256=:" + of("other") + ":"}, 422},
		{"Content-Digest without colons", []string{"Content-Digest: sha-256=" + of("bytes")}, 422},
		{"Digest in hexadecimal", []string{"Digest: SHA-256=" + sum("bytes")}, 422},
		{"too short", []string{"X-Checksum-Sha256: " + sum("bytes")[:62]}, 422},
		{"empty", []string{"X-Checksum-Sha256: "}, 422},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(d.staged(t))
			got := d.put(t, place, "bytes", tt.headers...)
			if got.status != tt.status {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
			if stored := len(d.staged(t)) - before; (stored == 1) != (tt.status == 202) {
				t.Errorf("%d uploads were stored", stored)
			}
		})
	}
}
