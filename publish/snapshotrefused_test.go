package publish_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/publish"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/publish/snapshot"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Each of these is one clear error, and leaves nothing that clients see.
func TestSnapshotRefuses(t *testing.T) {
	skipUnderRace(t)
	for name, tt := range map[string]struct {
		spoil func(w *world, q *snapshot.Request)
		is    error
		says  string
	}{
		"a name with a slash":                {func(_ *world, q *snapshot.Request) { q.Name = "a/b" }, nil, "1 to 64 letters"},
		"a name like a time":                 {func(_ *world, q *snapshot.Request) { q.Name = "20261129T021500Z" }, nil, "looks like the identifier"},
		"an identifier of words":             {func(_ *world, q *snapshot.Request) { q.ID = "now" }, nil, "is not an identifier"},
		"a time of yesterday":                {func(w *world, q *snapshot.Request) { q.ID = layout.SnapshotID(w.bucket.Now().Add(-day)) }, snapshot.ErrNotNow, "new identifier"},
		"a time of tomorrow":                 {func(w *world, q *snapshot.Request) { q.ID = layout.SnapshotID(w.bucket.Now().Add(day)) }, snapshot.ErrNotNow, "new identifier"},
		"no releases":                        {func(_ *world, q *snapshot.Request) { q.Releases = nil }, snapshot.ErrNothing, ""},
		"a release that was never published": {func(_ *world, q *snapshot.Request) { q.Releases = []catalog.Release{in(el9, "SRPMS")} }, snapshot.ErrNothing, ""},
		"a release of another repository": {func(_ *world, q *snapshot.Request) {
			q.Releases = []catalog.Release{{Repository: catalog.Repository{Owner: "acme", Name: "other"}}}
		}, nil, "another repository"},
		"a pointer that others signed": {func(w *world, _ *snapshot.Request) {
			body, err := nextSigner().Clear(tree.SignedText(jammy, w.bucket.Bytes(layout.PointerKey(jammy))), w.bucket.Now())
			if err != nil {
				w.t.Fatal(err)
			}
			w.bucket.Put(layout.PointerKey(jammy), body)
		}, tree.ErrForeign, ""},
		"a repomd.xml that was changed": {func(w *world, _ *snapshot.Request) {
			body := w.bucket.Bytes(layout.PointerKey(el9))
			w.bucket.Put(layout.PointerKey(el9), append(bytes.Clone(body), '\n'))
		}, tree.ErrForeign, ""},
		"an index that is missing": {func(w *world, _ *snapshot.Request) {
			w.bucket.Put(w.bucketKeys("primary.xml.gz")[0], nil)
		}, nil, "is missing: repomill reindex --repair"},
		"an index that is cut off":   {func(w *world, _ *snapshot.Request) { w.bucket.Put(w.bucketKeys("primary.xml.gz")[0], []byte("x")) }, nil, "has 1 bytes"},
		"a bucket of a later format": {func(w *world, _ *snapshot.Request) { w.bucket.Put(layout.FormatKey, []byte(`{"format": 99}`)) }, nil, "upgrade this program"},
		"a broken list":              {func(w *world, _ *snapshot.Request) { w.bucket.Put(layout.SnapshotListKey(tools), []byte("[]")) }, nil, "remove that object"},
	} {
		simulate(t, func(t *testing.T, w *world) {
			w.publishAll("first")
			q := w.request()
			tt.spoil(w, &q)
			_, err := w.snapshots().Create(t.Context(), q)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: got %v", name, err)
			}
			if found := w.bucketKeys(".snapshots/"); len(found) > 0 {
				t.Errorf("%s: there is a record: %q", name, found)
			}
		})
	}
}

// A name and an identifier belong to one snapshot.
func TestSnapshotExists(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publishAll("first")
		q := w.request()
		s := w.take(q)
		other := q
		other.Why = "something else"
		if _, err := w.snapshots().Create(t.Context(), other); !errors.Is(err, snapshot.ErrExists) {
			t.Errorf("another request: got %v", err)
		}
		time.Sleep(time.Second)
		named := w.request()
		if _, err := w.snapshots().Create(t.Context(), named); !errors.Is(err, snapshot.ErrExists) || !strings.Contains(err.Error(), s.ID) {
			t.Errorf("the same name: got %v", err)
		}
		if err := w.snapshots().Delete(t.Context(), tools, s.ID); err != nil {
			t.Fatal(err)
		}
		w.checkSnapshot(w.take(named), keyring(t))
		if err := w.snapshots().Delete(t.Context(), tools, s.ID); err != nil {
			t.Errorf("deleted twice: %v", err)
		}
		if err := w.snapshots().Delete(t.Context(), tools, "../x"); err == nil {
			t.Error("deleted what is not an identifier")
		}
	})
}

// An earlier collector refuses a bucket with a snapshot: the number is raised before anything of one is written.
func TestSnapshotRaisesTheFormat(t *testing.T) {
	for _, text := range []string{"", `{"format": 1}`} {
		simulate(t, func(t *testing.T, w *world) {
			w.publishAll("first")
			if text != "" {
				w.bucket.Put(layout.FormatKey, []byte(text))
			}
			w.bucket.Writes()
			w.take(w.request())
			if writes := w.bucket.Writes(); writes[0] != layout.FormatKey || string(w.bucket.Bytes(layout.FormatKey)) != "{\"format\":2}\n" {
				t.Errorf("written was %q, format %s", writes, w.bucket.Bytes(layout.FormatKey))
			}
			time.Sleep(time.Second)
			q := w.request()
			q.Name = ""
			w.take(q)
			if writes := w.bucket.Writes(); slices.Contains(writes, layout.FormatKey) {
				t.Errorf("written again was %q", writes)
			}
		})
	}
}

// Copies without a record, of a snapshot that was never complete, go; those of a snapshot stay.
func TestSweepRemovesIncompleteSnapshots(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publishAll("first")
		s := w.take(w.request())
		time.Sleep(time.Second)
		q := w.request()
		q.Name = ""
		dead := w.snapshotsOn(mortalAfter(w, 4), w.publisher())
		if _, err := dead.Create(t.Context(), q); !errors.Is(err, errDead) {
			t.Fatalf("got %v", err)
		}
		if len(w.bucketKeys(q.ID)) == 0 {
			t.Fatal("nothing is left over")
		}
		time.Sleep(13 * day)
		w.sweep(3)
		if len(w.bucketKeys(q.ID)) == 0 {
			t.Error("young copies were removed")
		}
		time.Sleep(2 * day)
		w.sweep(3)
		if left := w.bucketKeys(q.ID); len(left) > 0 {
			t.Errorf("left are %q", left)
		}
		w.checkSnapshot(s, keyring(t))
	})
}

// Keys change three times. The text of a snapshot stays, and clients of the present keys can read it; one that only a leaked key
// has signed is refused and keeps the others from nothing.
func TestSnapshotFollowsKeys(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publishAll("first")
		s := w.take(w.request())
		text := func() string {
			return string(tree.SignedText(jammy, w.bucket.Bytes(s.Releases[1].Pointer.Key))) + string(w.bucket.Bytes(s.Releases[0].Pointer.Key))
		}
		before := text()
		ring, err := sign.ReadKeyring(nextSigner().Public())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(day)
		set := keySet(t, keys.Signing)
		p := w.withKeys(set, twoSigners(t))
		for n, want := range []int{1, 0} {
			if got, err := w.snapshotsOn(w.bucket, p).Resign(t.Context(), tools, false); err != nil || got != want {
				t.Errorf("run %d: got %d, %v", n, got, err)
			}
		}
		w.checkSnapshot(w.only(), ring)
		w.checkSnapshot(w.only(), keyring(t))
		w.bucket.Writes()
		lacking := w.withKeys(set, signer())
		if got, err := w.snapshotsOn(w.bucket, lacking).Resign(t.Context(), tools, true); err != nil || got != 0 {
			t.Errorf("without one of the keys: got %d, %v", got, err)
		}
		w.checkSilent("a process without one of the keys")
		if err := set.Retire(name(signer()), false, w.bucket.Now()); err != nil {
			t.Fatal(err)
		}
		p = w.withKeys(set, twoSigners(t))
		if got, err := w.snapshotsOn(w.bucket, p).Resign(t.Context(), tools, false); err != nil || got != 1 {
			t.Errorf("got %d, %v", got, err)
		}
		got := w.only()
		w.checkSnapshotOf(got, ring, p)
		if fmt.Sprint(got.Releases[0].SignedBy) != fmt.Sprint([]string{name(nextSigner())}) || text() != before {
			t.Errorf("signed by %s; the text is the same: %v", got.Releases[0].SignedBy, text() == before)
		}
		if file := string(w.bucket.Bytes(layout.InSnapshot(tools, s.ID, layout.SourcesKey(tools, jammy.Distribution)))); strings.Contains(file, armorOf(signer())) || !strings.Contains(file, armorOf(nextSigner())) {
			t.Error("the configuration has other keys")
		}
	})
}

// armorOf returns a line of a public key, by which it is found.
func armorOf(s *sign.Signer) string { return strings.Split(string(s.Public()), "\n")[5] }

// checkSnapshotOf reads a snapshot as clients with some keys do.
func (w *world) checkSnapshotOf(s tree.Snapshot, ring sign.Keyring, _ *publish.Publisher) {
	w.t.Helper()
	for _, r := range both {
		w.clientOf(r, s.ID, ring)
	}
}

// A snapshot that only a leaked key has signed is not signed again.
func TestSnapshotOfALeakedKey(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publishAll("first")
		s := w.take(w.request())
		set := keySet(t, keys.Signing)
		if err := set.Retire(name(signer()), true, w.bucket.Now()); err != nil {
			t.Fatal(err)
		}
		w.bucket.Writes()
		_, err := w.snapshotsOn(w.bucket, w.withKeys(set, twoSigners(t))).Resign(t.Context(), tools, false)
		if !errors.Is(err, tree.ErrForeign) || !strings.Contains(err.Error(), s.ID) {
			t.Errorf("got %v", err)
		}
		w.checkSilent("a leaked key")
		// Others put a text of theirs in its place.
		body, err := signer().Clear([]byte("Origin: evil\nDate: "+w.bucket.Now().UTC().Format(time.RFC1123)+"\n"), w.bucket.Now())
		if err != nil {
			t.Fatal(err)
		}
		w.bucket.Put(s.Releases[1].Pointer.Key, body)
		_, err = w.snapshotsOn(w.bucket, w.withKeys(keySet(t, keys.Signing), twoSigners(t))).Resign(t.Context(), tools, false)
		if err == nil || !strings.Contains(err.Error(), "is not what the snapshot was taken of") {
			t.Errorf("got %v", err)
		}
	})
}

// What another process left undone of the list and of deletions is done.
func TestSnapshotsAreRelisted(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publishAll("first")
		s := w.take(w.request())
		want := string(w.bucket.Bytes(layout.SnapshotListKey(tools)))
		w.bucket.Put(layout.SnapshotListKey(tools), nil)
		for range 2 {
			if err := w.snapshots().Relist(t.Context(), tools); err != nil || string(w.bucket.Bytes(layout.SnapshotListKey(tools))) != want {
				t.Errorf("got %s, %v", w.bucket.Bytes(layout.SnapshotListKey(tools)), err)
			}
			w.bucket.Writes()
		}
		if err := w.snapshotsOn(mortalAfter(w, 3), w.publisher()).Delete(t.Context(), tools, s.ID); !errors.Is(err, errDead) {
			t.Fatalf("got %v", err)
		}
		if err := w.snapshots().Relist(t.Context(), tools); err != nil || len(w.bucketKeys(s.ID)) > 0 {
			t.Errorf("left are %q, %v", w.bucketKeys(s.ID), err)
		}
		if err := w.snapshots().Relist(t.Context(), catalog.Repository{Owner: "acme", Name: "nothing"}); err != nil {
			t.Error(err)
		}
	})
}
