package publish_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/publish/collect"
	"repomill/publish/publishtest"
	"repomill/schemas/layout"
)

// A historyBucket counts the manifests and lists of withdrawn packages that are read, each after a while.
type historyBucket struct {
	*publishtest.Bucket
	latency time.Duration
	history atomic.Int64
}

func (b *historyBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if strings.Contains(key, ".history/") {
		b.history.Add(1)
		time.Sleep(b.latency)
	}
	return b.Bucket.Get(ctx, key)
}

// The first sweep of a process reads the manifests of the retention period side by side, and later ones those alone that were written since.
func TestSweepReadsWhatIsNew(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		const publishes = 80
		for i := range publishes {
			u := w.some(jammy, fmt.Sprint("p", i))
			w.push(u)
			w.publish(jammy)
			if i%4 == 0 {
				w.yank(u)
				w.publish(jammy)
			}
			w.later()
		}
		b := &historyBucket{Bucket: w.bucket, latency: 20 * time.Millisecond}
		c := w.collectorOf(b)
		sweep := func(most int64) {
			t.Helper()
			b.history.Store(0)
			begin := time.Now()
			_, err := c.Sweep(t.Context())
			if err == nil {
				_, err = c.RemoveYanked(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := b.history.Load(); n > most {
				t.Errorf("%d manifests and lists were read, want %d at most", n, most)
			}
			if took, serial := time.Since(begin), publishes*b.latency; took > serial/2 {
				t.Errorf("the sweep took %s; one by one manifests take %s", took, serial)
			}
		}
		sweep(2 * publishes)
		sweep(10)
		w.push(w.some(jammy, "new"))
		w.publish(jammy)
		sweep(12)
		sweep(10)
	})
}

// collectorOf returns a collector of a bucket of this world.
func (w *world) collectorOf(b collect.Bucket) *collect.Collector {
	w.t.Helper()
	c, err := collect.New(collect.Config{Bucket: b, Catalog: w.db, Rows: rowReader{}, Log: w.config().Log})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}
