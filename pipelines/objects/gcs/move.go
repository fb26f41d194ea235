package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Move gives exactly this generation another name that must be free, in place of its own, and returns it as the upload of
// that name, with the same metadata. If the name is taken, the error is fs.ErrExist; if the generation was replaced or
// removed, [catalog.ErrGone]. Google copies the bytes. If only the removal of the old name fails, the upload has moved:
// what is left of it is swept later.
func (s *Staging) Move(ctx context.Context, u catalog.Upload, object string) (catalog.Upload, error) {
	if !validName(object) {
		return catalog.Upload{}, fmt.Errorf("stage %.200q: no object can have this name: %w", object, fs.ErrInvalid)
	}
	from, err := s.generation(u)
	if err != nil {
		return catalog.Upload{}, err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	source, err := from.Attrs(w)
	if err != nil {
		return catalog.Upload{}, s.readFault(u, w.blame(err))
	}
	copier := s.bucket.Object(object).If(storage.Conditions{DoesNotExist: true}).CopierFrom(from)
	copier.ProgressFunc = func(uint64, uint64) { w.feed() }
	moved, err := copier.Run(w)
	if hasCode(err, http.StatusPreconditionFailed) { // perhaps of a retry, after an answer that was lost
		there, failed := s.bucket.Object(object).Attrs(w)
		switch {
		case failed == nil && there.Metadata[writeKey] != "" && there.Metadata[writeKey] == source.Metadata[writeKey]:
			moved, err = there, nil
		case failed == nil:
			return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, fs.ErrExist)
		}
	}
	if gone(err) {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", u, catalog.ErrGone)
	}
	if err != nil {
		return catalog.Upload{}, s.explain("stage", object, createOrReplace, w.blame(err))
	}
	s.Delete(ctx, u) //nolint:errcheck // it is swept later
	return s.upload(moved), nil
}

// SweepIncoming removes what processes that ended have left under [layout.Incoming], when it is older than
// [layout.IncomingTime].
func (s *Staging) SweepIncoming(ctx context.Context, now time.Time) error {
	q := storage.Query{Prefix: layout.Incoming, Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name", "Generation", "Size", "Created"}); err != nil {
		return err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	for it := s.bucket.Objects(w, &q); ; w.feed() {
		attrs, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return s.explain("list", "", "storage.objects.list", w.blame(err))
		}
		if now.Sub(attrs.Created) <= layout.IncomingTime {
			continue
		}
		if err := s.Delete(ctx, s.upload(attrs)); err != nil {
			return err
		}
	}
}
