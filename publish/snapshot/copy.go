package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"repomill/publish"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// copyRelease copies the pointer of a release and its pair files, and returns what the copy names; nil if the release was never published.
//
// The copy of the pointer is created once, and never with other bytes: of several processes, and of attempts after a crash, the first decides
// which state the snapshot has. All else follows from that copy: the pair files that fit it, its indexes, its manifest.
func (s *Snapshots) copyRelease(ctx context.Context, r catalog.Release, id string) (*tree.SnapshotRelease, error) {
	key := layout.SnapshotPair(r, id)[0]
	body, meta, err := tree.ReadSmall(ctx, s.bucket, key)
	if err != nil {
		return nil, err
	}
	if meta.Version == "" {
		live, meta, err := tree.ReadSmall(ctx, s.bucket, layout.PointerKey(r))
		if err != nil || meta.Version == "" {
			return nil, err
		}
		if _, err := s.open(ctx, r, live); err != nil { // nothing unsigned is copied
			return nil, err
		}
		if err := s.bucket.Create(ctx, layout.ObjectOf(key), bytes.NewReader(live)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if body, meta, err = tree.ReadSmall(ctx, s.bucket, key); err != nil {
			return nil, err
		}
		if meta.Version == "" {
			return nil, fmt.Errorf("%s was removed at this moment: %w", key, ErrDeleting)
		}
	}
	copied, err := s.open(ctx, r, body)
	if err != nil {
		return nil, err
	}
	for i, pair := range layout.SnapshotPair(r, id)[1:] {
		if err := s.copyPair(ctx, pair, layout.PairKeys(r)[i+1], copied); err != nil {
			return nil, err
		}
	}
	one := &tree.SnapshotRelease{
		Release: r.String(), Revision: copied.ptr.Revision.Number, Nonce: copied.ptr.Revision.Nonce, Date: copied.ptr.Date,
		Pointer: tree.Object{Key: key, Size: int64(len(body)), SHA256: tree.Sum(body)}, Text: tree.Sum(copied.text),
		Packages: copied.manifest.Packages, Manifest: copied.manifestKey,
	}
	for _, x := range copied.ptr.Indexes {
		one.Indexes = append(one.Indexes, x.Packed)
	}
	one.SignedBy, err = s.signers(ctx, r, id, copied)
	return one, err
}

// A pointer is a pointer that was verified.
type pointer struct {
	release     catalog.Release
	body        []byte
	text        []byte // what its signatures cover
	ptr         tree.Pointer
	manifest    tree.Manifest
	manifestKey string // empty if it was lost
}

// open verifies a pointer, live or copied, and reads its manifest. The signature of a repomd.xml is the one in its manifest or the live
// one: that of a publish which is under way may be of other bytes. Without a good one the error is [tree.ErrForeign].
func (s *Snapshots) open(ctx context.Context, r catalog.Release, body []byte) (p pointer, err error) {
	p = pointer{release: r, body: body, text: body}
	if p.ptr, err = tree.ParsePointer(r, body); err != nil {
		return p, err
	}
	key := tree.ManifestKey(r, p.ptr.Revision, tree.Sum(body))
	p.manifest, err = tree.ReadManifest(ctx, s.bucket, r, key)
	switch {
	case err == nil:
		p.manifestKey = key
	case !errors.Is(err, fs.ErrNotExist):
		return p, err
	}
	trusted := s.publisher.Keys().Trusted()
	if r.Arch == "" {
		if p.text, err = trusted.VerifyClear(body); err != nil {
			err = fmt.Errorf("%w: InRelease: %w", tree.ErrForeign, err)
		}
		return p, err
	}
	if trusted.VerifyDetached(body, []byte(p.manifest.Signature)) == nil {
		return p, nil
	}
	_, err = tree.OpenPointer(ctx, s.bucket, trusted, r, body)
	return p, err
}

// copyPair makes the copy of a pair file that fits a pointer. One that is there and fits stays.
func (s *Snapshots) copyPair(ctx context.Context, key, live string, p pointer) error {
	for range maxAttempts {
		found, meta, err := tree.ReadSmall(ctx, s.bucket, key)
		if err != nil || s.fits(key, p, found) {
			return err
		}
		body, err := s.pairFile(ctx, key, live, p)
		if err != nil {
			return err
		}
		_, err = s.bucket.Swap(ctx, meta.Version, layout.ObjectOf(key), bytes.NewReader(body))
		if !errors.Is(err, layout.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write %s: %w", key, layout.ErrConflict)
}

// fits reports whether the bytes of a pair file fit a pointer.
func (s *Snapshots) fits(key string, p pointer, body []byte) bool {
	if isText(key) {
		return bytes.Equal(body, p.text)
	}
	return len(body) > 0 && s.publisher.Keys().Trusted().VerifyDetached(p.text, body) == nil
}

// isText reports whether a pair file repeats the text of the pointer. Others are signatures.
func isText(key string) bool {
	return layout.ObjectOf(key).ContentType == layout.ObjectOf("Release").ContentType
}

// pairFile returns the bytes of a pair file that fits a pointer: the live ones, or if these are of another publish by now, the signature in
// the manifest (RPM) or another signature of the same text (DEB), whose signature in InRelease was verified.
func (s *Snapshots) pairFile(ctx context.Context, key, live string, p pointer) ([]byte, error) {
	if isText(key) {
		return p.text, nil
	}
	body, meta, err := tree.ReadSmall(ctx, s.bucket, live)
	switch {
	case err != nil:
		return nil, err
	case s.fits(key, p, body):
		return body, nil
	case s.fits(key, p, []byte(p.manifest.Signature)):
		return []byte(p.manifest.Signature), nil
	case p.release.Arch != "":
		return nil, fmt.Errorf("%s has no good signature any more: %w: take another snapshot", p.release, tree.ErrUnproven)
	}
	return s.sign(p, meta)
}

// sign signs the text of a verified pointer once more, as its pair file has it.
func (s *Snapshots) sign(p pointer, meta layout.Meta) ([]byte, error) {
	k := s.publisher.Keys()
	if k.Signer() == nil {
		return nil, errors.New("this process has no signing key")
	}
	sign := publish.Signer.Detach
	if p.release.Arch != "" {
		sign = publish.Signer.DetachRPM
	}
	body, err := sign(k.Signer(), p.text, meta.Now)
	if err == nil {
		err = k.Trusted().VerifyDetached(p.text, body)
	}
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return body, nil
}

// signers returns the fingerprints of the certificates that signed the copy of a pointer, as all of its signatures have them.
func (s *Snapshots) signers(ctx context.Context, r catalog.Release, id string, p pointer) (by []string, err error) {
	known := s.publisher.Keys().Known()
	for i, key := range layout.SnapshotPair(r, id) {
		var some []string
		switch {
		case r.Arch == "" && i == 0:
			some, err = known.SignersClear(p.body)
		case isText(key), i == 0:
			continue
		default:
			body, _, err := tree.ReadSmall(ctx, s.bucket, key)
			if err != nil {
				return nil, err
			}
			if some, err = known.SignersDetached(p.text, body); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		if err != nil {
			return nil, err
		}
		some = distinct(some)
		if by != nil && !slices.Equal(by, some) { // two moments: neither is all
			return []string{}, nil
		}
		by = some
	}
	return by, nil
}

// distinct returns fingerprints once each, in the order in which they come first.
func distinct(all []string) (once []string) {
	for _, one := range all {
		if !slices.Contains(once, one) {
			once = append(once, one)
		}
	}
	return once
}
