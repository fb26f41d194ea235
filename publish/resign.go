package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// resign signs the published pointer again if other keys should have signed it. It renders nothing and keeps the revision: it costs a
// read and a few small writes. It returns the signers of the release ([Keys.SignedBy]). A publisher that lacks some of the keys does
// not sign again: two such publishers would replace each other's signatures endlessly.
func (p *Publisher) resign(ctx context.Context, f format, k Keys, snap *catalogdb.Snapshot, old tree.Published, opt options) (by string, signed bool, err error) {
	want := k.SignedBy(old.Release)
	if snap.SignedBy == want && !opt.repair || k.lacking {
		return snap.SignedBy, false, nil
	}
	if by, err = f.signedBy(ctx, p.bucket, k, old); err != nil || by == want {
		return by, false, err
	}
	s, date, err := f.resign(k, old)
	if err != nil {
		return by, false, fmt.Errorf("sign again: %w", err)
	}
	snap.Close() //nolint:errcheck // a read; writing to a distant store may take long
	if err := copyManifest(ctx, p.bucket, s, date, old); err != nil {
		return by, false, err
	}
	if err := p.commit(ctx, f, old, s); err != nil {
		return by, false, err
	}
	return want, true, nil
}

// copyManifest writes the manifest of a pointer that names the same indexes as the one that it replaces.
func copyManifest(ctx context.Context, b Bucket, s signed, date time.Time, old tree.Published) error {
	was := tree.Sum(old.Body)
	if tree.Sum(s.pointer) == was {
		return nil
	}
	m, err := tree.ReadManifest(ctx, b, old.Release, tree.ManifestKey(old.Release, old.Revision, was))
	if errors.Is(err, ErrNotExist) { // lost; the pointer itself names its indexes
		m = tree.Manifest{Release: old.Release.String(), Revision: old.Revision.Number, Nonce: old.Revision.Nonce}
		for _, x := range old.Indexes {
			m.Indexes = append(m.Indexes, x.Packed)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	m.Date, m.Previous = date, was
	s.name(old.Release, &m)
	err = createManifest(ctx, b, old.Release, old.Revision, m)
	if errors.Is(err, ErrConflict) {
		err = wasPublished(ctx, b, old.Release, old.Revision, m)
	}
	return err
}

// wasPublished returns [ErrConflict] unless the manifest of the pointer names the same indexes. A repomd.xml keeps its date when it is
// signed again, so it gets the bytes of an earlier one when its key hints do: after a key was added, and retired. The chain of
// manifests then leaves out the pointers in between, which had the same revision.
func wasPublished(ctx context.Context, b Bucket, r catalog.Release, revision catalog.Revision, m tree.Manifest) error {
	key := tree.ManifestKey(r, revision, m.Pointer.SHA256)
	found, err := tree.ReadManifest(ctx, b, r, key)
	if err == nil && (found.Revision != m.Revision || found.Nonce != m.Nonce || !slices.Equal(found.Indexes, m.Indexes)) {
		err = fmt.Errorf("write manifest: %s names other indexes: %w", key, ErrConflict)
	}
	return err
}

// signTime returns the time for a signature of a published pointer: its date, so that two publishers make the same signature, or the
// present if one of the keys is younger than that.
func (k Keys) signTime(old tree.Published) time.Time {
	if k.newest.After(old.Date) {
		return old.Now
	}
	return old.Date
}
