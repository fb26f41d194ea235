package upload

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strings"

	"repomill/schemas/layout"
)

// idOf returns the ID of an upload for callers: its staging key, in characters that a URL needs not quote. It is
// not secret: who asks for a verdict needs a right in the repository.
func idOf(object string) string { return base64.RawURLEncoding.EncodeToString([]byte(object)) }

// parseID returns the staging key that an ID stands for. Only keys that [Handler] makes have one.
func parseID(id string) (object string, at layout.Staged, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil {
		return "", at, false
	}
	at, rej := layout.ParseStaging(string(raw))
	return string(raw), at, rej == nil && at.ID != "" && checkFile(at.File) == nil
}

// pushID returns the ID that the name of a staged object has. Without an Idempotency-Key it is random; with one it
// follows from the key and the caller, so that a retry has the same, from any process and after any restart.
func pushID(principal, idempotencyKey string) string {
	if idempotencyKey == "" {
		return layout.NewID()
	}
	sum := sha256.Sum256([]byte(principal + "\x00" + idempotencyKey))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:len(layout.NewID())]
}
