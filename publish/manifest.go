package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Manifest is the record of one publish, whether its swap won or not. Following Previous from the
// live pointer's manifest gives the release's history, as far as it is kept: at least three publishes, and
// all of the retention period.
type Manifest struct {
	Release  string         `json:"release"`
	Revision int64          `json:"revision"`
	Nonce    string         `json:"nonce"`
	Date     time.Time      `json:"date"`
	Pointer  ManifestObject `json:"pointer"`
	Previous string         `json:"previous,omitempty"` // SHA-256 of the pointer that was replaced
	Packages int            `json:"packages"`

	// Signature is that of the pointer, where it is not in the pointer itself. It proves that these bytes were signed here.
	Signature string `json:"signature,omitempty"`

	Indexes []ManifestObject `json:"indexes"`
	Yanked  *ManifestObject  `json:"yanked,omitempty"` // the list of withdrawn packages; none if there are none
}

// A ManifestObject is an object that a publish wrote.
type ManifestObject struct {
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// writeManifest records a publish just before its swap.
func (p *Publisher) writeManifest(ctx context.Context, d draft, s signed, old published) error {
	m := Manifest{
		Release: d.release.String(), Revision: d.revision.Number, Nonce: d.revision.Nonce, Date: d.date, Packages: d.packages,
	}
	m.name(d.release, s)
	if old.exists {
		m.Previous = hexSum(old.body)
	}
	for _, x := range d.indexes {
		m.Indexes = append(m.Indexes, x.object())
	}
	for _, x := range d.yanked {
		o := x.object()
		m.Yanked = &o
	}
	return p.createManifest(ctx, d.release, d.revision, m)
}

// name says what the pointer is.
func (m *Manifest) name(r catalog.Release, s signed) {
	m.Pointer = ManifestObject{Key: layout.PointerKey(r), Size: int64(len(s.pointer)), SHA256: hexSum(s.pointer)}
	m.Signature = ""
	for _, o := range s.before { // RPM: the signature alone
		m.Signature = string(o.body)
	}
}

func (p *Publisher) createManifest(ctx context.Context, r catalog.Release, revision catalog.Revision, m Manifest) error {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	key := manifestKey(r, revision, m.Pointer.SHA256)
	err = p.bucket.Create(ctx, layout.ObjectOf(key), bytes.NewReader(body))
	if errors.Is(err, ErrExists) {
		err = p.sameManifest(ctx, key, body)
	}
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

func manifestKey(r catalog.Release, revision catalog.Revision, pointerSHA256 string) string {
	return layout.ManifestKey(r, strconv.FormatInt(revision.Number, 10), pointerSHA256)
}

// readManifest reads the manifest under a key of a release.
func readManifest(ctx context.Context, b Bucket, r catalog.Release, key string) (m Manifest, err error) {
	body, meta, err := readSmall(ctx, b, key)
	switch {
	case err != nil:
		return m, err
	case meta.Version == "":
		return m, fmt.Errorf("read manifest %s: %w", key, ErrNotExist)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("read manifest %s: %w", key, err)
	}
	if m.Release != r.String() {
		return m, fmt.Errorf("read manifest %s: it is of release %.300q", key, m.Release)
	}
	return m, nil
}

// sameManifest makes sure that a manifest which is there already tells the same story. An earlier
// attempt in the same second may have meant to replace another pointer: then a later one has a new
// date, and so a manifest of its own.
func (p *Publisher) sameManifest(ctx context.Context, key string, body []byte) error {
	found, _, err := readSmall(ctx, p.bucket, key)
	if err == nil && !bytes.Equal(found, body) {
		err = fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return err
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
