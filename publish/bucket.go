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

// A Bucket is the store of published releases. Its methods may be called concurrently. A write is durable when it returns nil. After
// an error that is not named below, the result of a write is unknown: call Get, and compare.
type Bucket interface {
	tree.Reader
	tree.Lister

	// Create stores body as object o, visible only once body has ended with io.EOF. If the key exists, it returns [ErrExists], with
	// or without having read body. It does not compare bytes.
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Copy copies an object inside the store, without downloading it. If the target exists, it returns [ErrExists].
	Copy(ctx context.Context, from string, o layout.Object) error

	// Swap replaces version old of the key of o, or creates it if old is empty, and returns the new version. If the key has another
	// version, it stores nothing and returns [ErrConflict].
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)
}
