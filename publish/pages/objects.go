package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/pages/model"
	"repomill/publish/tree"
	"repomill/schemas/layout"
)

const (
	maxTries   = 5                     // of a page that another process changes, too
	firstPause = 20 * time.Millisecond // before the second one
	perPage    = 4                     // objects of one share that are read or written at the same time
	maxRead    = 8 << 20               // bytes of an object that is compared with its page
)

// An object is one as it was before its rows were read: without a version there was none. One that is too large to be compared has no
// body, and its page is written again.
type object struct {
	version layout.Version
	body    []byte
}

// objects are some by their keys.
type objects map[string]object

// replace brings the objects of keys up to date. It reads them, and then has draw read the rows and draw the pages. A page that differs
// from its object replaces exactly that one, and an object of which draw returned no page is removed. If another process was faster, it
// does all that again. Pages of other keys are an error.
func (w *work) replace(ctx context.Context, keys []string, draw func(old objects) ([]model.Page, error)) error {
	for n := 1; ; n++ {
		old, err := w.readAll(ctx, keys)
		if err != nil {
			return err
		}
		drawn, err := draw(old)
		if err != nil {
			return err
		}
		err = w.swapAll(ctx, old, drawn)
		if !isConflict(err) || n == maxTries {
			return err
		}
		select {
		case <-time.After(firstPause << n):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isConflict reports whether another process was faster.
func isConflict(err error) bool { return errors.Is(err, layout.ErrConflict) }

func (w *work) readAll(ctx context.Context, keys []string) (objects, error) {
	all := make(objects, len(keys))
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(perPage)
	for _, key := range keys {
		g.Go(func() error {
			o, err := w.read(ctx, key)
			mu.Lock()
			defer mu.Unlock()
			all[key] = o
			return err
		})
	}
	return all, g.Wait()
}

func (w *work) read(ctx context.Context, key string) (o object, err error) {
	body, meta, err := w.Bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	defer body.Close() //nolint:errcheck // it was read
	o.version = meta.Version
	if o.body, err = io.ReadAll(io.LimitReader(body, maxRead+1)); err != nil {
		return o, fmt.Errorf("read %s: %w", key, err)
	}
	if len(o.body) > maxRead {
		o.body = nil
	}
	return o, nil
}

// swapAll writes the pages that differ from their objects, and removes the objects that have no page.
func (w *work) swapAll(ctx context.Context, old objects, drawn []model.Page) error {
	left := make(map[string]bool, len(old))
	for key, o := range old {
		left[key] = o.version != ""
	}
	var g errgroup.Group
	g.SetLimit(perPage)
	for _, p := range drawn {
		was, read := old[p.Key]
		if !read {
			return errors.Join(fmt.Errorf("page %s was drawn and not read before", p.Key), g.Wait())
		}
		delete(left, p.Key)
		g.Go(func() error { return w.swap(ctx, was, p) })
	}
	for key, there := range left {
		if there {
			g.Go(func() error { return w.remove(ctx, key, old[key].version) })
		}
	}
	return g.Wait()
}

func (w *work) swap(ctx context.Context, old object, p model.Page) error {
	if old.version != "" && bytes.Equal(old.body, p.Body) {
		w.count(Counts{Same: 1})
		return nil
	}
	if _, err := w.Bucket.Swap(ctx, old.version, layout.ObjectOf(p.Key), bytes.NewReader(p.Body)); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	w.count(Counts{Written: 1, Bytes: int64(len(p.Body))})
	return nil
}

func (w *work) remove(ctx context.Context, key string, v layout.Version) error {
	if err := w.Bucket.Delete(ctx, key, v); err != nil {
		return fmt.Errorf("remove page: %w", err)
	}
	w.count(Counts{Removed: 1})
	return nil
}

// create writes a page whose key says its bytes, if it is not there yet.
func (w *work) create(ctx context.Context, p model.Page) error {
	err := w.Bucket.Create(ctx, layout.ObjectOf(p.Key), bytes.NewReader(p.Body))
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("write page: %w", err)
	}
	w.count(Counts{Written: 1, Bytes: int64(len(p.Body))})
	return nil
}

// has reports whether there is an object of a key.
func (w *work) has(ctx context.Context, key string) (bool, error) {
	v, err := tree.VersionOf(ctx, w.Bucket, key)
	return v != "", err
}

// removeKey removes an object of which there is no page any more.
func (w *work) removeKey(ctx context.Context, key string) error {
	v, err := tree.VersionOf(ctx, w.Bucket, key)
	if err != nil || v == "" {
		return err
	}
	return w.remove(ctx, key, v)
}
