// Package snapshot keeps states of a repository as objects of its bucket (publish/PROTOCOL.md, "Snapshots"). A snapshot is
//
//	<owner>/<name>/snapshots/<ID>/…         copies of pointers and of the files that sign them, and configuration of clients
//	.snapshots/<owner>/<name>/<ID>.json     its record, which holds what the pointers name ([tree.Snapshot])
//	.repomill/<owner>/<name>/snapshots.json the list by which the resolver knows it
//
// Nothing else is copied: paths below a snapshot lead to the repository's own indexes and packages (layout.Rewrites). The record is written
// last, and removed last. Files of packages are not held by it: the rows of the catalog are.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"repomill/publish"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Bucket is the store of published releases, in which snapshots lie. Its methods may be called concurrently. After an error that is not
// named below, the result of a write is unknown.
type Bucket interface {
	tree.Reader
	tree.Lister

	// Create stores body as object o. If the key exists, it returns [fs.ErrExist].
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Swap replaces version old of the key of o, or creates it if old is empty, and returns the new version. If the key has another
	// version, it stores nothing and returns [layout.ErrConflict].
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)

	// Delete removes version v of key. If it is already gone, that is success; if another version is there, the error is
	// [layout.ErrConflict].
	Delete(ctx context.Context, key string, v layout.Version) error
}

// A Publisher has the keys of the instance, and renders the configuration of clients. It is a [*publish.Publisher].
type Publisher interface {
	Keys() publish.Keys
	SnapshotFile(s catalog.Settings, d catalog.Distribution, f catalog.Format, id string) (layout.Object, []byte)
}

// A Config configures [New]. Every field is required.
type Config struct {
	Bucket    Bucket
	Publisher Publisher
	Log       *slog.Logger
}

// Snapshots takes, lists, signs and deletes snapshots. Its methods may be called concurrently, and by several processes. Each may be
// interrupted at any write; a repeat goes on. They do not retry faults of the store.
type Snapshots struct {
	bucket    Bucket
	publisher Publisher
	log       *slog.Logger
}

// New returns the snapshots of a bucket.
func New(c Config) *Snapshots {
	return &Snapshots{bucket: c.Bucket, publisher: c.Publisher, log: c.Log}
}

var (
	// ErrExists is returned by [Snapshots.Create] if another snapshot has the identifier or the name.
	ErrExists = errors.New("there is such a snapshot already")
	// ErrNotNow is returned by [Snapshots.Create] for an identifier that is not the time of the present: a snapshot has the state of its time.
	ErrNotNow = errors.New("its time is not the present")
	// ErrNothing is returned by [Snapshots.Create] if none of the releases was ever published.
	ErrNothing = errors.New("nothing of it was ever published")
	// ErrDeleting is returned by [Snapshots.Create] for a snapshot whose deletion has begun.
	ErrDeleting = errors.New("it is being deleted")
)

const (
	// maxAge is how long a snapshot may be in the making. A pointer that was live then names files that collection keeps for a retention
	// period, which is much longer, so the record is in time to hold them.
	maxAge = time.Hour
	// maxSkew is how far the clock that an identifier is from may be ahead of the store's.
	maxSkew = 5 * time.Second
	// maxRequests is how many requests of one snapshot run at a time.
	maxRequests = 8
	// maxAttempts bounds the attempts at an object that several processes write.
	maxAttempts = 20
)

// List returns the records of all snapshots of a repository, in order of their times.
func (s *Snapshots) List(ctx context.Context, r catalog.Repository) ([]tree.Snapshot, error) {
	return tree.Snapshots(ctx, s.bucket, r)
}

// now returns the store's time, from a read.
func (s *Snapshots) now(ctx context.Context) (time.Time, error) {
	meta, err := s.bucket.Stat(ctx, layout.FormatKey)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return meta.Now, err
}

// checkTime returns [ErrNotNow] unless a snapshot may be taken under an identifier now.
func (s *Snapshots) checkTime(ctx context.Context, id string) error {
	t, ok := layout.ParseSnapshotID(id)
	if !ok {
		return fmt.Errorf("snapshot %.100q: an identifier is a time in UTC, such as 20261129T021500Z", id)
	}
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	if age := now.Sub(t); age > maxAge || age < -maxSkew {
		return fmt.Errorf("snapshot %s, at %s by the store's clock: %w: take one with a new identifier", id, now.UTC().Format(time.RFC3339), ErrNotNow)
	}
	return nil
}
