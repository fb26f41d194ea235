package pages_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"repomill/publish/pages"
	"repomill/publish/publishtest"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A failingBucket fails once to write an object, or to delete it.
type failingBucket struct {
	*publishtest.Bucket
	write, remove string
}

var errAway = errors.New("the store is away")

func (b *failingBucket) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	if o.Key == b.write {
		b.write = ""
		return "", errAway
	}
	return b.Bucket.Swap(ctx, old, o, body)
}

func (b *failingBucket) Delete(ctx context.Context, key string, v layout.Version) error {
	if key == b.remove {
		b.remove = ""
		return errAway
	}
	return b.Bucket.Delete(ctx, key, v)
}

// Of a page of older versions and its twin one may be written, or removed, and the other one fail. The next attempt makes both.
func TestOlderPagesAndTheirTwinsComeAndGoTogether(t *testing.T) {
	page, twin := layout.OlderPageKey(tools, "hello", 1), layout.OlderTwinKey(tools, "hello", 1)
	for _, fault := range []string{page, twin} {
		w := newWorld(t)
		n, first := 0, 0
		push := func() {
			w.push(pkg{jammy, "hello", fmt.Sprintf("1.%d", n), "says hello"})
			w.publish()
			n++
		}
		withdraw := func() {
			w.withdraw(pkg{release: jammy, name: "hello", version: fmt.Sprintf("1.%d", first)})
			w.publish()
			w.removeWithdrawn()
			first++
		}
		b := &failingBucket{Bucket: w.bucket}
		m := w.makerOn(b)
		for b.write = fault; b.write != ""; w.make(m) {
			push()
		}
		w.want(page)
		w.want(twin)

		for b.remove = fault; b.remove != ""; w.make(m) {
			withdraw()
		}
		w.wantNone(page, twin)

		for b.write = fault; b.write != ""; w.makeOnce(m) {
			push()
		}
		for first < n-1 { // before that is tried again it is not needed any more
			withdraw()
		}
		w.make(m)
		w.wantNone(page, twin)
	}
}

// makeOnce makes the pages that are due, and does not wait for those that fail.
func (w *world) makeOnce(m *pages.Maker) {
	w.t.Helper()
	if _, err := w.db.QueuePages(w.t.Context(), 50, w.now); err != nil {
		w.t.Fatal(err)
	}
	work, taken, err := w.db.TakePages(w.t.Context(), tools, catalogdb.Lease{Owner: "test", For: time.Minute}, 7, w.now)
	if err != nil || !taken {
		w.t.Fatalf("taken %v, %v", taken, err)
	}
	failed, _, err := m.Make(w.t.Context(), work)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.db.EndPages(w.t.Context(), work, failed, w.now); err != nil {
		w.t.Fatal(err)
	}
}
