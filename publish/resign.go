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

// resign signs what is published again if other keys should have signed it. Nothing is rendered, and the revision is the
// same: it costs a read and a few small writes. It returns how the release is signed then. A publisher that has not
// all of the keys leaves it to others, or they would sign each other's releases again for ever.
func (p *Publisher) resign(ctx context.Context, f format, k Keys, snap *catalogdb.Snapshot, old tree.Published, m mode) (by string, signed bool, err error) {
	want := k.SignedBy(old.Release)
	if snap.SignedBy == want && !m.repair || k.lacking {
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

// copyManifest records that a pointer is replaced by one that says the same.
func copyManifest(ctx context.Context, b Bucket, s signed, date time.Time, old tree.Published) error {
	was := tree.Sum(old.Body)
	if tree.Sum(s.pointer) == was {
		return nil
	}
	m, err := tree.ReadManifest(ctx, b, old.Release, tree.ManifestKey(old.Release, old.Revision, was))
	if errors.Is(err, ErrNotExist) { // lost; what the pointer itself names is known
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

// wasPublished makes sure that a manifest is there which names the same indexes for the same pointer. Without a date of its
// own a repomd.xml is once more what it was before when its hints are: a key was added, and one retired. The chain of
// manifests then leaves out what was between, which was the same revision.
func wasPublished(ctx context.Context, b Bucket, r catalog.Release, revision catalog.Revision, m tree.Manifest) error {
	key := tree.ManifestKey(r, revision, m.Pointer.SHA256)
	found, err := tree.ReadManifest(ctx, b, r, key)
	if err == nil && (found.Revision != m.Revision || found.Nonce != m.Nonce || !slices.Equal(found.Indexes, m.Indexes)) {
		err = fmt.Errorf("write manifest: %s names other indexes: %w", key, ErrConflict)
	}
	return err
}

// signTime returns the time of a signature that belongs to what is published: its date, so that two publishers make the
// same one, unless one of the keys is younger.
func (k Keys) signTime(old tree.Published) time.Time {
	if k.newest.After(old.Date) {
		return old.Now
	}
	return old.Date
}
