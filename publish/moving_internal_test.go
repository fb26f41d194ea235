package publish

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/stall"
)

// A slow bucket takes 40 seconds for each answer, and for each read of a body.
type slow struct{}

func (slow) Read([]byte) (int, error) { time.Sleep(40 * time.Second); return 0, io.EOF }
func (slow) Close() error             { return nil }

func (slow) Get(context.Context, string) (io.ReadCloser, layout.Meta, error) {
	time.Sleep(40 * time.Second)
	return slow{}, layout.Meta{}, nil
}
func (slow) Stat(context.Context, string) (layout.Meta, error) {
	time.Sleep(40 * time.Second)
	return layout.Meta{}, nil
}
func (slow) List(_ context.Context, _ string, f func(string, layout.Meta) error) error {
	time.Sleep(40 * time.Second)
	err := f("a", layout.Meta{})
	time.Sleep(40 * time.Second)
	return err
}
func (slow) Copy(context.Context, string, layout.Object) error {
	time.Sleep(40 * time.Second)
	return nil
}
func (slow) Create(_ context.Context, _ layout.Object, body io.Reader) error {
	_, err := io.ReadAll(body)
	time.Sleep(40 * time.Second)
	return err
}
func (slow) Swap(_ context.Context, _ layout.Version, _ layout.Object, body io.Reader) (layout.Version, error) {
	_, err := io.ReadAll(body)
	time.Sleep(40 * time.Second)
	return "", err
}

// All that a store does slowly is progress, so that a limit of a minute on silence does not end it.
func TestASlowStoreIsNoStall(t *testing.T) {
	for name, do := range map[string]func(context.Context, Bucket) error{
		"get": func(ctx context.Context, b Bucket) error {
			body, _, err := b.Get(ctx, "a")
			if err == nil {
				_, err = io.ReadAll(body)
			}
			return err
		},
		"stat": func(ctx context.Context, b Bucket) error { _, err := b.Stat(ctx, "a"); return err },
		"list": func(ctx context.Context, b Bucket) error {
			return b.List(ctx, "", func(string, layout.Meta) error { return nil })
		},
		"copy":   func(ctx context.Context, b Bucket) error { return b.Copy(ctx, "a", layout.Object{}) },
		"create": func(ctx context.Context, b Bucket) error { return b.Create(ctx, layout.Object{}, slow{}) },
		"swap": func(ctx context.Context, b Bucket) error {
			_, err := b.Swap(ctx, "", layout.Object{}, slow{})
			return err
		},
		"rows": func(ctx context.Context, _ Bucket) error {
			w := recoveryWatch{p: &Publisher{Preparer: Preparer{now: time.Now, log: slog.New(slog.DiscardHandler)}}}
			for range w.watch(ctx, func(yield func(catalog.Package, error) bool) {
				for range 3 {
					time.Sleep(40 * time.Second)
					if !yield(catalog.Package{}, nil) {
						return
					}
				}
			}) {
				continue
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := stall.Limit(t.Context(), time.Minute)
				defer cancel()
				for range 3 {
					if err := do(ctx, moving{slow{}}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if ctx.Err() != nil {
					t.Error(context.Cause(ctx))
				}
			})
		})
	}
}
