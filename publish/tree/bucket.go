// Package tree reads the objects of a published bucket: pointers, manifests, settings, lists of withdrawn packages. The
// protocol (package publish), collection (publish/collect) and the way back from indexes to rows (publish/restore) use
// it. It writes nothing.
//
//	<owner>/<name>/…               pointers ([ParsePointer], [OpenPointer]) and the files beside them, indexes, packages
//	.repomill/<owner>/<name>.json  settings of a repository ([ReadSettings], [Repositories])
//	.snapshots/<owner>/<name>/…    records of snapshots ([ReadSnapshot], [Snapshots])
//	.history/<release>/…           a manifest of each publish ([ReadManifest]), and lists of withdrawn packages ([ReadWithdrawnList])
//
// Package layout has the keys. [Read] reads what clients see of one release, and the versions on whose condition it may be
// replaced.
package tree

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

// A Reader reads the objects of a bucket. Methods may be called concurrently.
type Reader interface {
	// Get returns the bytes of key with their version and the store's time, all from one read. The
	// caller closes the body. For an absent key it returns [fs.ErrNotExist] and a Meta that still has
	// the store's time.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)

	// Stat is Get without the bytes.
	Stat(ctx context.Context, key string) (layout.Meta, error)
}

// A Lister lists the objects of a bucket.
type Lister interface {
	// List calls f for each object whose key begins with prefix, in any order, until f returns an error,
	// which it returns.
	List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error
}

// maxSmall bounds in bytes the objects that are read into memory: pointers, settings, client
// configuration. apt itself reads no more of a Release file.
const maxSmall = 10_000_000

// ReadSmall returns the bytes and metadata of an object of at most 10 MB. For an absent object it returns no error, no
// bytes, and a Meta without a Version.
func ReadSmall(ctx context.Context, b Reader, key string) ([]byte, layout.Meta, error) {
	body, meta, err := b.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
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

// VersionOf returns the version of an object; the empty one if it is absent.
func VersionOf(ctx context.Context, b Reader, key string) (layout.Version, error) {
	meta, err := b.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return meta.Version, err
}

// SumOf returns the SHA-256 of an object; the empty string if it is absent.
func SumOf(ctx context.Context, b Reader, key string) (string, error) {
	body, _, err := b.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
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
