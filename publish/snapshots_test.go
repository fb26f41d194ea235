package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/check"
	"repomill/publish/keys"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/publish/snapshot"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// both are the releases of which snapshots are taken, in order of their names.
var both = []catalog.Release{el9, jammy}

func (w *world) snapshots() *snapshot.Snapshots { return w.snapshotsOn(w.bucket, w.publisher()) }

func (w *world) snapshotsOn(b snapshot.Bucket, p *publish.Publisher) *snapshot.Snapshots {
	return snapshot.New(snapshot.Config{Bucket: b, Publisher: p, Log: slog.New(slog.DiscardHandler)})
}

// request asks for a snapshot of both releases now.
func (w *world) request() snapshot.Request {
	return snapshot.Request{Repository: tools, ID: layout.SnapshotID(w.bucket.Now()), Name: "19.5", By: "jo", Why: "before the upgrade", Releases: both}
}

func (w *world) take(q snapshot.Request) tree.Snapshot {
	w.t.Helper()
	s, err := w.snapshots().Create(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// publishAll pushes a package to both releases, and publishes them.
func (w *world) publishAll(name string) {
	w.t.Helper()
	w.push(w.some(jammy, name), w.some(el9, name))
	w.publish(jammy)
	w.publish(el9)
}

// A rewriting tree has the paths that clients use, as the resolver has.
type rewriting struct{ *publishtest.Bucket }

func (b rewriting) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	ref, ok := layout.Parse(path)
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return b.Bucket.Open(ctx, ref.Key)
}

// clientOf reads a release of a snapshot as clients do, and returns what it has. Indexes with plain names are absent there.
func (w *world) clientOf(r catalog.Release, id string, ring sign.Keyring) check.Release {
	w.t.Helper()
	ctx, opt := w.t.Context(), check.Options{Content: true, Now: w.bucket.Now(), Settle: time.Nanosecond}
	var got check.Release
	var problems []check.Problem
	var err error
	if r.Arch == "" {
		got, problems, err = check.Apt(ctx, rewriting{w.bucket}, layout.InSnapshot(tools, id, layout.OSDir(r)), r.Distribution.Version, ring, opt)
	} else {
		got, problems, err = check.RPM(ctx, rewriting{w.bucket}, layout.InSnapshot(tools, id, layout.RPMDir(r)), ring, opt)
	}
	if err != nil {
		w.t.Fatalf("snapshot %s of %s: %v", id, r, err)
	}
	for _, p := range problems {
		if !strings.HasSuffix(p.Path, "/Packages.gz") && !strings.HasSuffix(p.Path, "/Sources.gz") {
			w.t.Errorf("snapshot %s of %s: %s", id, r, p)
		}
	}
	return got
}

// checkSnapshot fails unless a snapshot is whole: its record, its list, its objects, and what clients find.
func (w *world) checkSnapshot(s tree.Snapshot, ring sign.Keyring) {
	w.t.Helper()
	for _, one := range s.Releases {
		r, err := catalog.ParseRelease(one.Release)
		if err != nil {
			w.t.Fatal(err)
		}
		got := w.clientOf(r, s.ID, ring)
		if got.Revision.Number != one.Revision || got.Revision.Nonce != one.Nonce || got.Packages != one.Packages {
			w.t.Errorf("clients see %+v, the record says %+v", got, one)
		}
		if sum := tree.Sum(w.bucket.Bytes(one.Pointer.Key)); sum != one.Pointer.SHA256 {
			w.t.Errorf("%s is not that of the record", one.Pointer.Key)
		}
	}
	for _, key := range []string{layout.SourcesKey(tools, jammy.Distribution), layout.RepoKey(tools, el9.Distribution)} {
		key = layout.InSnapshot(tools, s.ID, key)
		if text := string(w.bucket.Bytes(key)); !strings.Contains(text, publicURL+"/acme/tools/snapshots/"+s.ID+"/") || strings.Contains(text, publicURL+"/acme/tools/ubuntu") {
			w.t.Errorf("%s:\n%s", key, text)
		}
	}
	list, err := w.snapshots().List(w.t.Context(), tools)
	if err != nil || !slices.ContainsFunc(list, func(one tree.Snapshot) bool { return cmp.Equal(one, s) }) {
		w.t.Errorf("listed is %+v, %v", list, err)
	}
	if text := string(w.bucket.Bytes(layout.SnapshotListKey(tools))); !strings.Contains(text, `{"id":"`+s.ID+`","name":"`+s.Name+`"}`) {
		w.t.Errorf("the resolver's list is %s", text)
	}
	w.bucket.Writes()
	if again, err := w.snapshots().Create(w.t.Context(), snapshot.Request{Repository: tools, ID: s.ID, Name: s.Name, By: s.By, Why: s.Why, Releases: both}); err != nil || !cmp.Equal(again, s) {
		w.t.Errorf("a repeat: got %+v, %v", again, err)
	}
	w.checkSilent("a repeat")
}

// What a snapshot names is fetchable until the snapshot is deleted, through publishes and collection.
func TestL3SnapshotStaysFetchable(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publishAll("first")
		time.Sleep(time.Second)
		s := w.take(w.request())
		w.checkSnapshot(s, keyring(t))
		old := s.Releases[0].Indexes[0].Key
		for i := range 20 {
			time.Sleep(5 * day)
			w.publishAll(fmt.Sprint("more", i))
			w.sweep(3)
		}
		if n := w.clientOf(jammy, s.ID, keyring(t)).Packages; n != 1 {
			t.Errorf("the snapshot has %d packages", n)
		}
		w.checkSnapshot(s, keyring(t))
		if err := w.snapshots().Delete(t.Context(), tools, s.ID); err != nil {
			t.Fatal(err)
		}
		w.sweep(3)
		if w.has(old) || len(w.bucketKeys("snapshots/"+s.ID)) > 0 {
			t.Errorf("a deleted snapshot holds %s, or left %q", old, w.bucketKeys("snapshots"))
		}
		w.check(jammy)
		w.check(el9)
	})
}

// bucketKeys returns the keys that contain a text.
func (w *world) bucketKeys(text string) (found []string) {
	for _, key := range w.bucket.Keys() {
		if strings.Contains(key, text) {
			found = append(found, key)
		}
	}
	return found
}

// A snapshot of an hour that collection meets at every moment is whole, or is refused.
func TestSnapshotWhileCollecting(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		for i := range 4 {
			w.publishAll(fmt.Sprint("old", i))
			time.Sleep(20 * day)
		}
		w.sweep(1)
		q := w.request()
		n := 0
		turn := make(chan struct{}, 1) // releases are copied side by side
		busy := func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			n++
			time.Sleep(3 * time.Minute)
			if n%3 == 0 {
				w.publishAll(fmt.Sprint("during", n))
			}
			if _, err := w.collector().Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		}
		dir := layout.SnapshotDir(tools, q.ID)
		for _, key := range []string{
			dir + "ubuntu/dists/jammy/InRelease", dir + "ubuntu/dists/jammy/Release.gpg", dir + "el/9/x86_64/repodata/repomd.xml", dir + "el/9/x86_64/repodata/repomd.xml.asc",
			dir + "ubuntu/jammy.sources", layout.SnapshotKey(tools, q.ID),
		} {
			w.bucket.Before("Create", key, busy)
			w.bucket.Before("Swap", key, busy)
		}
		s := w.take(q)
		if n < 4 {
			t.Errorf("collection met %d writes", n)
		}
		for i := range 5 {
			time.Sleep(10 * day)
			w.publishAll(fmt.Sprint("later", i))
			w.sweep(3)
		}
		w.checkSnapshot(s, keyring(t))
	})
}

// snapshotWrites returns the keys that f writes, in order.
func snapshotWrites(t *testing.T, begin func(w *world), f func(w *world) error) (keys []string) {
	simulate(t, func(t *testing.T, w *world) {
		begin(w)
		w.bucket.Writes()
		if err := f(w); err != nil {
			t.Fatal(err)
		}
		keys = w.bucket.Writes()
	})
	return keys
}

// A step of a snapshot's life fails at each of its writes, lost or stored, or its process is killed there; a release may be published
// before it is repeated. It ends as if nothing had happened.
func TestSnapshotWritesFailOnce(t *testing.T) {
	skipUnderRace(t)
	for name, step := range map[string]struct {
		begin func(w *world)
		do    func(w *world, b snapshot.Bucket) error
		check func(w *world)
	}{
		"create": {
			func(w *world) { w.publishAll("first") },
			func(w *world, b snapshot.Bucket) error {
				_, err := w.snapshotsOn(b, w.publisher()).Create(w.t.Context(), w.stepRequest())
				return err
			},
			func(w *world) { w.checkSnapshot(w.only(), keyring(w.t)) },
		},
		"resign": {
			func(w *world) { w.publishAll("first"); w.take(w.stepRequest()) },
			func(w *world, b snapshot.Bucket) error {
				_, err := w.snapshotsOn(b, w.withKeys(keySet(w.t, keys.Signing), twoSigners(w.t))).Resign(w.t.Context(), tools, false)
				return err
			},
			func(w *world) {
				s := w.only()
				w.checkSnapshot(s, keyring(w.t))
				next, err := sign.ReadKeyring(nextSigner().Public())
				if err != nil {
					w.t.Fatal(err)
				}
				w.checkSnapshot(s, next)
			},
		},
		"delete": {
			func(w *world) { w.publishAll("first"); w.take(w.stepRequest()) },
			func(w *world, b snapshot.Bucket) error {
				return w.snapshotsOn(b, w.publisher()).Delete(w.t.Context(), tools, stepID)
			},
			func(w *world) {
				if left := w.bucketKeys(stepID); len(left) > 0 {
					w.t.Errorf("left are %q", left)
				}
				if text := string(w.bucket.Bytes(layout.SnapshotListKey(tools))); strings.Contains(text, stepID) {
					w.t.Errorf("listed is %s", text)
				}
			},
		},
	} {
		all := snapshotWrites(t, step.begin, func(w *world) error { return step.do(w, w.bucket) })
		if len(all) < 4 {
			t.Fatalf("%s writes %q", name, all)
		}
		for n, key := range all {
			for _, fault := range []publishtest.Fault{publishtest.Lost, publishtest.Stored, 0} {
				for _, publishes := range []bool{false, true} {
					simulate(t, func(t *testing.T, w *world) {
						step.begin(w)
						var b snapshot.Bucket = w.bucket
						if fault == 0 {
							b = mortalAfter(w, n+1)
						} else {
							w.bucket.FailOnce(key, fault)
						}
						if err := step.do(w, b); err == nil && fault != 0 {
							t.Errorf("%s: a write of %s was %v, and nothing said so", name, key, fault)
						}
						if publishes {
							time.Sleep(time.Minute)
							w.publishAll("second")
						}
						if err := step.do(w, w.bucket); err != nil {
							t.Errorf("%s again after %s, %v: %v", name, key, fault, err)
						}
						step.check(w)
						if err := w.snapshots().Relist(t.Context(), tools); err != nil {
							t.Error(err)
						}
						step.check(w)
					})
				}
			}
		}
	}
}

// stepID is the identifier in [TestSnapshotWritesFailOnce]: a time before the bubble's bucket was made, and less than an hour ago.
var stepID = layout.SnapshotID(publishtest.Start.Add(-time.Minute))

func (w *world) stepRequest() snapshot.Request {
	q := w.request()
	q.ID = stepID
	return q
}

// only returns the snapshot that there is.
func (w *world) only() tree.Snapshot {
	w.t.Helper()
	all, err := w.snapshots().List(w.t.Context(), tools)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("got %d snapshots, %v", len(all), err)
	}
	return all[0]
}

// Several processes take one snapshot while releases are published: all get the same.
func TestSnapshotIsTakenByManyAtOnce(t *testing.T) {
	skipUnderRace(t)
	for range 20 {
		simulate(t, func(t *testing.T, w *world) {
			w.publishAll("first")
			w.bucket.Slow(300 * time.Millisecond)
			q := w.request()
			got := make([]tree.Snapshot, 6)
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() {
					for {
						var err error
						if got[i], err = w.snapshots().Create(t.Context(), q); err == nil {
							return
						} else if !errors.Is(err, publish.ErrConflict) {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Go(func() {
				for i := range 5 {
					w.publishAll(fmt.Sprint("more", i))
				}
			})
			all.Wait()
			w.bucket.Slow(1)
			for i, one := range got {
				if diff := cmp.Diff(got[0], one); diff != "" {
					t.Errorf("process %d (-first +this):\n%s", i, diff)
				}
			}
			w.checkSnapshot(got[0], keyring(t))
		})
	}
}

// A sweep reads each record once, and each manifest once: its reads grow as the number of snapshots does.
func TestSweepIsLinearInSnapshots(t *testing.T) {
	skipUnderRace(t)
	took := map[int]time.Duration{}
	for _, n := range []int{100, 1000} {
		w := newWorld(t)
		w.publishAll("first")
		s := w.take(w.request())
		for i := range n - 1 {
			w.copySnapshot(s, layout.SnapshotID(w.bucket.Now().Add(-time.Duration(i+1)*time.Hour)))
		}
		reads := 0
		var one sync.Mutex
		w.bucket.Before("Get", ".snapshots/acme/tools/*", func() {
			one.Lock()
			defer one.Unlock()
			reads++
		})
		began := time.Now()
		if _, err := w.collector().Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		took[n] = time.Since(began)
		if reads != n {
			t.Errorf("%d snapshots: %d records were read", n, reads)
		}
	}
	t.Logf("a sweep took %v", took)
}

// copySnapshot makes another snapshot of the same state at another time, with its objects.
func (w *world) copySnapshot(s tree.Snapshot, id string) {
	w.t.Helper()
	for _, key := range w.bucketKeysBelow(layout.SnapshotDir(tools, s.ID)) {
		w.bucket.Put(strings.Replace(key, s.ID, id, 1), w.bucket.Bytes(key))
	}
	record := string(w.bucket.Bytes(layout.SnapshotKey(tools, s.ID)))
	w.bucket.Put(layout.SnapshotKey(tools, id), []byte(strings.ReplaceAll(record, s.ID, id)))
}

// bucketKeysBelow returns the keys that begin with a text.
func (w *world) bucketKeysBelow(prefix string) []string {
	return slices.DeleteFunc(w.bucket.Keys(), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}
