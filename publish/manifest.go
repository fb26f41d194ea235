package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// writeManifest writes the manifest of a publish, just before its swap.
func writeManifest(ctx context.Context, b Bucket, d unsignedRelease, s signed, old tree.Published) error {
	m := tree.Manifest{
		Release: d.release.String(), Revision: d.revision.Number, Nonce: d.revision.Nonce, Date: d.date, Packages: d.packages,
		Withdrawn: d.withdrawn.object, WithdrawnFormat: tree.WithdrawnFormat, Generation: d.generation,
	}
	s.name(d.release, &m)
	if old.Exists {
		m.Previous = tree.Sum(old.Body)
	}
	for _, x := range d.indexes {
		m.Indexes = append(m.Indexes, x.object())
	}
	return createManifest(ctx, b, d.release, d.revision, m)
}

// name sets the pointer in a manifest.
func (s signed) name(r catalog.Release, m *tree.Manifest) {
	m.Pointer = tree.Object{Key: layout.PointerKey(r), Size: int64(len(s.pointer)), SHA256: tree.Sum(s.pointer)}
	m.Signature = ""
	for _, o := range s.before { // RPM: only the signature
		m.Signature = string(o.body)
	}
}

func createManifest(ctx context.Context, b Bucket, r catalog.Release, revision catalog.Revision, m tree.Manifest) error {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	key := tree.ManifestKey(r, revision, m.Pointer.SHA256)
	err = b.Create(ctx, layout.ObjectOf(key), bytes.NewReader(body))
	if errors.Is(err, ErrExists) {
		err = sameManifest(ctx, b, key, body)
	}
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// sameManifest returns [ErrConflict] if an existing manifest has other bytes. An earlier attempt in the same second may have recorded
// the replacement of another pointer. A later attempt has a new date, and so another manifest.
func sameManifest(ctx context.Context, b Bucket, key string, body []byte) error {
	found, _, err := tree.ReadSmall(ctx, b, key)
	if err == nil && !bytes.Equal(found, body) {
		err = fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return err
}
