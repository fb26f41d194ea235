package gcs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"

	"cloud.google.com/go/storage"

	"repomill/schemas/layout"
)

// maxVerdict bounds a verdict object in bytes.
const maxVerdict = 1 << 20

// verdict returns the object of a verdict, or fs.ErrInvalid.
func (s *Staging) verdict(object string) (*storage.ObjectHandle, error) {
	key := layout.VerdictKey(object)
	if object == "" || !validName(key) {
		return nil, fmt.Errorf("verdict of %.200q: no object can have this name: %w", object, fs.ErrInvalid)
	}
	return s.bucket.Object(key), nil
}

// Verdict returns the verdict object of a staging key and its generation, or fs.ErrNotExist.
func (s *Staging) Verdict(ctx context.Context, object string) ([]byte, layout.Version, error) {
	o, err := s.verdict(object)
	if err != nil {
		return nil, "", err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	r, err := o.NewReader(w)
	if err != nil {
		return nil, "", s.explain("read", o.ObjectName(), "storage.objects.get", w.blame(err))
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, maxVerdict+1))
	if err != nil {
		return nil, "", s.explain("read", o.ObjectName(), "storage.objects.get", w.blame(err))
	}
	if len(body) > maxVerdict {
		return nil, "", fmt.Errorf("read gs://%s/%q: it is larger than %d bytes", s.name, o.ObjectName(), maxVerdict)
	}
	return body, layout.Version(strconv.FormatInt(r.Attrs.Generation, 10)), nil
}

// PutVerdict replaces version old of the verdict object of a staging key, or creates it if old is
// empty. At any other version it stores nothing and returns [layout.ErrConflict].
func (s *Staging) PutVerdict(ctx context.Context, object string, old layout.Version, body []byte) error {
	o, err := s.verdict(object)
	if err != nil {
		return err
	}
	if len(body) > maxVerdict {
		return fmt.Errorf("write gs://%s/%q: %d bytes are too many: %w", s.name, o.ObjectName(), len(body), fs.ErrInvalid)
	}
	conditions := storage.Conditions{DoesNotExist: old == ""}
	if old != "" {
		if conditions, err = s.at(old, o); err != nil {
			return err
		}
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	to := o.If(conditions).NewWriter(w)
	to.ChunkSize = maxVerdict + 256<<10 // one request, which is repeated if need be
	to.ContentType, to.CacheControl = "application/json", "no-store"
	to.Metadata = map[string]string{writeKey: rand.Text()}
	if _, err := to.Write(body); err != nil {
		to.Close() //nolint:errcheck // the first error says more
		return s.explain("write", o.ObjectName(), createOrReplace, w.blame(err))
	}
	_, err = finish(w, o, to)
	if hasCode(err, http.StatusPreconditionFailed) {
		return fmt.Errorf("write gs://%s/%q: %w", s.name, o.ObjectName(), layout.ErrConflict)
	}
	return s.explain("write", o.ObjectName(), createOrReplace, w.blame(err))
}

// at returns the precondition that a verdict object has a version.
func (s *Staging) at(v layout.Version, o *storage.ObjectHandle) (storage.Conditions, error) {
	generation, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || generation <= 0 {
		return storage.Conditions{}, fmt.Errorf("gs://%s/%q: version %.40q is not a generation: %w", s.name, o.ObjectName(), v, layout.ErrConflict)
	}
	return storage.Conditions{GenerationMatch: generation}, nil
}

// DeleteVerdict removes version old of the verdict object of a staging key. If there is none, that is success; at any
// other version it removes nothing and returns [layout.ErrConflict].
func (s *Staging) DeleteVerdict(ctx context.Context, object string, old layout.Version) error {
	o, err := s.verdict(object)
	if err != nil {
		return err
	}
	w := watch(ctx, s.stall)
	defer w.stop()
	condition, err := s.at(old, o)
	if err == nil {
		err = w.blame(o.If(condition).Delete(w))
	}
	if err == nil || absent(err) && !noBucket(err) {
		return nil
	}
	if !hasCode(err, http.StatusPreconditionFailed) && !errors.Is(err, layout.ErrConflict) {
		return s.explain("delete", o.ObjectName(), "storage.objects.delete", err)
	}
	// Google may answer the same for an absent object and for another generation. A version that is not a generation is not
	// sent.
	if _, failed := o.Attrs(w); absent(failed) && !noBucket(failed) {
		return nil
	}
	return fmt.Errorf("delete gs://%s/%q: %w", s.name, o.ObjectName(), layout.ErrConflict)
}
