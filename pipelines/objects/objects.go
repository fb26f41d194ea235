// Package objects opens the published bucket and the staging bucket by URL, and defines what every store of them does.
// The storage systems are the packages below; package objectstest has the tests that each of them passes.
package objects

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/pipelines/objects/gcs"
	"repomill/pipelines/objects/s3"
	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Bucket is a published bucket. Methods may be called concurrently; a write is durable when it
// returns nil.
type Bucket interface {
	publish.Bucket

	// List calls f for each object whose key begins with prefix, in any order, with its size and time. It ends with the
	// first error of f, and returns it. The version is empty if the store cannot list it: [publish.Bucket.Stat] has it.
	List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error

	// Delete removes version v of key. If it is already gone, that is success; if another version is
	// there, the error is [layout.ErrConflict].
	Delete(ctx context.Context, key string, v layout.Version) error

	io.Closer
}

// A Staging is a staging bucket. Methods may be called concurrently.
type Staging interface {
	// Name returns the bucket name of its uploads.
	Name() string

	// Open returns the bytes and the pusher of exactly this generation, and the pusher with a rejection if it is
	// known. The caller closes the body. If the generation was replaced or removed, the error is
	// [catalog.ErrGone], from Open or, if it happens while the object is read, from the last Read.
	Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error)

	// Stat returns the current generation of a staged object, or fs.ErrNotExist.
	Stat(ctx context.Context, object string) (catalog.Upload, error)

	// List calls f for each complete staged object, one after the other. Hidden ones are left out. now is the time with
	// which a folder decides whether a file is still being written.
	List(ctx context.Context, now time.Time, f func(catalog.Upload)) error

	// Put stores a file and returns its upload. The file becomes visible when it is complete and its checksum was
	// compared.
	Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error)

	// Create is Put under a name that must be free. If it is not, the error is fs.ErrExist, with or without having read
	// body.
	Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error)

	// Move gives exactly this generation another name that must be free, in place of its own, and keeps its pusher. If the
	// name is taken, the error is fs.ErrExist; if the generation was replaced or removed, [catalog.ErrGone].
	Move(ctx context.Context, u catalog.Upload, object string) (catalog.Upload, error)

	// SweepIncoming removes what lies under [layout.Incoming] for longer than [layout.IncomingTime].
	SweepIncoming(ctx context.Context, now time.Time) error

	// Delete removes exactly this generation. If it is already gone, that is success.
	Delete(ctx context.Context, u catalog.Upload) error

	// Verdict returns the verdict object of a staging key and its version, or fs.ErrNotExist. For a name
	// that cannot have one in this store the error is fs.ErrInvalid.
	Verdict(ctx context.Context, object string) ([]byte, layout.Version, error)

	// PutVerdict replaces version old of the verdict object of a staging key, or creates it if old is
	// empty. At any other version it stores nothing and returns [layout.ErrConflict]; for a name that
	// cannot have one, fs.ErrInvalid.
	PutVerdict(ctx context.Context, object string, old layout.Version, body []byte) error

	// DeleteVerdict removes version old of the verdict object of a staging key. If there is none, that is success;
	// at any other version it removes nothing and returns [layout.ErrConflict].
	DeleteVerdict(ctx context.Context, object string, old layout.Version) error

	io.Closer
}

// OpenBucket opens the published bucket that a URL names: file:///folder or
// s3://bucket[/prefix]?region=R[&endpoint=URL][&path-style=true][&profile=NAME].
func OpenBucket(ctx context.Context, rawURL string) (Bucket, error) {
	switch scheme, _, _ := strings.Cut(rawURL, "://"); scheme {
	case "file":
		store, err := file.OpenBucket(rawURL)
		if err != nil {
			return nil, err
		}
		return store, nil
	case "s3":
		store, err := s3.OpenBucket(ctx, rawURL)
		if err != nil {
			return nil, err
		}
		return store, nil
	default:
		return nil, fmt.Errorf("--bucket %q: use s3://bucket?region=R or file:///path/to/folder", layout.Shown(rawURL))
	}
}

// OpenStaging opens the staging bucket that a URL names: file:///folder or
// gs://bucket[?endpoint=URL][&anonymous=true].
func OpenStaging(ctx context.Context, rawURL string) (Staging, error) {
	switch scheme, _, _ := strings.Cut(rawURL, "://"); scheme {
	case "file":
		store, err := file.OpenStaging(rawURL)
		if err != nil {
			return nil, err
		}
		return store, nil
	case "gs":
		store, err := gcs.OpenStaging(ctx, rawURL)
		if err != nil {
			return nil, err
		}
		return store, nil
	default:
		return nil, fmt.Errorf("--staging %q: use gs://bucket or file:///path/to/folder", layout.Shown(rawURL))
	}
}
