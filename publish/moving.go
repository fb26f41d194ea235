package publish

import (
	"context"
	"io"

	"repomill/schemas/layout"
	"repomill/schemas/stall"
)

// A moving bucket says that a publish makes progress whenever the store has answered, or bytes were read or written.
type moving struct{ Bucket }

func (b moving) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	body, meta, err := b.Bucket.Get(ctx, key)
	stall.Moved(ctx)
	if body == nil {
		return body, meta, err
	}
	return struct {
		io.Reader
		io.Closer
	}{movingReader{ctx, body}, body}, meta, err
}

func (b moving) Stat(ctx context.Context, key string) (layout.Meta, error) {
	defer stall.Moved(ctx)
	return b.Bucket.Stat(ctx, key)
}

func (b moving) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	defer stall.Moved(ctx)
	return b.Bucket.List(ctx, prefix, func(key string, meta layout.Meta) error {
		stall.Moved(ctx)
		return f(key, meta)
	})
}

func (b moving) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	defer stall.Moved(ctx)
	return b.Bucket.Create(ctx, o, movingReader{ctx, body})
}

func (b moving) Copy(ctx context.Context, from string, o layout.Object) error {
	defer stall.Moved(ctx)
	return b.Bucket.Copy(ctx, from, o)
}

func (b moving) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	defer stall.Moved(ctx)
	return b.Bucket.Swap(ctx, old, o, movingReader{ctx, body})
}

// A movingReader reads the body of an object.
type movingReader struct {
	ctx context.Context
	io.Reader
}

func (r movingReader) Read(p []byte) (int, error) {
	defer stall.Moved(r.ctx)
	return r.Reader.Read(p)
}
