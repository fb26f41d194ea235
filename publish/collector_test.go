package publish_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/collect"
	"repomill/publish/publishtest"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/rpmtest"
)

const day = 24 * time.Hour

// collector returns a new collector, as another process has one.
func (w *world) collector() *collect.Collector {
	w.t.Helper()
	c, err := collect.New(collect.Config{
		Bucket: w.bucket, Catalog: w.db, Rows: rowReader{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// sweep makes n sweeps, an hour and more apart.
func (w *world) sweep(n int) (last collect.Swept) {
	w.t.Helper()
	for range n {
		time.Sleep(61 * time.Minute)
		var err error
		if last, err = w.collector().Sweep(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	return last
}

// A narrowBucket fails the test if everything of a repository is listed.
type narrowBucket struct {
	*publishtest.Bucket
	t *testing.T
}

func (b narrowBucket) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	if strings.Count(strings.Trim(prefix, "/"), "/") < 2 && !layout.Hidden(prefix) {
		b.t.Errorf("%q was listed, with all pages", prefix)
	}
	return b.Bucket.List(ctx, prefix, f)
}

// Pages are no garbage, however old they are, and a sweep does not go through them.
func TestSweepLeavesPages(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "hello"), w.some(el9, "hello"))
		w.publish(jammy)
		w.publish(el9)
		digest := strings.Repeat("0", 64)
		pages := []string{
			layout.RootPageKey, layout.OwnerPageKey("acme"), layout.FrontPageKey(tools), layout.FrontTwinKey(tools), layout.FeedKey(tools), layout.StatusKey(tools),
			layout.NamesPageKey(tools, -1, ""), layout.NamesTwinKey(tools, 0, "hello"), layout.NamePageKey(tools, "hello"), layout.NameTwinKey(tools, "hello"),
			layout.VersionPageKey(tools, "hello", "1.0"), layout.FilesPageKey(tools, "hello", digest), layout.AssetKey("style-" + digest + ".css"),
		}
		for _, key := range pages {
			w.bucket.Put(key, []byte("x"))
		}
		c, err := collect.New(collect.Config{Bucket: narrowBucket{w.bucket, t}, Catalog: w.db, Rows: rowReader{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(365 * day)
		for range 3 {
			time.Sleep(61 * time.Minute)
			if swept, err := c.Sweep(t.Context()); err != nil || swept.Marked+swept.Removed > 0 {
				t.Errorf("a sweep: %+v, %v", swept, err)
			}
		}
		for _, key := range pages {
			if !w.has(key) {
				t.Errorf("%s is gone", key)
			}
		}
	})
}

func (w *world) has(key string) bool { return slices.Contains(w.bucket.Keys(), key) }

func (w *world) removeYanked() int {
	w.t.Helper()
	n, err := w.collector().RemoveYanked(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// A withdrawn package is out of the index at once; its file stays for seven days after that.
func TestYankedFileStaysForAWhile(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			bad := w.some(r, "bad")
			w.push(w.some(r, "good"), bad)
			w.publish(r)
			w.yank(bad)
			w.publish(r)
			if got := w.check(r); got.Packages != 1 {
				t.Errorf("%s has %d packages after a yank", r, got.Packages)
			}
			for _, step := range []struct {
				after   time.Duration
				removed int
			}{{0, 0}, {7*day - time.Minute, 0}, {2 * time.Hour, 1}, {day, 0}} {
				time.Sleep(step.after)
				if n := w.removeYanked(); n != step.removed {
					t.Errorf("%s: %d packages were removed after %v more, want %d", r, n, step.after, step.removed)
				}
			}
			if w.has(bad.row.Key) {
				t.Errorf("%s is there still", bad.row.Key)
			}
			w.check(r)
			// No other bytes get the name, and the manifests go on to say so.
			w.push(w.some(r, "more"))
			w.publish(r)
			if got, err := w.published(r); err != nil || len(got) != 3 {
				t.Errorf("%s: got %d rows back, %v", r, len(got), err)
			}
		})
	}
}

// What counts is when clients saw the withdrawal, not when it was asked for.
func TestYankedFileStaysUntilClientsKnow(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			bad := w.some(r, "bad")
			w.push(bad)
			w.publish(r)
			w.yank(bad)
			time.Sleep(10 * day) // nothing could be published
			if n := w.removeYanked(); n != 0 {
				t.Errorf("%s: removed what the pointer names", r)
			}
			w.publish(r)
			time.Sleep(6 * day)
			if n := w.removeYanked(); n != 0 || !w.has(bad.row.Key) {
				t.Errorf("%s: removed what a pointer named 6 days ago", r)
			}
			time.Sleep(day + 2*time.Hour)
			if n := w.removeYanked(); n != 1 || w.has(bad.row.Key) {
				t.Errorf("%s: removed %d packages", r, n)
			}
		})
	}
}

// A withdrawal that was taken back, and made again, counts from the second time.
func TestYankedAgain(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		bad := w.some(jammy, "bad")
		which := catalogdb.PackageSelector{Repository: tools, Distribution: jammy.Distribution, Name: "bad", Version: bad.row.Version}
		w.push(bad)
		w.yank(bad)
		w.publish(jammy)
		time.Sleep(6 * day)
		if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); err != nil {
			t.Fatal(err)
		}
		w.publish(jammy)
		if got := w.check(jammy); got.Packages != 1 {
			t.Errorf("got %+v", got)
		}
		time.Sleep(day)
		w.yank(bad)
		w.publish(jammy)
		for range 6 {
			time.Sleep(day)
			if n := w.removeYanked(); n != 0 {
				t.Error("removed it too early")
			}
		}
		time.Sleep(day + 2*time.Hour)
		if n := w.removeYanked(); n != 1 {
			t.Errorf("removed %d", n)
		}
		if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); !errors.Is(err, catalogdb.ErrRemoved) {
			t.Errorf("taken back: %v", err)
		}
	})
}

// A package whose file cannot be removed now does not keep others from it, and is removed later.
func TestRemoveYankedGoesOnAfterAFault(t *testing.T) {
	for _, fault := range []publishtest.Fault{publishtest.Lost, publishtest.Stored} {
		simulate(t, func(t *testing.T, w *world) {
			one, two := w.some(jammy, "one"), w.some(jammy, "two")
			w.push(one, two)
			w.yank(one, two)
			w.publish(jammy)
			time.Sleep(8 * day)
			w.bucket.FailOnce(one.row.Key, fault)
			if n, err := w.collector().RemoveYanked(t.Context()); err == nil || n != 1 || w.has(two.row.Key) {
				t.Errorf("%v: removed %d, %v", fault, n, err)
			}
			if n := w.removeYanked(); n != 1 || w.has(one.row.Key) {
				t.Errorf("%v: removed %d", fault, n)
			}
		})
	}
}

// A withdrawal is taken back just before its file is removed.
func TestRemoveYankedMeetsUnyank(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		p := w.some(jammy, "back")
		which := catalogdb.PackageSelector{Repository: tools, Distribution: jammy.Distribution, Name: "back", Version: p.row.Version}
		w.push(p)
		w.yank(p)
		w.publish(jammy)
		time.Sleep(8 * day)
		w.bucket.Before("Get", layout.PointerKey(jammy), func() {
			if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); err != nil {
				t.Error(err)
			}
		})
		if n := w.removeYanked(); n != 0 || !w.has(p.row.Key) {
			t.Errorf("removed %d packages", n)
		}
		w.publish(jammy)
		w.check(jammy)
	})
}

// A noarch package is removed from every directory after any fault, at once or after the retention period.
func TestRemoveNow(t *testing.T) {
	skipUnderRace(t)
	for _, fault := range []publishtest.Fault{0, publishtest.Lost, publishtest.Stored} {
		simulate(t, func(t *testing.T, w *world) {
			bad := w.rpm(el9, rpmtest.Spec{Name: "data", Arch: "noarch"})
			w.push(bad, w.some(el9, "good"))
			want := []string{"acme/tools/el/9/aarch64/data-1.0-1.noarch.rpm", "acme/tools/el/9/x86_64/data-1.0-1.noarch.rpm"}
			if _, err := w.collector().RemoveNow(t.Context(), []catalog.Package{bad.row}); err == nil || !w.has(want[0]) {
				t.Errorf("removed a package that is not withdrawn: %v", err)
			}
			w.yank(bad)
			w.publish(el9)
			w.publish(in(el9, "aarch64"))
			row, err := w.db.Find(t.Context(), bad.row)
			if err != nil {
				t.Fatal(err)
			}
			if fault != 0 {
				w.bucket.FailOnce("x86_64/*.noarch.rpm", fault)
				if _, err := w.collector().RemoveNow(t.Context(), []catalog.Package{row}); err == nil {
					t.Errorf("%v: got no error", fault)
				}
			}
			for range 2 { // a repeat returns the same keys, for the CDN
				keys, err := w.collector().RemoveNow(t.Context(), []catalog.Package{row})
				if diff := cmp.Diff(want, keys); diff != "" || err != nil {
					t.Errorf("%v: %v, keys (-want +got):\n%s", fault, err, diff)
				}
			}
			for _, key := range want {
				if w.has(key) {
					t.Errorf("%v: %s is there still", fault, key)
				}
			}
			w.check(el9)
			w.check(in(el9, "aarch64"))
		})
	}
}

// grow publishes a release n times.
func grow(w *world, r catalog.Release, n int) {
	for range n {
		w.push(w.some(r, fmt.Sprintf("p%d", w.uploads.Load())))
		w.publish(r)
	}
}

// contents returns the keys of a release's indexes, manifests and lists.
func contents(w *world, r catalog.Release) (keys []string) {
	for _, key := range w.bucket.Keys() {
		index := strings.Contains(key, "/by-hash/") || strings.Contains(key, "/repodata/") && strings.HasSuffix(key, ".xml.gz")
		if index && strings.HasPrefix(key, layout.OSDir(r)) || strings.HasPrefix(key, layout.HistoryPrefix(r)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Superseded indexes and manifests go when no client can need them: not those of the last three publishes,
// and not those that were live within the retention period.
func TestSweep(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			bad := w.some(r, "bad")
			w.push(bad)
			w.publish(r)
			w.yank(bad)
			grow(w, r, 8)
			before := contents(w, r)
			if s := w.sweep(2); s != (collect.Swept{}) {
				t.Errorf("%s: swept young objects: %+v", r, s)
			}
			time.Sleep(15 * day)
			if s := w.sweep(1); s.Marked == 0 || s.Removed != 0 || len(contents(w, r)) != len(before) {
				t.Errorf("%s: the first sweep came to %+v", r, s)
			}
			if s, err := w.collector().Sweep(t.Context()); err != nil || s.Removed != 0 {
				t.Errorf("%s: a sweep right after the first came to %+v, %v", r, s, err)
			}
			if s := w.sweep(1); s.Marked != 0 || s.Removed == 0 {
				t.Errorf("%s: the second sweep came to %+v", r, s)
			}
			if s := w.sweep(2); s != (collect.Swept{}) {
				t.Errorf("%s: more sweeps came to %+v", r, s)
			}
			w.check(r)
			checkKept(w, r, 3)
			grow(w, r, 1)
			w.check(r)
			if got, err := w.published(r); err != nil || len(got) != 10 {
				t.Errorf("%s: got %d rows back, %v", r, len(got), err)
			}
		})
	}
}

// checkKept fails unless the last n publishes have their indexes, and no manifest besides is there.
func checkKept(w *world, r catalog.Release, n int) {
	w.t.Helper()
	m := newestManifest(w, r)
	for i := range n {
		checkObjects(w, m.Indexes)
		checkObjects(w, listObjects(w, r, m))
		if i < n-1 {
			m = manifestOf(w, r, m.Revision-1, m.Previous)
		}
	}
	manifests := 0
	for _, key := range contents(w, r) {
		if _, ok := tree.PointerOf(r, key); ok {
			manifests++
		}
	}
	if manifests != n {
		w.t.Errorf("%s: %d manifests are left, want %d", r, manifests, n)
	}
}

// listObjects returns the objects of the list of withdrawn packages that a manifest names.
func listObjects(w *world, r catalog.Release, m tree.Manifest) (all []tree.Object) {
	w.t.Helper()
	if m.Withdrawn == nil {
		return nil
	}
	l, err := tree.ReadWithdrawnList(w.t.Context(), w.bucket, r, m)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range l.Chunks {
		all = append(all, c.Object)
	}
	return append(all, *m.Withdrawn)
}

// An index may be old and have been superseded a moment ago: clients are still reading it.
func TestSweepSparesWhatWasLiveLately(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			grow(w, r, 3)
			time.Sleep(100 * day)
			live := newestManifest(w, r)
			grow(w, r, 5)
			w.sweep(4)
			time.Sleep(6 * day)
			w.sweep(2)
			checkObjects(w, live.Indexes)
			time.Sleep(20 * day)
			w.sweep(3)
			if w.has(live.Indexes[0].Key) && w.has(live.Indexes[len(live.Indexes)-1].Key) && r == el9 {
				t.Errorf("%s: superseded indexes are there still", r)
			}
			w.check(r)
		})
	}
}

// Package files without a row are removed. Those with a row stay, in every state of the row.
func TestSweepOfPackageFiles(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		active, yanked, claimed := w.some(jammy, "active"), w.some(jammy, "yanked"), w.some(jammy, "claimed")
		noarch, source := w.rpm(el9, rpmtest.Spec{Name: "data", Epoch: 1, Arch: "noarch"}), w.rpm(el9, rpmtest.Spec{Name: "src-1.x-y", Source: true})
		w.push(active, yanked, noarch, source)
		w.yank(yanked)
		if _, _, err := w.db.Claim(t.Context(), claimed.row, catalog.Upload{}); err != nil {
			t.Fatal(err)
		}
		w.bucket.Put(claimed.row.Key, claimed.body)
		strangers := []string{
			w.some(jammy, "stranger").row.Key, "acme/tools/ubuntu/pool/jammy/main/h/hello/e2/hello_1.0-1_all.deb",
			"acme/tools/el/9/x86_64/stranger-1.0-1.x86_64.rpm", "acme/tools/el/9/aarch64/e3/str-anger-1.0-1.noarch.rpm",
		}
		unknown := []string{
			"acme/tools/ubuntu/pool/noble/main/h/hello/hello_1.0_all.deb", "acme/tools/ubuntu/pool/jammy/main/x/hello/hello_1.0_all.deb",
			"acme/tools/el/9/x86_64/no-version.rpm", "acme/tools/el/9/x86_64/README", "acme/other/el/9/x86_64/stranger-1.0-1.x86_64.rpm",
			"acme/tools/el/9/x86_64/repodata/comps.xml", "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0.deb", ".repomill/notes",
		}
		for _, key := range slices.Concat(strangers, unknown) {
			w.bucket.Put(key, []byte(key))
		}
		w.publishSettings()
		w.publish(jammy)
		w.publish(el9)
		w.publish(in(el9, "aarch64"))
		time.Sleep(15 * day)
		before := w.bucket.Keys()
		if s := w.sweep(1); s.Marked != len(strangers) {
			t.Errorf("marked %d, want %d: %s", s.Marked, len(strangers), w.bucket.Bytes(".collect/tombstones/acme/tools.json"))
		}
		w.push(w.some(jammy, "stranger")) // it has been uploaded since
		if s := w.sweep(1); s.Removed != len(strangers)-1 {
			t.Errorf("removed %d", s.Removed)
		}
		want := slices.DeleteFunc(slices.Clone(before), func(key string) bool { return slices.Contains(strangers[1:], key) })
		got := slices.DeleteFunc(w.bucket.Keys(), func(key string) bool { return strings.HasPrefix(key, ".collect/") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
}

// A catalog that lost history cannot say which packages have no row: all of them stay until it has recovered.
func TestSweepWithALostCatalog(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		for name, lose := range map[string]func(w *world, backup []byte){
			"an empty one": func(w *world, _ []byte) { w.restore(empty(w.t)) },
			"one that has the repository": func(w *world, _ []byte) {
				w.restore(empty(w.t))
				w.declare(r, "")
				w.publisher().Settings(w.t.Context(), tools) //nolint:errcheck // it adopts them
			},
			"one from a backup": func(w *world, backup []byte) { w.restore(backup) },
		} {
			t.Run(name, func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					w.publishSettings()
					w.publish(r)
					backup := w.backup()
					grow(w, r, 2)
					time.Sleep(30 * day)
					lose(w, backup)
					if s := w.sweep(3); s.Removed != 0 {
						t.Errorf("%s: swept %+v", r, s)
					}
					w.publish(r)
					w.sweep(3)
					if got := w.check(r); got.Packages != 2 {
						t.Errorf("%s has %d packages", r, got.Packages)
					}
				})
			})
		}
	}
}

// Uploads that were never published are in no index from which a lost catalog could know them.
func TestSweepOfUnpublishedFilesWithALostCatalog(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		p := w.some(jammy, "pending")
		w.push(p)
		w.publishSettings()
		w.restore(empty(t))
		time.Sleep(30 * day)
		if s := w.sweep(3); s != (collect.Swept{}) || !w.has(p.row.Key) {
			t.Errorf("swept %+v", s)
		}
	})
}

// A withdrawal that was taken back by a catalog that is lost removes nothing.
func TestRemoveYankedWithAnOldCatalog(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		p, other := w.some(jammy, "back"), w.some(jammy, "other")
		which := catalogdb.PackageSelector{Repository: tools, Distribution: jammy.Distribution, Name: "back", Version: p.row.Version}
		w.push(p, other)
		w.yank(p, other)
		w.publish(jammy)
		time.Sleep(5 * day)
		backup := w.backup()
		if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); err != nil {
			t.Fatal(err)
		}
		w.publish(jammy)
		time.Sleep(5 * day)
		w.restore(backup)
		if n := w.removeYanked(); n != 1 || !w.has(p.row.Key) || w.has(other.row.Key) {
			t.Errorf("removed %d packages, want the other one", n)
		}
		w.publish(jammy)
		if got := w.check(jammy); got.Packages != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// What is young may belong to a publish or an upload that has not said so yet.
func TestSweepSparesTheYoung(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		grow(w, el9, 1)
		young := []string{
			"acme/tools/el/9/x86_64/stranger-1.0-1.x86_64.rpm",
			"acme/tools/el/9/x86_64/repodata/" + sum(nil) + "-primary.xml.gz",
			layout.HistoryPrefix(el9) + "yanked-" + sum(nil) + ".json.gz",
		}
		for _, key := range young {
			w.bucket.Put(key, []byte(key))
		}
		time.Sleep(13 * day)
		if s := w.sweep(3); s != (collect.Swept{}) {
			t.Errorf("after 13 days: %+v", s)
		}
		time.Sleep(day)
		if s := w.sweep(2); s.Removed != len(young) {
			t.Errorf("after 14 days: %+v", s)
		}
		w.check(el9)
	})
}

// While a sweep goes on, and fails at times, releases are published, back and forth, and clients read them.
func TestI13SweepInBadWeather(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			grow(w, r, 4)
			p := w.some(r, "back-and-forth")
			w.push(p)
			w.publish(r)
			which := catalogdb.PackageSelector{Repository: tools, Distribution: r.Distribution, Name: p.row.Name, Version: p.row.Version, Arch: p.row.Arch}
			for range 12 {
				time.Sleep(5 * day)
				w.bucket.FailOften(0.05)
				swept := make(chan error)
				go func() {
					_, err := w.collector().Sweep(t.Context())
					swept <- err
				}()
				for range 2 {
					w.yank(p)
					w.publisher().Release(t.Context(), r) //nolint:errcheck // bad weather
					if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); err != nil {
						t.Error(err)
					}
					w.publisher().Release(t.Context(), r) //nolint:errcheck // bad weather
				}
				<-swept
				w.bucket.FailOften(0)
				w.repair(r)
				w.check(r)
			}
			w.sweep(2)
			w.check(r)
		})
	}
}

// A publish reuses an old index at the moment at which a sweep removes it.
func TestI13SweepMeetsAPublish(t *testing.T) {
	for _, op := range []string{"Delete", "Stat"} {
		simulate(t, func(t *testing.T, w *world) {
			p := w.some(el9, "back-and-forth")
			which := catalogdb.PackageSelector{Repository: tools, Distribution: el9.Distribution, Name: p.row.Name, Version: p.row.Version, Arch: p.row.Arch}
			w.push(p)
			w.publish(el9)
			old := listed(w, el9)[0]
			w.yank(p)
			w.publish(el9)
			grow(w, el9, 3)
			for _, k := range w.rows(el9) { // back to where it began
				if k.Name != p.row.Name {
					w.yank(upload{row: k})
				}
			}
			w.publish(el9)
			time.Sleep(15 * day)
			w.sweep(1)
			met := false
			w.bucket.Before(op, "repodata/"+old[strings.LastIndex(old, "/")+1:], func() {
				if met {
					return
				}
				met = true
				if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); err != nil {
					t.Error(err)
				}
				w.publish(el9)
			})
			w.sweep(1)
			if !met || listed(w, el9)[0] != old {
				t.Fatalf("%s: the publish took up %s, not %s", op, listed(w, el9)[0], old)
			}
			w.check(el9)
		})
	}
}

// A repository with more garbage than a sweep marks takes no room from another one, and loses it in the sweeps that follow. An object
// that cannot be removed holds up no other.
func TestSweepOfMuchGarbage(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(jammy, "hello"))
		other := jammy
		other.Repository.Name = "zzz"
		w.declare(other, "")
		w.push(w.some(other, "hello"))
		for _, r := range []catalog.Release{jammy, other} {
			w.publish(r)
			for i := range 25 {
				w.bucket.Put(w.some(r, fmt.Sprintf("stranger%d", i)).row.Key, []byte("x"))
			}
		}
		w.publishSettings()
		time.Sleep(15 * day)
		stuck := w.some(jammy, "stranger0").row.Key
		w.bucket.FailOnce(stuck, publishtest.Lost)
		removed, full := 0, 0
		for range 6 {
			time.Sleep(61 * time.Minute)
			c, err := collect.New(collect.Config{Bucket: w.bucket, Catalog: w.db, Rows: rowReader{}, MaxMarked: 10, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Sweep(t.Context())
			if err != nil && !strings.Contains(err.Error(), stuck) {
				t.Fatal(err)
			}
			if s.Marked > 20 || s.Removed > 20 {
				t.Errorf("a sweep that may mark 10 in each of two repositories came to %+v", s)
			}
			removed += s.Removed
			full += s.Full
		}
		if removed != 50 || full < 4 {
			t.Errorf("removed %d of 50; %d times a repository had more than a sweep marks, want 2 repositories twice", removed, full)
		}
	})
}

// A list that another process has written in between is left to that process.
func TestTwoSweeps(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		grow(w, el9, 6)
		time.Sleep(15 * day)
		asleep, awake := holdOnce(w, "Swap", ".collect/tombstones/acme/tools.json")
		first := make(chan error)
		go func() {
			_, err := w.collector().Sweep(t.Context())
			first <- err
		}()
		<-asleep
		w.sweep(1)
		close(awake)
		if err := <-first; !errors.Is(err, publish.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
		if s := w.sweep(1); s.Removed == 0 {
			t.Errorf("swept %+v", s)
		}
		w.check(el9)
	})
}
