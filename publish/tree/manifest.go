package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Manifest is the record of one publish, whether its swap won or not. Following Previous from the
// live pointer's manifest gives the release's history, as far as it is kept: at least three publishes, and
// all of the retention period.
type Manifest struct {
	Release  string    `json:"release"`
	Revision int64     `json:"revision"`
	Nonce    string    `json:"nonce"`
	Date     time.Time `json:"date"`
	Pointer  Object    `json:"pointer"`
	Previous string    `json:"previous,omitempty"` // SHA-256 of the pointer that was replaced
	Packages int       `json:"packages"`

	// Signature is that of the pointer, where it is not in the pointer itself. It proves that these bytes were signed here.
	Signature string `json:"signature,omitempty"`

	Indexes []Object `json:"indexes"`

	// Withdrawn names the chunks of the list of withdrawn packages ([WithdrawnList]); none if there are none. WithdrawnFormat is the
	// [WithdrawnFormat] of that list, and Generation that of the rows: a list of another format or generation is not updated. Without
	// a format nothing is known of withdrawn packages, unless an earlier version wrote their list as one object, Yanked.
	Withdrawn       *Object `json:"withdrawn,omitempty"`
	WithdrawnFormat int     `json:"withdrawn_format,omitempty"`
	Generation      int64   `json:"generation,omitempty"`
	Yanked          *Object `json:"yanked,omitempty"`
}

// An Object is an object that a publish wrote.
type Object struct {
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ManifestKey returns the key of the manifest of a pointer.
func ManifestKey(r catalog.Release, revision catalog.Revision, pointerSHA256 string) string {
	return layout.ManifestKey(r, strconv.FormatInt(revision.Number, 10), pointerSHA256)
}

// ReadManifest reads the manifest under a key of a release. If there is none, the error is [fs.ErrNotExist].
func ReadManifest(ctx context.Context, b Reader, r catalog.Release, key string) (m Manifest, err error) {
	body, meta, err := ReadSmall(ctx, b, key)
	switch {
	case err != nil:
		return m, err
	case meta.Version == "":
		return m, fmt.Errorf("read manifest %s: %w", key, fs.ErrNotExist)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("read manifest %s: %w", key, err)
	}
	if m.Release != r.String() {
		return m, fmt.Errorf("read manifest %s: it is of release %.300q", key, m.Release)
	}
	return m, nil
}

// Sum returns the SHA-256 of b in lower-case hexadecimal.
func Sum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// PointerOf is the inverse of [ManifestKey]: it returns the SHA-256 of the pointer of the manifest under a key. It reports
// false for other keys.
func PointerOf(r catalog.Release, key string) (sum string, ok bool) {
	name, ok := strings.CutPrefix(key, layout.HistoryPrefix(r))
	m := manifestName.FindStringSubmatch(name)
	if !ok || m == nil {
		return "", false
	}
	return m[1], true
}

// manifestName is what follows [layout.HistoryPrefix] in the key of a manifest.
var manifestName = regexp.MustCompile(`^[0-9]+-([0-9a-f]{64})\.json$`)
