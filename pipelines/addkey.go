package pipelines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/kms"
	"repomill/pipelines/objects"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// A NewKey says what the public half of a key in a KMS is to be, if there is none.
type NewKey struct {
	Name   string // its user id
	Public []byte // armoured: a public half that exists elsewhere, as of a key that was moved into the KMS; nil: there is none
	Now    time.Time
}

// An AddedKey is a key in a KMS with its public half in the bucket.
type AddedKey struct {
	Fingerprint string
	Object      string // key of the public half in the bucket
	Made        bool   // just now
	Public      []byte // armoured
}

// AddKey puts the public half of a key in a KMS into the bucket: the one that is given, else one that clients have been
// given already, else a new one. It does so once: a repeat, or another process at the same time, finds what is there.
func AddKey(ctx context.Context, bucket objects.Bucket, url string, n NewKey) (AddedKey, error) {
	if !kms.IsURL(url) {
		return AddedKey{}, fmt.Errorf("%q is not the URL of a key in a KMS; use gcpkms://projects/… or awskms://…", layout.Shown(url))
	}
	key, err := kms.Open(ctx, url)
	if err != nil {
		return AddedKey{}, badKey(err)
	}
	defer key.Close() //nolint:errcheck // at the end
	name, err := publicHalfKey(key)
	if err != nil {
		return AddedKey{}, err
	}
	if added, err := foundKey(ctx, bucket, key, name, n); !errors.Is(err, fs.ErrNotExist) {
		return added, err
	}
	public, err := publicHalf(ctx, bucket, key, n)
	if err != nil {
		return AddedKey{}, err
	}
	s, err := sign.Attach(public, key)
	if err != nil {
		return AddedKey{}, badKey(fmt.Errorf("signing key %s: %w", key, err))
	}
	err = bucket.Create(ctx, layout.ObjectOf(name), bytes.NewReader(s.Public()))
	if errors.Is(err, fs.ErrExist) {
		return foundKey(ctx, bucket, key, name, n)
	}
	if err != nil {
		return AddedKey{}, fmt.Errorf("--bucket: %w", err)
	}
	return AddedKey{Fingerprint: s.Fingerprints()[0], Object: name, Made: true, Public: s.Public()}, nil
}

// foundKey returns a key whose public half is in the bucket, or fs.ErrNotExist.
func foundKey(ctx context.Context, bucket objects.Bucket, key *kms.Key, name string, n NewKey) (AddedKey, error) {
	public, err := readKeyring(ctx, bucket, name)
	if errors.Is(err, fs.ErrNotExist) {
		return AddedKey{}, err
	}
	if err != nil {
		return AddedKey{}, fmt.Errorf("--bucket: %w", err)
	}
	s, err := sign.Attach(public, key)
	if err != nil {
		return AddedKey{}, badKey(fmt.Errorf("signing key %s, with the public half in %s: %w", key, name, err))
	}
	if n.Public != nil {
		given, err := sign.Attach(n.Public, key)
		if err != nil {
			return AddedKey{}, badKey(fmt.Errorf("the public half that is given: %w", err))
		}
		if !slices.Equal(given.Fingerprints(), s.Fingerprints()) {
			return AddedKey{}, badKey(fmt.Errorf("signing key %s has a public half already, with another fingerprint: %s, in %s", key, s.Fingerprints()[0], name))
		}
	}
	return AddedKey{Fingerprint: s.Fingerprints()[0], Object: name, Public: s.Public()}, nil
}

// publicHalf returns the public half that a key in a KMS is to have. If the object with it was lost, or the key was in a
// file before, clients have it.
func publicHalf(ctx context.Context, bucket objects.Bucket, key *kms.Key, n NewKey) ([]byte, error) {
	if n.Public != nil {
		return n.Public, nil
	}
	published, err := readKeyring(ctx, bucket, layout.InstanceKeyKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--bucket: %w", err)
	}
	if strings.TrimSpace(string(published)) != "" {
		all, err := sign.Split(published)
		if err != nil {
			return nil, fmt.Errorf("--bucket: %s: %w", layout.InstanceKeyKey, err)
		}
		for _, one := range all {
			if sign.IsOf(one, key) {
				return one, nil
			}
		}
	}
	public, err := sign.Certify(key, n.Name, n.Now)
	return public, badKey(err)
}

// badKey marks an error that no retry mends, unless the KMS may be better soon.
func badKey(err error) error {
	if err == nil || kms.Unavailable(err) {
		return err
	}
	return &BadKey{err}
}
