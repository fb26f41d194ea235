package publish_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/collect"
	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A mortal is a process that dies with its n-th write: after that it reads and writes nothing.
type mortal struct {
	*publishtest.Bucket
	*catalogdb.DB
	left *atomic.Int64
}

// mortalAfter returns a process whose n-th write is its last one.
func mortalAfter(w *world, n int) *mortal {
	m := &mortal{w.bucket, w.db, new(atomic.Int64)}
	m.left.Store(int64(n))
	return m
}

var errDead = errors.New("dead")

func (m *mortal) alive() error {
	if m.left.Load() <= 0 {
		return errDead
	}
	return nil
}

// spend takes one write from those that are left: goroutines of a process write side by side.
func (m *mortal) spend() error {
	if m.left.Add(-1) < 0 {
		return errDead
	}
	return nil
}

func (m *mortal) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if err := m.alive(); err != nil {
		return nil, layout.Meta{}, err
	}
	return m.Bucket.Get(ctx, key)
}

func (m *mortal) Stat(ctx context.Context, key string) (layout.Meta, error) {
	if err := m.alive(); err != nil {
		return layout.Meta{}, err
	}
	return m.Bucket.Stat(ctx, key)
}

func (m *mortal) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if err := m.spend(); err != nil {
		return err
	}
	return m.Bucket.Create(ctx, o, body)
}

func (m *mortal) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	if err := m.spend(); err != nil {
		return "", err
	}
	return m.Bucket.Swap(ctx, old, o, body)
}

func (m *mortal) Copy(ctx context.Context, from string, o layout.Object) error {
	if err := m.spend(); err != nil {
		return err
	}
	return m.Bucket.Copy(ctx, from, o)
}

func (m *mortal) Delete(ctx context.Context, key string, v layout.Version) error {
	if err := m.spend(); err != nil {
		return err
	}
	return m.Bucket.Delete(ctx, key, v)
}

// List lists the bucket: a catalog lists, too.
func (m *mortal) List(ctx context.Context, prefix string, f func(string, layout.Meta) error) error {
	return m.Bucket.List(ctx, prefix, f)
}

// Publish implements [publish.Catalog].
func (m *mortal) Publish(ctx context.Context, r catalog.Release, revision int64, now time.Time) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.DB.Publish(ctx, r, revision, now)
}

// A process is killed after each of its writes. The next one goes on from there.
func TestI01KillAfterEveryWrite(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		for _, old := range []bool{false, true} {
			for n := range writesOf(t, r, old) {
				simulate(t, func(t *testing.T, w *world) {
					begin(w, r, old)
					c := w.config()
					c.Bucket, c.Catalog = mortalAfter(w, n+1), mortalAfter(w, 0)
					if res, err := newPublisher(t, c).Release(t.Context(), r); !errors.Is(err, errDead) {
						t.Fatalf("%s, write %d: got %+v, %v; want a death", r, n, res, err)
					}
					w.publish(r)
					w.check(r)
				})
			}
		}
	}
}

// A sweep is killed after each of its writes. The next ones leave what they would have left without that.
func TestKillSweepAfterEveryWrite(t *testing.T) {
	skipUnderRace(t)
	var want []string
	for n, died := 0, true; died; n++ {
		simulate(t, func(t *testing.T, w *world) {
			grow(w, el9, 4)
			time.Sleep(15 * day)
			w.sweep(1)
			time.Sleep(61 * time.Minute)
			c, err := collect.New(collect.Config{
				Bucket: mortalAfter(w, n), Catalog: w.db, Rows: rowReader{}, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Sweep(t.Context())
			if died = errors.Is(err, errDead); err != nil && !died {
				t.Fatal(err)
			}
			w.check(el9)
			w.sweep(3)
			w.check(el9)
			got := w.bucket.Keys()
			for i, key := range got {
				if strings.HasPrefix(key, ".history/") {
					got[i] = path.Dir(key) // its name has the nonce in it
				}
			}
			if want == nil {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("killed after %d writes: keys (-want +got):\n%s", n, diff)
			}
		})
	}
}
