package publish_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/publishtest"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// change changes the settings of the repository.
func (w *world) change(f func(*catalog.Settings)) {
	w.t.Helper()
	_, err := w.db.ChangeSettings(w.t.Context(), tools, w.bucket.Now(), func(s *catalog.Settings) error { f(s); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) settings() catalog.Settings {
	w.t.Helper()
	s, err := w.db.Settings(w.t.Context(), tools)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) publishSettings() {
	w.t.Helper()
	if err := w.publisher().Settings(w.t.Context(), tools); err != nil {
		w.t.Fatal(err)
	}
}

var (
	keptToken    = catalog.Token{Name: "kept", SHA256: sum([]byte("kept")), Created: publishtest.Start}
	revokedToken = catalog.Token{Name: "revoked", SHA256: sum([]byte("revoked")), Created: publishtest.Start}
)

// live is what happened in a world between a backup and its use.
type live struct {
	rows    []catalog.Package
	indexes []string
	at      catalog.Revision
	date    time.Time
	gone    upload
}

// age makes a backup, and goes on: packages are pushed, one is yanked, a token is revoked.
func (w *world) age(r catalog.Release) (backup []byte, now live) {
	now.gone = w.some(r, "withdrawn")
	w.change(func(s *catalog.Settings) {
		s.Visibility, s.Tokens = catalog.Private, []catalog.Token{keptToken, revokedToken}
	})
	w.push(w.some(r, "first"), now.gone)
	w.publishSettings()
	w.publish(r)
	backup = w.backup()

	late := w.some(r, "early-bad")
	w.push(w.some(r, "second"), w.some(r, "third"), late)
	w.publish(r)
	w.yank(now.gone, late)
	w.change(func(s *catalog.Settings) { s.Tokens = []catalog.Token{keptToken} })
	w.publishSettings()
	w.publish(r)
	now.rows, now.indexes, now.at, now.date = w.rows(r), listed(w, r), w.state(r).Revision, newestManifest(w, r).Date
	return backup, now
}

// checkNothingLost publishes a release with a catalog that lost history.
func checkNothingLost(w *world, r catalog.Release, was live) {
	w.t.Helper()
	res := w.publish(r)
	if want := was.at.Number + 1000; res.Revision.Number != want || res.Revision.Nonce == was.at.Nonce {
		w.t.Errorf("%s: published %v, want revision %d", r, res.Revision, want)
	}
	w.check(r)
	rows := w.rows(r)
	if r.Arch == "" { // the time of an upload is in no index
		for i := range rows {
			rows[i].Uploaded = was.rows[i].Uploaded
		}
	}
	if diff := cmp.Diff(was.rows, rows); diff != "" {
		w.t.Errorf("%s: rows (-before +after):\n%s", r, diff)
	}
	if diff := cmp.Diff(was.indexes, listed(w, r)); diff != "" {
		w.t.Errorf("%s: indexes (-before +after):\n%s", r, diff)
	}
	if m := newestManifest(w, r); !m.Date.After(was.date) || m.Withdrawn == nil {
		w.t.Errorf("%s: manifest %+v after one of %v", r, m, was.date)
	}
	if s := w.settings(); s.Visibility != catalog.Private || !cmp.Equal(s.Tokens, []catalog.Token{keptToken}) {
		w.t.Errorf("%s: settings %+v", r, s)
	}
	if w.log.alarms() != 2 {
		w.t.Errorf("%s: %d alarms, want one for the settings and one for the release", r, w.log.alarms())
	}
	w.bucket.Writes()
	w.publish(r)
	w.checkSilent("published again")
	w.push(w.some(r, "fourth"))
	w.publish(r)
	if got := w.check(r); got.Packages != 4 {
		w.t.Errorf("%s has %d packages, want 4", r, got.Packages)
	}
}

// The drill: a catalog comes back from a backup, under a bucket that is ahead of it.
func TestRestoredCatalogLosesNothing(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			backup, was := w.age(r)
			watch(w, r)
			w.restore(backup)
			checkNothingLost(w, r, was)
			// A yank that the backup did not know can still be taken back: the row was there.
			k := was.gone.row
			which := catalogdb.PackageSelector{Repository: tools, Distribution: r.Distribution, Name: k.Name, Version: k.Version, Arch: k.Arch}
			if _, err := w.db.Unyank(t.Context(), which, w.bucket.Now()); err != nil {
				t.Error(err)
			}
			w.publish(r)
			w.check(r)
		})
	}
}

// The same without any backup.
func TestEmptyCatalogUnderAFullBucket(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			_, was := w.age(r)
			watch(w, r)
			w.restore(empty(t))
			checkNothingLost(w, r, was)
		})
	}
}

// A process that starts with an empty catalog finds all repositories and their releases.
func TestEmptyCatalogLearnsWhatIsDeclared(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(append(debs(w), rpms(w)...)...)
		w.publishSettings()
		before, err := w.db.Releases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range before {
			w.publish(s.Release)
		}
		w.restore(empty(t))
		found, err := tree.Repositories(t.Context(), w.bucket)
		if diff := cmp.Diff([]catalog.Repository{tools}, found); diff != "" || err != nil {
			t.Errorf("declared (-want +got): %v\n%s", err, diff)
		}
		w.publishSettings()
		todo, err := w.db.Unpublished(t.Context())
		if err != nil || len(todo) != len(before) {
			t.Fatalf("there are %d releases to publish, want %d (%v)", len(todo), len(before), err)
		}
		for _, r := range todo {
			w.publish(r)
		}
		for _, r := range todo {
			w.publish(r) // noarch packages that came with one directory raise the others
			w.check(r)
		}
	})
}

// An upload of the restored catalog that is not published yet is published with the rest.
func TestUnpublishedRowsSurviveRecovery(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "first"))
			w.publish(r)
			w.push(w.some(r, "pending"))
			backup := w.backup()
			w.push(w.some(r, "second"))
			w.publish(r)
			w.restore(backup)
			w.publish(r)
			if got := w.check(r); got.Packages != 3 {
				t.Errorf("%s has %d packages, want 3", r, got.Packages)
			}
		})
	}
}

// A release is not taken over by halves: while anything that it names cannot be read, it stays as it is.
func TestRecoveryOfADamagedBucket(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			_, was := w.age(r)
			key := listed(w, r)[0]
			whole, pointer := w.bucket.Bytes(key), w.bucket.Bytes(layout.PointerKey(r))
			w.bucket.Put(key, append(slices.Clone(whole), 0))
			w.restore(empty(t))
			if _, err := w.publisher().Release(t.Context(), r); err == nil || errors.Is(err, tree.ErrForeign) {
				t.Errorf("%s: got %v, want a fault", r, err)
			}
			if n, err := w.db.Count(t.Context(), r); err != nil || n != 0 || string(w.bucket.Bytes(layout.PointerKey(r))) != string(pointer) {
				t.Errorf("%s: %d rows were taken over, %v", r, n, err)
			}
			w.bucket.Put(key, whole)
			res := w.publish(r)
			if res.Revision.Number != was.at.Number+1000 {
				t.Errorf("%s: published %v", r, res.Revision)
			}
			w.check(r)
		})
	}
}

// Two processes with one restored catalog, and every write fails now and then.
func TestRecoveryInBadWeather(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			backup, was := w.age(r)
			watch(w, r)
			w.restore(backup)
			w.bucket.Slow(10 * time.Millisecond)
			w.bucket.FailOften(0.2)
			ended := make(chan error)
			for range 2 {
				go func() {
					_, err := w.publisher().Release(t.Context(), r)
					ended <- err
				}()
			}
			for range 2 {
				if err := <-ended; errors.Is(err, tree.ErrForeign) {
					t.Error(err)
				}
			}
			w.bucket.FailOften(0)
			w.repair(r)
			w.check(r)
			if diff := cmp.Diff(was.indexes, listed(w, r)); diff != "" {
				t.Errorf("%s: indexes (-before +after):\n%s", r, diff)
			}
		})
	}
}

// A worker that died between the two halves of a pair, on a machine whose catalog was lost with it.
func TestTornPairUnderLostHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		backup, _ := w.age(el9)
		pointer := layout.PointerKey(el9)
		w.bucket.Put(pointer+".asc", w.bucket.Bytes(pointer)) // no signature of this pointer
		w.restore(backup)
		if _, err := w.publisher().Repair(t.Context(), el9); err != nil {
			t.Errorf("nothing repairs the pair, and nothing is published any more: %v", err)
		}
	})
}
