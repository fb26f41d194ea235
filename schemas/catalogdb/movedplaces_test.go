package catalogdb_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// TestMovedPlacesAreHidden has the repository become private that packages were moved to: what all can read of their old place names it no more, and
// is published again. A move that waits at that time does not name it, either.
func TestMovedPlacesAreHidden(t *testing.T) {
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, jammy)
		declare(t, db, stable)
		k, late, said := deb(jammy, "hello", "1"), deb(jammy, "late", "1"), deb(jammy, "said", "1")
		activated(t, db, k, late, said)
		move := func(k catalog.Package) func() {
			uploads, err := db.Promote(t.Context(), []catalogdb.Wish{moving(k)}, start)
			if err != nil {
				t.Fatal(err)
			}
			copied(t, db, uploads[0], k)
			return func() {
				publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
				finishMoves(t, db, 1)
			}
		}
		move(k)()
		people := catalogdb.MovedTo + place(stable).String() + ", says jo"
		if _, err := db.Yank(t.Context(), selectorOf(said), catalog.Yank{Reason: people}, start); err != nil {
			t.Fatal(err)
		}
		finish := move(late)
		reason := func(k catalog.Package, want string) {
			t.Helper()
			if found, err := db.Find(t.Context(), k); err != nil || found.Yank == nil || found.Yank.Reason != want {
				t.Errorf("%s is withdrawn: %+v, %v; want %q", k.Name, found.Yank, err, want)
			}
		}
		reason(k, catalogdb.MovedTo+place(stable).String())
		withdrawals, named := 0, 0
		for line, err := range db.LogFrom(t.Context(), catalog.Target(jammy.Repository), catalogdb.LogPlace{}) {
			if err != nil {
				t.Fatal(err)
			}
			if line.Action == catalog.ActionYank && strings.HasPrefix(line.Detail, "hello 1 ") {
				withdrawals++
				if line.Elsewhere != nil && *line.Elsewhere == stable.Repository {
					named++
				}
			}
		}
		if withdrawals != 1 || named != 1 {
			t.Errorf("%d entries of the log have the withdrawal, %d of them the repository that they name", withdrawals, named)
		}
		publish(t, db, jammy, revisionOf(t, db, jammy), start)
		before := revisionOf(t, db, jammy)
		become := func(v catalog.Visibility) {
			if _, err := db.ChangeSettings(t.Context(), stable.Repository, start, func(s *catalog.Settings) error {
				s.Visibility = v
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		become(catalog.Private)
		reason(k, catalogdb.MovedElsewhere)
		reason(said, people)
		if now := revisionOf(t, db, jammy); now != before+1 {
			t.Errorf("the old place went from revision %d to %d", before, now)
		}
		finish()
		reason(late, catalogdb.MovedElsewhere)
		before = revisionOf(t, db, jammy)
		become(catalog.Public)
		become(catalog.Private)
		if now := revisionOf(t, db, jammy); now != before {
			t.Errorf("with nothing to hide, the old place went from revision %d to %d", before, now)
		}
	})
}

// TestMovesRaceWithPrivacy has moves end, and packages of their old place be withdrawn, while the new place becomes private: no reason names it afterwards.
func TestMovesRaceWithPrivacy(t *testing.T) {
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		declare(t, db, jammy)
		declare(t, db, stable)
		become := func(v catalog.Visibility) error {
			_, err := db.ChangeSettings(t.Context(), stable.Repository, start, func(s *catalog.Settings) error {
				s.Visibility = v
				return nil
			})
			return err
		}
		for round := range 8 {
			if err := become(catalog.Public); err != nil {
				t.Fatal(err)
			}
			moved := []catalog.Package{deb(jammy, fmt.Sprint("early", round), "1"), deb(jammy, fmt.Sprint("late", round), "1")}
			other := deb(jammy, fmt.Sprint("other", round), "1")
			activated(t, db, append(moved, other)...)
			var wg sync.WaitGroup
			for i, k := range moved {
				uploads, err := db.Promote(t.Context(), []catalogdb.Wish{moving(k)}, start)
				if err != nil {
					t.Fatal(err)
				}
				copied(t, db, uploads[0], k)
				publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
				if i == 1 {
					wg.Go(func() {
						if err := become(catalog.Private); err != nil {
							t.Error(err)
						}
					})
					wg.Go(func() {
						if _, err := db.Yank(t.Context(), selectorOf(other), catalog.Yank{Reason: "bad"}, start); err != nil {
							t.Error(err)
						}
					})
				}
				finishMoves(t, db, 1)
			}
			wg.Wait()
			for _, k := range moved {
				if found, err := db.Find(t.Context(), k); err != nil || found.Yank == nil || found.Yank.Reason != catalogdb.MovedElsewhere {
					t.Errorf("%s is withdrawn: %+v, %v", k.Name, found.Yank, err)
				}
			}
		}
	})
}
