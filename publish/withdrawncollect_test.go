package publish_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/publish/collect"
	"repomill/publish/publishtest"
	"repomill/publish/snapshot"
	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// A chunk that is used again after a day gets a new age, so that collection spares it, and comes back if collection removes it at that
// moment.
func TestAgedChunkIsWrittenAgain(t *testing.T) {
	skipUnderRace(t)
	skipUnderRace(t)
	for _, collected := range []bool{false, true} {
		simulate(t, func(t *testing.T, w *world) {
			w.manyOld(1500)
			w.publish(jammy)
			before := newestManifest(w, jammy)
			old := listObjects(w, jammy, before)
			w.publish(jammy)
			w.push(w.some(jammy, "new"))
			gone := w.some(jammy, "gone")
			w.push(gone)
			w.yank(gone)
			w.publish(jammy)
			now := listObjects(w, jammy, newestManifest(w, jammy))
			old = slices.DeleteFunc(old, func(o tree.Object) bool { return slices.Contains(now, o) })
			if len(old) < 2 {
				t.Fatalf("%d objects were superseded, want a list and a chunk", len(old))
			}
			time.Sleep(25 * time.Hour)
			w.unyank(gone)
			if collected {
				w.bucket.Before("Swap", layout.PointerKey(jammy), func() {
					for _, o := range old {
						w.bucket.Put(o.Key, nil)
					}
				})
			}
			w.publish(jammy)
			if m := newestManifest(w, jammy); *m.Withdrawn != *before.Withdrawn {
				t.Fatalf("the list is another one")
			}
			for _, o := range old {
				if meta, err := w.bucket.Stat(t.Context(), o.Key); err != nil || meta.Now.Sub(meta.Modified) > time.Hour {
					t.Errorf("%s is %v old (%v)", o.Key, meta.Now.Sub(meta.Modified), err)
				}
			}
			w.checkWithdrawn(1500)
		})
	}
}

// Collection leaves the lists that manifests name, those of snapshots, too, with all chunks, and nothing else of lists.
func TestSweepOfWithdrawnLists(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(1500)
		w.push(w.some(el9, "hello"))
		w.publishSettings()
		w.publish(jammy)
		w.publish(el9)
		time.Sleep(time.Second)
		s := w.take(snapshot.Request{Repository: tools, ID: layout.SnapshotID(w.bucket.Now()), Releases: both})
		held := listObjects(w, jammy, newestManifest(w, jammy))
		for i := range 12 {
			time.Sleep(3 * day)
			w.bringBack(fmt.Sprintf("1.%d", 100*i))
			w.publish(jammy)
			w.sweep(2)
		}
		checkLists := func(fact string) (n int) {
			t.Helper()
			named := map[string]bool{}
			for _, key := range w.bucket.Keys() {
				if _, ok := tree.PointerOf(jammy, key); !ok {
					continue
				}
				m, err := tree.ReadManifest(t.Context(), w.bucket, jammy, key)
				if err != nil {
					t.Fatal(err)
				}
				checkObjects(w, listObjects(w, jammy, m))
				for _, o := range listObjects(w, jammy, m) {
					named[o.Key] = true
				}
			}
			for _, key := range w.bucketKeys("/withdrawn-") {
				if n++; !named[key] {
					t.Errorf("%s: %s is left, and no manifest names it", fact, key)
				}
			}
			return n
		}
		with := checkLists("with a snapshot")
		for _, o := range held {
			if !w.has(o.Key) {
				t.Errorf("the snapshot lost %s", o.Key)
			}
		}
		if err := w.snapshots().Delete(t.Context(), tools, s.ID); err != nil {
			t.Fatal(err)
		}
		w.sweep(3)
		if without := checkLists("without"); without >= with {
			t.Errorf("the snapshot held %d of %d objects", with-without, with)
		}
		w.checkWithdrawn(1500 - 12)
	})
}

// While a list of the retention period cannot be read, no chunk of its release is removed, and everything else is.
func TestSweepWithoutAList(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(1500)
		w.publish(jammy)
		superseded := listObjects(w, jammy, newestManifest(w, jammy))
		for i := range 4 {
			time.Sleep(5 * day)
			w.bringBack(fmt.Sprint("1.", i))
			w.publish(jammy)
		}
		m := newestManifest(w, jammy)
		list := w.bucket.Bytes(m.Withdrawn.Key)
		w.bucket.Put(m.Withdrawn.Key, nil)
		if s := w.sweep(2); s.Removed == 0 {
			t.Errorf("got %+v", s)
		}
		for _, o := range superseded {
			if !w.has(o.Key) {
				t.Errorf("%s was removed", o.Key)
			}
		}
		w.bucket.Put(m.Withdrawn.Key, list)
		w.sweep(2)
		if w.has(superseded[0].Key) && w.has(superseded[len(superseded)-1].Key) {
			t.Error("nothing was removed in the end")
		}
		w.checkWithdrawn(1496)
	})
}

// A countingBucket counts reads of the chunks of lists.
type countingBucket struct {
	*publishtest.Bucket
	mu    *sync.Mutex
	reads map[string]int
}

func (b countingBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if strings.Contains(key, "/withdrawn-") {
		b.mu.Lock()
		b.reads[key]++
		b.mu.Unlock()
	}
	return b.Bucket.Get(ctx, key)
}

// Files of withdrawn packages go when all lists of the retention period have them. Each list and each chunk is read once.
func TestRemoveYankedReadsEachChunkOnce(t *testing.T) {
	skipUnderRace(t)
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(1500)
		w.publish(jammy)
		w.bringBack("1.1")
		w.publish(jammy)
		time.Sleep(day)
		for i := range 8 {
			w.bringBack(fmt.Sprintf("1.1%d", i))
			w.publish(jammy)
			w.withdraw(fmt.Sprintf("1.1%d", i))
			w.publish(jammy)
		}
		time.Sleep(7*day - 2*time.Hour)
		b := countingBucket{w.bucket, &sync.Mutex{}, map[string]int{}}
		c, err := collect.New(collect.Config{Bucket: b, Catalog: w.db, Rows: rowReader{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		// 1.1 is active, and the eight came back a retention period ago at most.
		if n, err := c.RemoveYanked(t.Context()); err != nil || n != 1500-9 {
			t.Errorf("removed %d packages, %v", n, err)
		}
		for key, n := range b.reads {
			if n != 1 {
				t.Errorf("%s was read %d times", key, n)
			}
		}
		if len(b.reads) < 8 {
			t.Errorf("%d objects were read", len(b.reads))
		}
		time.Sleep(4 * time.Hour)
		if n, err := c.RemoveYanked(t.Context()); err != nil || n != 8 {
			t.Errorf("later, removed %d packages, %v", n, err)
		}
	})
}

// Collection reads lists of earlier versions: it keeps them while a manifest of the retention period names them, and removes files of
// packages that they have.
func TestCollectionReadsListsOfEarlierVersions(t *testing.T) {
	skipUnderRace(t)
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(600)
		w.publishSettings()
		w.publish(jammy)
		w.asEarlier()
		earlier := w.bucketKeys("/yanked-")
		time.Sleep(6 * day)
		w.bringBack("1.5")
		w.publish(jammy) // its list is in chunks
		time.Sleep(5 * day)
		w.withdraw("1.5")
		w.publish(jammy)
		w.sweep(2)
		if len(earlier) != 1 || !w.has(earlier[0]) {
			t.Errorf("%q was removed", earlier)
		}
		if n := w.removeYanked(); n != 599 {
			t.Errorf("removed %d packages, want all that were withdrawn for a retention period", n)
		}
		for range 3 {
			time.Sleep(10 * day)
			w.push(w.some(jammy, fmt.Sprint("more", w.uploads.Load())))
			w.publish(jammy)
		}
		w.sweep(2)
		if w.has(earlier[0]) {
			t.Errorf("%s is left", earlier[0])
		}
	})
}
