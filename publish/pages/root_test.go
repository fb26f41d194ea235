package pages_test

import (
	"context"
	"io"
	"testing"

	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A staleBucket calls before between the moment when a page is read and rows are read, and that of its swap.
type staleBucket struct {
	*publishtest.Bucket
	key    string
	before func()
}

func (b *staleBucket) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	if f := b.before; f != nil && o.Key == b.key {
		b.before = nil
		f()
	}
	return b.Bucket.Swap(ctx, old, o, body)
}

// A process that has read that a repository is public writes the page of all repositories, after another one has seen that the
// repository is private again, and that the page needs no change.
func TestALateProcessNamesNoPrivateRepository(t *testing.T) {
	w := newWorld(t)
	w.setVisibility(catalog.Private)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	w.make(w.maker())
	w.wantUnnamed()
	for _, key := range []string{layout.RootPageKey, layout.OwnerPageKey("acme")} {
		w.setVisibility(catalog.Public)
		late := &staleBucket{w.bucket, key, func() {
			w.setVisibility(catalog.Private)
			if failed, _, err := w.maker().Make(t.Context(), w.front()); err != nil || len(failed) > 0 {
				t.Error(failed, err)
			}
		}}
		if failed, _, err := w.makerOn(late).Make(t.Context(), w.front()); err != nil || len(failed) > 0 {
			t.Fatal(failed, err)
		}
		w.wantUnnamed()
	}
}

// front is the work of a front page.
func (w *world) front() catalogdb.PageWork { return catalogdb.PageWork{Repository: tools, Front: true} }

// wantUnnamed checks that no public page names the repository.
func (w *world) wantUnnamed() {
	w.t.Helper()
	for _, key := range []string{layout.RootPageKey, layout.OwnerPageKey("acme")} {
		if w.has(key) {
			w.want(key, "!acme/tools")
		}
	}
}
