package publish_test

import (
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A file under embargo stays as long as a row names it. One that no row names goes after an hour: a process ended before it removed
// that.
func TestSweepOfEmbargoes(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "hello"))
		w.publish(jammy)
		k := w.some(jammy, "quiet").row
		k.Embargo = layout.NewEmbargo()
		if _, claimed, err := w.db.Claim(t.Context(), k, catalog.Upload{}); err != nil || !claimed {
			t.Fatalf("%v, %v", claimed, err)
		}
		kept, left := layout.EmbargoKey(k.Embargo), layout.EmbargoKey(layout.NewEmbargo())
		w.bucket.Put(kept, []byte("x"))
		w.bucket.Put(left, []byte("x"))
		if swept, err := w.collector().Sweep(t.Context()); err != nil || swept.Removed != 0 {
			t.Errorf("at once: %+v, %v", swept, err)
		}
		time.Sleep(61 * time.Minute)
		if swept, err := w.collector().Sweep(t.Context()); err != nil || swept.Removed != 1 || !w.has(kept) || w.has(left) {
			t.Errorf("after an hour: %+v, %v; kept: %v, left: %v", swept, err, w.has(kept), w.has(left))
		}
	})
}
