package publish_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
	"repomill/testdata/rpmtest"
)

// at returns a package with a name that begins with prefix, at a border of segments or not.
func at(prefix string, border bool, size int) upload {
	for i := 0; ; i++ {
		u := entry(jammy, fmt.Sprintf("%s%05d", prefix, i), "main", "amd64", size)
		if gzipmember.Boundary([]byte(u.row.Name), []byte(u.row.Canonical), []byte(u.row.Arch)) == border {
			return u
		}
	}
}

// same fails unless a whole rendering reaches the bytes that are published.
func same(t *testing.T, w *world) {
	t.Helper()
	if got := w.reindex(jammy, publish.Reindexing{DryRun: true}); got.Different {
		t.Errorf("rendered anew: %+v", got)
	}
}

// A row comes before all others, and the border at which the first segment began goes.
func TestTheFirstBorderGoes(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		b, x, a := at("m", true, 0), at("n", false, 0), at("a", false, 0)
		w.push(b, x)
		p := w.publisher()
		publishWith(t, p, jammy)
		w.push(a)
		w.yank(b)
		publishWith(t, p, jammy)
		same(t, w)
	})
}

// A row with a member of its own goes, and the border after it, too.
func TestTheBorderAfterALargeTextGoes(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, big, b, x := at("a", false, 0), at("g", false, gzipmember.Oversized+1), at("m", true, 0), at("n", false, 0)
		w.push(a, big, b, x)
		p := w.publisher()
		publishWith(t, p, jammy)
		w.yank(big, b)
		publishWith(t, p, jammy)
		same(t, w)
	})
}

// That others prepared the indexes does not make up for a package without a file.
func TestReindexOfPreparedIndexesChecksFiles(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		u := w.some(jammy, "one")
		w.push(u)
		one, err := w.worker().Prepare(t.Context(), jammy)
		if err != nil {
			t.Fatal(err)
		}
		w.bucket.Put(u.row.Key, nil)
		if _, err = w.publisher().Reindex(t.Context(), jammy, publish.Reindexing{Prepared: &one}); err == nil || !strings.Contains(err.Error(), u.row.Key) {
			t.Errorf("got %v, want an error about %s", err, u.row.Key)
		}
	})
}

// racing is a catalog beside which something happens just before a rebuild.
type racing struct {
	publish.Catalog
	before func()
}

func (c racing) Rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (catalogdb.Recovered, error) {
	c.before()
	return c.Catalog.Rebuild(ctx, r, rows, published, now)
}

// A package that is withdrawn between a rebuild's look at the pointer and its transaction stays withdrawn.
func TestRebuildBringsNothingBack(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			bad := w.some(r, "bad")
			w.push(w.some(r, "one"), bad)
			w.publish(r)
			time.Sleep(time.Minute)
			c := w.config()
			var once sync.Once
			c.Catalog = racing{w.db, func() { once.Do(func() { w.yank(bad); w.publish(r) }) }}
			if _, err := newPublisher(t, c).Rebuild(t.Context(), r); err != nil {
				t.Error(err)
			}
			publishWith(t, w.publisher(), r)
			if got := w.check(r); got.Packages != 1 {
				t.Errorf("%s has %d packages, want the one that was not withdrawn", r, got.Packages)
			}
		})
	}
}

// The first publish of a release checks files as any.
func TestTheFirstReindexChecksFiles(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			bad := w.some(r, "bad")
			w.push(w.some(r, "one"), bad)
			w.bucket.Put(bad.row.Key, nil)
			if got, err := w.publisher().Reindex(t.Context(), r, publish.Reindexing{}); err == nil {
				t.Errorf("%s: got %+v", r, got)
			}
		})
	}
}

// A cache with room for nothing makes things slow, not wrong.
func TestRepairWithoutACache(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "one"))
		w.publish(jammy)
		time.Sleep(time.Minute)
		for _, key := range listed(w, jammy) {
			w.bucket.Put(key, nil)
		}
		if _, err := w.publisher().Reindex(t.Context(), jammy, publish.Reindexing{Repair: true, DryRun: true}); err == nil {
			t.Error("a dry run found nothing wrong with missing indexes")
		}
		c := w.config()
		c.CacheSize = 1
		if got, err := newPublisher(t, c).Reindex(t.Context(), jammy, publish.Reindexing{Repair: true}); err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// A row that no index shows is an error for everybody, and not a package that is missing from now on.
func TestARowWithoutAPlace(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "one"), w.some(jammy, "two"))
		p := w.publisher()
		publishWith(t, p, jammy)
		w.database(`UPDATE packages SET component = 'nowhere' WHERE name = 'two'`)
		w.push(w.some(jammy, "three"))
		for name, try := range map[string]func() error{
			"prepare": func() error { _, err := w.worker().Prepare(t.Context(), jammy); return err },
			"shards":  func() error { _, err := w.worker().Shards(t.Context(), jammy, "job", 100); return err },
			"reindex": func() error { _, err := w.publisher().Reindex(t.Context(), jammy, publish.Reindexing{}); return err },
		} {
			if err := try(); err == nil || !strings.Contains(err.Error(), "nowhere") {
				t.Errorf("%s: got %v, want an error about the component", name, err)
			}
		}
	})
}

// What was prepared long ago may be removed while it is published: it is looked at once more after the swap.
func TestPreparedIndexesAreNotCollected(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "zero"))
		w.publish(jammy)
		w.push(w.some(jammy, "one"))
		one, err := w.worker().Prepare(t.Context(), jammy)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * day)
		w.sweep(1)
		time.Sleep(61 * time.Minute)
		done := false
		w.bucket.Before("Create", "jammy/*.json", func() {
			if done {
				return
			}
			done = true
			if _, err := w.collector().Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if _, err = w.publisher().ReleasePrepared(t.Context(), jammy, one); err != nil || !done {
			t.Errorf("swept meanwhile: %t, %v", done, err)
		}
		w.check(jammy)
	})
}

// Nothing of a row is trusted that is rebuilt.
func TestRebuildPutsSizesRight(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "one"))
		w.publish(jammy)
		w.database(`UPDATE packages SET size = 7, sort_key = 'zzz' WHERE name = 'one'`)
		p := w.publisher()
		if got, err := p.Rebuild(t.Context(), jammy); err != nil || got.Replaced != 1 {
			t.Errorf("got %+v, %v", got, err)
		}
		publishWith(t, p, jammy)
		if _, err := p.Reindex(t.Context(), jammy, publish.Reindexing{}); err != nil {
			t.Error(err)
		}
	})
}

// A lock of a dead process whose clock was an hour ahead is ignored.
func TestAHoldInTheFutureIsNone(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "one"))
		if _, err := w.db.LockRelease(t.Context(), jammy, "dead", 20*time.Second, w.bucket.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		publishWith(t, w.publisher(), jammy)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("waited %s", took)
		}
	})
}

// Others wait for a lock by the store's clock. That of its holder is up to five seconds off, or it could not publish: a lock is that much longer or
// shorter.
func TestALockOfASkewedClock(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Second, 0, 5 * time.Second} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(el9, "one"))
			if _, err := w.db.LockRelease(t.Context(), el9, "other", 20*time.Second, w.bucket.Now().Add(skew)); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			publishWith(t, w.publisher(), el9)
			if took, want := time.Since(start), 20*time.Second+skew; took < want || took > want+5*time.Second {
				t.Errorf("the clock of the holder is %s ahead: a publish waited %s, want %s or a little more", skew, took, want)
			}
		})
	}
}

// A dry run gives a new directory no files; the publish after it does.
func TestPublishAfterADryRun(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.rpm(el9, rpmtest.Spec{Name: "data", Arch: "noarch"}))
		w.publish(el9)
		w.declare(el9, "", "ppc64le")
		r := in(el9, "ppc64le")
		p := w.publisher()
		if _, err := p.Reindex(t.Context(), r, publish.Reindexing{DryRun: true}); err != nil {
			t.Fatal(err)
		}
		publishWith(t, p, r)
		w.check(r)
	})
}

// What is redrawn because its bytes are others is not rendered again for that: workers have done it.
func TestPreparedIndexesSurviveARedraw(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		one := w.some(jammy, "one")
		w.push(one)
		w.publish(jammy)
		w.rewrite(one)
		done, ok := w.prepareInShards(w.worker(), jammy, 100, rand.New(rand.NewPCG(1, 1)))
		if !ok {
			t.Fatal("stale")
		}
		w.database(`UPDATE packages SET stanza = 'nobody reads this' WHERE name = 'one'`)
		got, err := w.publisher().Reindex(t.Context(), jammy, publish.Reindexing{Prepared: &done})
		if err != nil || !got.Changed || !got.Different {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// A scratch file that is mostly garbage is left for another one, with the same bytes.
func TestCompactionKeepsTheBytes(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		h := &history{w: w, r: jammy, random: rand.New(rand.NewPCG(3, 3)), arches: []string{"amd64", "all"}}
		w.declare(jammy, "contrib")
		w.push(h.some(300)...)
		p := w.publisher()
		p.SetSlack(1)
		for range 25 {
			w.push(h.some(3)...)
			publishWith(t, p, jammy)
		}
		if got := w.reindex(jammy, publish.Reindexing{DryRun: true}); got.Different {
			t.Errorf("got %+v", got)
		}
	})
}

// Rows that an earlier version of the program wrote have the same text in other bytes: a rebuild leaves them as they are.
func TestRebuildTakesEarlierFragments(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		u := w.some(jammy, "one")
		w.push(u, w.some(jammy, "two"))
		w.publish(jammy)
		w.database(`UPDATE packages SET stanza = ? WHERE name = ?`, frame(u.row.Stanza), u.row.Name)
		before := w.state(jammy).Revision
		if got, err := w.publisher().Rebuild(t.Context(), jammy); err != nil || got != (catalogdb.Recovered{}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got := w.state(jammy).Revision; got != before {
			t.Errorf("the revision is %v, before %v", got, before)
		}
	})
}
