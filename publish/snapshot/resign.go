package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Resign signs again, over the same text, those releases of a repository's snapshots whose signatures are not those of the keys that should
// sign, and writes the configuration of clients with the present keys. It returns how many snapshots it has changed. A snapshot whose
// signatures are right costs the read of its record, unless files is set: then its configuration is compared, too.
//
// A process that lacks one of the keys changes nothing. A snapshot that only a leaked key has signed is an error, and stays as it is; others
// go on, and the errors are joined.
func (s *Snapshots) Resign(ctx context.Context, r catalog.Repository, files bool) (changed int, err error) {
	if _, complete := s.publisher.Keys().Signing(); !complete {
		return 0, nil
	}
	all, err := s.List(ctx, r)
	if err != nil {
		return 0, fmt.Errorf("list snapshots of %s: %w", r, err)
	}
	var n atomic.Int64
	faults := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(maxRequests)
	for i, one := range all {
		if one.Deleting {
			continue
		}
		g.Go(func() error {
			did, err := s.resign(ctx, r, one.ID, files)
			if did {
				n.Add(1)
			}
			if err != nil {
				faults[i] = fmt.Errorf("sign snapshot %s of %s: %w", one.ID, r, err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are joined
	return int(n.Load()), errors.Join(append(faults, ctx.Err())...)
}

// resign signs one snapshot. Signatures come before the record that says who made them: a crash in between leaves a record that says less.
func (s *Snapshots) resign(ctx context.Context, r catalog.Repository, id string, files bool) (changed bool, err error) {
	if ctx.Err() != nil {
		return false, nil
	}
	record, v, err := tree.ReadSnapshot(ctx, s.bucket, r, id)
	if err != nil {
		return false, err
	}
	want, _ := s.publisher.Keys().Signing()
	var errs []error
	for i := range record.Releases {
		one := &record.Releases[i]
		if slices.Equal(one.SignedBy, want) {
			continue
		}
		if err := s.resignRelease(ctx, id, one, want); err != nil {
			errs = append(errs, fmt.Errorf("release %s: %w", one.Release, err))
			continue
		}
		changed = true
	}
	if changed || files {
		if err := s.writeFiles(ctx, r, id, record.Releases); err != nil {
			return false, errors.Join(append(errs, err)...)
		}
	}
	if changed {
		_, err = s.swapRecord(ctx, r, record, v)
	}
	return changed && err == nil, errors.Join(append(errs, err)...)
}

// resignRelease signs the copy of one release, and sets in its entry who has signed it.
func (s *Snapshots) resignRelease(ctx context.Context, id string, one *tree.SnapshotRelease, want []string) error {
	r, err := catalog.ParseRelease(one.Release)
	if err != nil {
		return err
	}
	keys := layout.SnapshotPair(r, id)
	body, meta, err := tree.ReadSmall(ctx, s.bucket, keys[0])
	if err != nil {
		return err
	}
	p := pointer{release: r, body: body, text: tree.SignedText(r, body)}
	if tree.Sum(p.text) != one.Text { // nothing else is signed than what was signed when the snapshot was taken
		return fmt.Errorf("%s is not what the snapshot was taken of: delete the snapshot", keys[0])
	}
	if err := s.proven(ctx, p, keys); err != nil {
		return err
	}
	if r.Arch == "" {
		if p.body, err = s.resignClear(ctx, keys[0], p, meta, want); err != nil {
			return err
		}
	}
	for _, key := range keys[1:] {
		if err := s.resignPair(ctx, key, p, want); err != nil {
			return err
		}
	}
	one.Pointer.Size, one.Pointer.SHA256, one.SignedBy = int64(len(p.body)), tree.Sum(p.body), slices.Clone(want)
	return nil
}

// proven returns [tree.ErrForeign] unless a key that is not leaked has signed the copy.
func (s *Snapshots) proven(ctx context.Context, p pointer, keys []string) error {
	trusted := s.publisher.Keys().Trusted()
	var err error
	if p.release.Arch == "" {
		_, err = trusted.SignersClear(p.body)
	} else {
		var asc []byte
		if asc, _, err = tree.ReadSmall(ctx, s.bucket, keys[1]); err != nil {
			return err
		}
		_, err = trusted.SignersDetached(p.text, asc)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", keys[0], tree.ErrForeign, err)
	}
	return nil
}

// resignClear replaces the signatures of an InRelease, and returns its bytes.
func (s *Snapshots) resignClear(ctx context.Context, key string, p pointer, meta layout.Meta, want []string) ([]byte, error) {
	k := s.publisher.Keys()
	if by, err := k.Known().SignersClear(p.body); err == nil && slices.Equal(distinct(by), want) {
		return p.body, nil
	}
	body, err := k.Signer().Clear(p.text, meta.Now)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if err := signedBy(want, func() ([]string, error) { return k.Trusted().SignersClear(body) }); err != nil {
		return nil, err
	}
	_, err = s.bucket.Swap(ctx, meta.Version, layout.ObjectOf(key), bytes.NewReader(body))
	return body, err
}

// resignPair replaces the signatures in a pair file.
func (s *Snapshots) resignPair(ctx context.Context, key string, p pointer, want []string) error {
	if isText(key) {
		return s.copyPair(ctx, key, "", p)
	}
	k := s.publisher.Keys()
	found, meta, err := tree.ReadSmall(ctx, s.bucket, key)
	if err != nil {
		return err
	}
	if by, err := k.Known().SignersDetached(p.text, found); err == nil && slices.Equal(distinct(by), want) {
		return nil
	}
	body, err := s.sign(p, meta)
	if err != nil {
		return err
	}
	if err := signedBy(want, func() ([]string, error) { return k.Trusted().SignersDetached(p.text, body) }); err != nil {
		return err
	}
	_, err = s.bucket.Swap(ctx, meta.Version, layout.ObjectOf(key), bytes.NewReader(body))
	return err
}

// signedBy returns an error unless a new signature is by all keys that should sign. Keys may have changed since want was read, and one
// that is not valid at the time of the store is left out by the signer.
func signedBy(want []string, signers func() ([]string, error)) error {
	by, err := signers()
	if err == nil && !slices.Equal(distinct(by), want) {
		err = fmt.Errorf("signed by %s, and not by %s", distinct(by), want)
	}
	return err
}

// writeFiles writes the configuration of clients of all distributions of a snapshot, where it differs.
func (s *Snapshots) writeFiles(ctx context.Context, r catalog.Repository, id string, releases []tree.SnapshotRelease) error {
	settings, err := tree.ReadSettings(ctx, s.bucket, r)
	if err != nil {
		return err
	}
	done := map[catalog.Distribution]bool{}
	for _, one := range releases {
		release, err := catalog.ParseRelease(one.Release)
		if err != nil {
			return err
		}
		ds, ok := settings.Find(release.Distribution)
		if !ok || done[release.Distribution] { // one that the repository has no more keeps its file
			continue
		}
		done[release.Distribution] = true
		o, body := s.publisher.SnapshotFile(settings.Settings, release.Distribution, ds.Format, id)
		found, meta, err := tree.ReadSmall(ctx, s.bucket, o.Key)
		if err != nil {
			return err
		}
		if meta.Version != "" && bytes.Equal(found, body) {
			continue
		}
		if _, err := s.bucket.Swap(ctx, meta.Version, o, bytes.NewReader(body)); err != nil && !errors.Is(err, layout.ErrConflict) { // another process writes the same
			return err
		}
	}
	return nil
}
