// Package publish puts one release onto a bucket: immutable files first, the pointer last, so that a
// reader never sees a mixture (PROTOCOL.md, "One release"). It reads releases back for a catalog that lost
// history, and removes what no client needs any more.
package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"repomill/schemas/layout"
)

var (
	// ErrNotExist is returned for an absent key.
	ErrNotExist = fs.ErrNotExist
	// ErrExists is returned by Create for a key that is taken.
	ErrExists = fs.ErrExist
	// ErrConflict is returned by Swap when somebody else was faster.
	ErrConflict = layout.ErrConflict
)

// A Bucket is where a release is published. Methods may be called concurrently; a write is durable
// when it returns nil. An error without a name below leaves the result unknown: Get and compare.
type Bucket interface {
	// Get returns the bytes of key with their version and the store's time, all from one read. The
	// caller closes the body. For an absent key it returns [ErrNotExist] and a Meta that still has
	// the store's time.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)

	// Stat is Get without the bytes.
	Stat(ctx context.Context, key string) (layout.Meta, error)

	// Create stores body as object o, visible only once body has ended with io.EOF. If the key exists
	// it returns [ErrExists], with or without having read body; whether the bytes are equal is the
	// caller's question.
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Swap replaces version old of o's key, or creates it if old is empty, and returns the new
	// version. At any other version it stores nothing and returns [ErrConflict].
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)
}

// A Copier copies an object inside the store, without reading it; an existing target is [ErrExists].
type Copier interface {
	Copy(ctx context.Context, from string, o layout.Object) error
}

// A Store is a bucket that can copy and list.
type Store interface {
	Bucket
	Copier
	Lister
}

// maxSmall bounds in bytes the objects that are read into memory: pointers, settings, client
// configuration. apt itself reads no more of a Release file.
const maxSmall = 10_000_000

// readSmall returns the bytes of a small object; none and no error for an absent one.
func readSmall(ctx context.Context, b Bucket, key string) ([]byte, layout.Meta, error) {
	body, meta, err := b.Get(ctx, key)
	if errors.Is(err, ErrNotExist) {
		return nil, meta, nil
	}
	if err != nil {
		return nil, meta, err
	}
	defer body.Close()
	all, err := io.ReadAll(io.LimitReader(body, maxSmall+1))
	if err == nil && len(all) > maxSmall {
		err = fmt.Errorf("more than %d bytes", maxSmall)
	}
	if err != nil {
		return nil, meta, fmt.Errorf("read %s: %w", key, err)
	}
	return all, meta, nil
}

// versionOf returns the version of an object; the empty one if it is absent.
func versionOf(ctx context.Context, b Bucket, key string) (layout.Version, error) {
	meta, err := b.Stat(ctx, key)
	if errors.Is(err, ErrNotExist) {
		return "", nil
	}
	return meta.Version, err
}

// sumOf returns the SHA-256 of an object; the empty string if it is absent.
func sumOf(ctx context.Context, b Bucket, key string) (string, error) {
	body, _, err := b.Get(ctx, key)
	if errors.Is(err, ErrNotExist) {
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
