package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Manifest is the record of one publish, whether its swap won or not. Following Previous from the
// live pointer's manifest gives the release's history.
type Manifest struct {
	Release  string           `json:"release"`
	Revision int64            `json:"revision"`
	Nonce    string           `json:"nonce"`
	Date     time.Time        `json:"date"`
	Pointer  ManifestObject   `json:"pointer"`
	Previous string           `json:"previous,omitempty"` // SHA-256 of the pointer that was replaced
	Packages int              `json:"packages"`
	Indexes  []ManifestObject `json:"indexes"`
}

// A ManifestObject is an object that a publish wrote.
type ManifestObject struct {
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func (p *Publisher) writeManifest(ctx context.Context, snap *catalogdb.Snapshot, d draft, pointerBody []byte, old pointer, date time.Time) error {
	m := Manifest{
		Release: snap.Release.String(), Revision: snap.Revision.Number, Nonce: snap.Revision.Nonce, Date: date, Packages: d.packages,
		Pointer: ManifestObject{Key: layout.PointerKey(snap.Release), Size: int64(len(pointerBody)), SHA256: hexSum(pointerBody)},
	}
	if old.exists {
		m.Previous = hexSum(old.body)
	}
	for _, x := range d.indexes {
		m.Indexes = append(m.Indexes, ManifestObject{Key: x.key, Size: x.index.packed.size, SHA256: x.index.packed.sum()})
	}
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	key := layout.ManifestKey(snap.Release, strconv.FormatInt(m.Revision, 10), m.Pointer.SHA256)
	if err := p.bucket.Create(ctx, layout.ObjectOf(key), bytes.NewReader(append(body, '\n'))); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// sumOf returns the SHA-256 of an object, or "" if it is absent.
func sumOf(ctx context.Context, b Bucket, key string) (string, error) {
	body, _, err := b.Get(ctx, key)
	if isNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return "", fmt.Errorf("read %s: %w", key, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func isNotExist(err error) bool { return errors.Is(err, ErrNotExist) }

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }
