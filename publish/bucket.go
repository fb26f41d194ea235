package publish

import (
	"context"
	"io"
	"io/fs"

	"repomill/publish/tree"
	"repomill/schemas/layout"
)

var (
	// ErrNotExist is returned for an absent key.
	ErrNotExist = fs.ErrNotExist
	// ErrExists is returned by Create for a key that is taken.
	ErrExists = fs.ErrExist
	// ErrConflict is returned by Swap when another writer was faster.
	ErrConflict = layout.ErrConflict
)

// A Bucket is where a release is published. Methods may be called concurrently; a write is durable
// when it returns nil. An error without a name below leaves the result unknown: Get and compare.
type Bucket interface {
	tree.Reader
	tree.Lister

	// Create stores body as object o, visible only once body has ended with io.EOF. If the key exists
	// it returns [ErrExists], with or without having read body; whether the bytes are equal is the
	// caller's question.
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Copy copies an object inside the store, without reading it; an existing target is [ErrExists].
	Copy(ctx context.Context, from string, o layout.Object) error

	// Swap replaces version old of o's key, or creates it if old is empty, and returns the new
	// version. At any other version it stores nothing and returns [ErrConflict].
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)
}
