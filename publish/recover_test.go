package publish_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/rpmtest"
)

// A dying catalog has the process killed while a recovery imports rows: the reading of a row fails.
type dying struct {
	publish.Catalog
	row int // of the second reading
}

var errDied = errors.New("the process was killed")

func (c dying) Recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], foreign catalog.Revision, now time.Time) (catalogdb.Recovered, error) {
	reading := 0
	return c.Catalog.Recover(ctx, r, func(yield func(catalog.Package, error) bool) {
		reading++
		n := 0
		for k, err := range rows {
			if n++; reading == 2 && n == c.row {
				yield(catalog.Package{}, errDied)
				return
			}
			if !yield(k, err) {
				return
			}
		}
	}, foreign, now)
}

// A worker dies in the middle of a recovery: one of two noarch packages is in the catalog again. Neither the release nor the one beside it is
// published before the next worker has recovered the rest, but for the one beside it if that recovery has failed.
func TestHalfOfARecoveryIsNotPublished(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		large := rpmtest.Spec{Name: "a-large", Arch: "noarch"} // its list of files fills a batch
		for i := range 20_000 {
			large.Ghosts = append(large.Ghosts, fmt.Sprintf("/usr/share/a-large/%s/%d", strings.Repeat("x", 230), i))
		}
		arm := in(el9, "aarch64")
		w.publish(arm) // it is published without packages, and the backup knows that
		backup := w.backup()
		w.push(w.rpm(el9, large), w.rpm(el9, rpmtest.Spec{Name: "b-small", Arch: "noarch"}))
		w.publish(el9)
		w.restore(backup)
		w.push(w.some(arm, "mine"))

		c := w.config()
		c.Catalog = dying{w.db, 2}
		before := w.state(el9)
		for range 2 { // the second one has nothing to go on with
			if _, err := newPublisher(t, c).Release(t.Context(), el9); !errors.Is(err, errDied) {
				t.Fatalf("got %v", err)
			}
			s := w.state(el9)
			if s.Recovery == nil || *s.Recovery != (catalogdb.RecoveryState{Done: 1, Total: 2}) || s.Revision != before.Revision {
				t.Errorf("after the kill: %+v, recovered %v", s, s.Recovery)
			}
			if _, err := newPublisher(t, c).Release(t.Context(), arm); err == nil || !strings.Contains(err.Error(), "el/9/x86_64 are recovered from") {
				t.Errorf("beside it: got %v", err)
			}
			for r, want := range map[catalog.Release]int{el9: 2, arm: 0} {
				if got, problems := w.read(r); got.Packages != want || len(problems) > 0 {
					t.Errorf("of %s clients see %d packages, want %d; %v", r, got.Packages, want, problems)
				}
			}
		}
		// It fails, and no worker tries it again: the one beside it goes on with what is recovered.
		if err := w.db.RecordReleaseFault(t.Context(), el9, "its indexes cannot be read"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.publish(arm)
		if got := w.check(arm); got.Packages != 2 {
			t.Errorf("beside a recovery that failed clients see %d packages, want mine and a-large", got.Packages)
		}
		w.publish(el9)
		w.publish(arm)
		if got := w.check(el9); got.Packages != 2 {
			t.Errorf("at the end clients see %d packages", got.Packages)
		}
		if got := w.check(arm); got.Packages != 3 {
			t.Errorf("at the end clients see %d packages beside it", got.Packages)
		}
	})
}
