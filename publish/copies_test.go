package publish_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"repomill/publish"
	"repomill/publish/publishtest"
	"repomill/schemas/layout"
	"repomill/testdata/rpmtest"
)

// A distantBucket takes its time for each copy, and fails after some.
type distantBucket struct {
	*publishtest.Bucket
	latency time.Duration
	left    atomic.Int64 // copies that succeed
}

var errAway = errors.New("the store is away")

func (b *distantBucket) Copy(ctx context.Context, from string, o layout.Object) error {
	time.Sleep(b.latency)
	if b.left.Add(-1) < 0 {
		return errAway
	}
	return b.Bucket.Copy(ctx, from, o)
}

// The packages that a new directory shares with others are copied into it side by side, and a publish that fails on the way has copied some.
func TestCopiesIntoANewDirectory(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		const packages = 320
		var all []upload
		for i := range packages {
			all = append(all, w.rpm(el9, rpmtest.Spec{Name: fmt.Sprintf("n%03d", i), Arch: "noarch"}))
		}
		w.push(all...)
		w.publish(el9)
		w.declare(el9, "", "ppc64le")
		power := in(el9, "ppc64le")
		b := &distantBucket{Bucket: w.bucket, latency: 20 * time.Millisecond}
		b.left.Store(100)
		c := w.config()
		c.Bucket = b
		p := newPublisher(t, c)
		if _, err := p.Release(t.Context(), power); !errors.Is(err, errAway) {
			t.Fatalf("a store that fails: got %v", err)
		}
		if _, err := w.bucket.Stat(t.Context(), layout.PointerKey(power)); !errors.Is(err, publish.ErrNotExist) {
			t.Errorf("there is a pointer to packages that were not copied: %v", err)
		}
		b.left.Store(packages)
		begin := time.Now()
		publishWith(t, p, power)
		if took := time.Since(begin); took > packages*b.latency/16 {
			t.Errorf("%d copies of %s each took %s", packages, b.latency, took)
		}
		w.check(power)
	})
}
