package publish_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
)

// manyOld pushes n packages named old of jammy, and withdraws them.
func (w *world) manyOld(n int) {
	w.t.Helper()
	base := w.deb(jammy, "main", debtest.Spec{Name: "old", Version: "1.0", Arch: "amd64"})
	_, err := w.db.Recover(w.t.Context(), jammy, func(yield func(catalog.Package, error) bool) {
		for i := range n {
			k := base.row
			version := fmt.Sprintf("1.%d", i)
			id, err := rowReader{}.Identity(catalog.DEB, k.Name, version, k.Arch)
			k.Version, k.Canonical, k.SortKey, k.State = version, id.Canonical, id.SortKey, catalog.Active
			k.Stanza = bytes.ReplaceAll(bytes.ReplaceAll(base.row.Stanza, []byte("Version: 1.0\n"), []byte("Version: "+version+"\n")), []byte("_1.0_"), []byte("_"+version+"_"))
			k.Key = layout.PoolKey(k)
			w.bucket.Put(k.Key, base.body)
			if !yield(k, err) {
				return
			}
		}
	}, catalog.Revision{Number: 7, Nonce: "0123456789abcdef"}, w.bucket.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.withdraw("*")
}

// withdraw withdraws the packages named old whose versions have a pattern.
func (w *world) withdraw(versions string) {
	w.t.Helper()
	y := catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "expired: " + versions, By: "jo"}}
	if _, err := w.db.YankSelected(w.t.Context(), selectOld(versions), y, w.bucket.Now(), allOf); err != nil {
		w.t.Fatal(err)
	}
}

// bringBack makes them active again.
func (w *world) bringBack(versions string) {
	w.t.Helper()
	if _, err := w.db.UnyankSelected(w.t.Context(), selectOld(versions), w.bucket.Now(), allOf); err != nil {
		w.t.Fatal(err)
	}
}

func selectOld(versions string) catalogdb.Selection {
	return catalogdb.Selection{
		Target:   catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution},
		Patterns: []catalog.Pattern{{Name: "old", Version: versions}},
		States:   []catalog.PackageState{catalog.Active, catalog.Yanked},
	}
}

func allOf(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil }

// checkWithdrawn fails unless the published list of jammy is that of the rows, byte for byte, has n packages, and is read back.
func (w *world) checkWithdrawn(n int) {
	w.t.Helper()
	if got := w.reindex(jammy, publish.Reindexing{DryRun: true}); got.Different {
		w.t.Errorf("made of all rows, the release has other bytes: %+v", got)
	}
	got, err := w.published(jammy)
	if diff := cmp.Diff(withdrawnOf(w.rows(jammy)), withdrawnOf(got)); diff != "" || err != nil {
		w.t.Errorf("withdrawn (-catalog +published), %v:\n%s", err, diff)
	}
	if got := len(withdrawnOf(got)); got != n {
		w.t.Errorf("%d packages are withdrawn, want %d", got, n)
	}
}

// withdrawnOf returns the withdrawals of rows.
func withdrawnOf(rows []catalog.Package) (all []string) {
	for _, k := range rows {
		if k.State == catalog.Yanked {
			all = append(all, fmt.Sprintf("%s %s %s %s %+v", k.Component, k.Name, k.Version, k.File.SHA256, *k.Yank))
		}
	}
	return all
}

// listWrites returns the keys of lists, and of chunks, that were written since it was called last.
func (w *world) listWrites() (lists, chunks []string) {
	for _, key := range w.bucket.Writes() {
		switch {
		case strings.Contains(key, "/withdrawn-chunk-"):
			chunks = append(chunks, key)
		case strings.Contains(key, "/withdrawn-"):
			lists = append(lists, key)
		}
	}
	return lists, chunks
}

// A publish writes what changed of the list, whichever process made the rest, and nothing if nothing did.
func TestWithdrawnListIsUpdated(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(3000)
		w.publish(jammy)
		if lists, chunks := w.listWrites(); len(lists) != 1 || len(chunks) < 4 {
			t.Fatalf("%d lists in %d chunks: there is nothing to keep", len(lists), len(chunks))
		}
		w.checkWithdrawn(3000)
		for _, step := range []struct {
			fact      string
			change    func()
			withdrawn int
			lists     int
			most      int // chunks
		}{
			{"another package joins", func() { w.push(w.some(jammy, "joins")) }, 3000, 0, 0},
			{"one comes back", func() { w.bringBack("1.77") }, 2999, 1, 2},
			{"it goes again, for another reason", func() { w.withdraw("1.77") }, 3000, 1, 2},
			{"one comes back and goes again", func() { w.bringBack("1.78"); w.withdraw("1.78") }, 3000, 1, 2},
			{"a few come back", func() { w.bringBack("1.12?") }, 2990, 1, 4},
			{"the first and the last come back", func() { w.bringBack("1.0"); w.bringBack("1.2999") }, 2988, 1, 4},
			{"all come back", func() { w.bringBack("*") }, 0, 0, 0},
			{"nothing is withdrawn", func() { w.push(w.some(jammy, "joins-too")) }, 0, 0, 0},
			{"one is withdrawn", func() { w.withdraw("1.5") }, 1, 1, 1},
		} {
			step.change()
			w.bucket.Writes()
			w.publish(jammy)
			if lists, chunks := w.listWrites(); len(lists) != step.lists || len(chunks) > step.most || len(lists) > 0 && len(chunks) == 0 {
				t.Errorf("%s: wrote %d lists and %d chunks", step.fact, len(lists), len(chunks))
			}
			w.checkWithdrawn(step.withdrawn)
		}
	})
}

// A publish renders no chunk of the list but those in which rows changed: equal bytes are not written, so that writes alone do not show it.
func TestWithdrawnListReadsWhatChanged(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(3000)
		w.publish(jammy)
		w.database(`UPDATE packages SET yank_reason = 'other bytes in each chunk' WHERE yank_reason IS NOT NULL`)
		for fact, change := range map[string]func(){"another package joins": func() { w.push(w.some(jammy, "joins")) }, "one comes back": func() { w.bringBack("1.77") }} {
			change()
			w.bucket.Writes()
			w.publish(jammy)
			if _, chunks := w.listWrites(); len(chunks) > 2 {
				t.Errorf("%s: %d chunks were rendered", fact, len(chunks))
			}
		}
	})
}

// Prepared releases have lists that are updated, too.
func TestWithdrawnListOfAPreparedRelease(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(2000)
		w.publish(jammy)
		w.bringBack("1.77")
		prepared, err := w.publisher().Prepare(t.Context(), jammy)
		if err != nil {
			t.Fatal(err)
		}
		w.bucket.Writes()
		if _, err := w.publisher().ReleasePrepared(t.Context(), jammy, prepared); err != nil {
			t.Fatal(err)
		}
		if lists, chunks := w.listWrites(); len(lists) != 1 || len(chunks) > 2 {
			t.Errorf("wrote %d lists and %d chunks", len(lists), len(chunks))
		}
		w.checkWithdrawn(1999)
	})
}

// listed returns the list of the newest manifest of jammy.
func (w *world) withdrawnList() tree.WithdrawnList {
	w.t.Helper()
	l, err := tree.ReadWithdrawnList(w.t.Context(), w.bucket, jammy, newestManifest(w, jammy))
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// setManifest replaces the newest manifest of jammy.
func (w *world) setManifest(m tree.Manifest) {
	w.t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bucket.Put(manifestKeyOf(w, jammy), body)
}

// asEarlier gives the newest manifest of jammy the form of earlier versions.
func (w *world) asEarlier() {
	w.t.Helper()
	var list []byte
	for _, c := range w.withdrawnList().Chunks {
		list = append(list, w.bucket.Bytes(c.Object.Key)...)
		w.bucket.Put(c.Object.Key, nil)
	}
	m := newestManifest(w, jammy)
	w.bucket.Put(m.Withdrawn.Key, nil)
	m.Withdrawn, m.WithdrawnFormat, m.Generation = nil, 0, 0
	m.Yanked = &tree.Object{Key: layout.HistoryPrefix(jammy) + "yanked-" + sum(list) + ".json.gz", Size: int64(len(list)), SHA256: sum(list)}
	w.bucket.Put(m.Yanked.Key, list)
	w.setManifest(m)
}

// A lost catalog gets all withdrawals back with their reasons, from the lists of this version and of earlier ones.
func TestWithdrawalsAreRecovered(t *testing.T) {
	skipUnderRace(t)
	skipUnderRace(t)
	for name, age := range map[string]func(*world){"a list in chunks": func(*world) {}, "a list of an earlier version": (*world).asEarlier} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.manyOld(1500)
				w.push(w.some(jammy, "hello"))
				w.publish(jammy)
				w.bringBack("1.1*")
				w.withdraw("1.17?")
				w.publish(jammy)
				age(w)
				before := withdrawnOf(w.rows(jammy))
				w.restore(empty(t))
				w.publish(jammy)
				if diff := cmp.Diff(before, withdrawnOf(w.rows(jammy))); diff != "" || len(before) < 800 {
					t.Errorf("withdrawals (-before +after):\n%s", diff)
				}
				w.checkWithdrawn(len(before))
			})
		})
	}
}

// The first publish of this version replaces the list of an earlier one.
func TestWithdrawnListOfAnEarlierVersionIsReplaced(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		w.manyOld(1500)
		w.publish(jammy)
		w.asEarlier()
		w.checkWithdrawn(1500) // it is not compared
		w.push(w.some(jammy, "hello"))
		w.publish(jammy)
		if m := newestManifest(w, jammy); m.Yanked != nil || m.Withdrawn == nil {
			t.Errorf("got %+v", m)
		}
		w.checkWithdrawn(1500)
	})
}

// Damage of a list is mended: what a publish cannot read is made of all rows, and a reindex looks at everything.
func TestDamagedWithdrawnListIsMended(t *testing.T) {
	skipUnderRace(t)
	skipUnderRace(t)
	for name, tt := range map[string]struct {
		damage    func(w *world)
		byPublish bool // else only by a reindex
		forged    bool // nothing is missing or damaged that a manifest names
	}{
		"the manifest is missing":   {func(w *world) { w.bucket.Put(manifestKeyOf(w, jammy), nil) }, true, true},
		"the manifest is no JSON":   {func(w *world) { w.bucket.Put(manifestKeyOf(w, jammy), []byte("{")) }, true, true},
		"a manifest without a list": {(*world).lostManifest, true, true},
		"the list is missing":       {func(w *world) { w.bucket.Put(newestManifest(w, jammy).Withdrawn.Key, nil) }, true, false},
		"the list is damaged":       {func(w *world) { w.bucket.Put(newestManifest(w, jammy).Withdrawn.Key, []byte("x")) }, true, false},
		"the list has a later form": {(*world).laterList, true, true},
		"a chunk is missing":        {func(w *world) { w.bucket.Put(w.withdrawnList().Chunks[1].Object.Key, nil) }, false, false},
		"a chunk is damaged":        {func(w *world) { w.bucket.Put(w.withdrawnList().Chunks[1].Object.Key, []byte("x")) }, false, false},
		"the manifest names none":   {func(w *world) { m := newestManifest(w, jammy); m.Withdrawn = nil; w.setManifest(m) }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, publishes := range []bool{true, false} {
				simulate(t, func(t *testing.T, w *world) {
					w.manyOld(1500)
					w.publish(jammy)
					time.Sleep(time.Minute)
					tt.damage(w)
					if publishes && tt.byPublish {
						w.bringBack("1.33")
						w.publish(jammy)
						w.checkWithdrawn(1499)
						return
					}
					if tt.byPublish && tt.forged { // there is nothing to compare with
						w.push(w.some(jammy, "hello"))
					}
					if _, err := w.publisher().Reindex(t.Context(), jammy, publish.Reindexing{}); !tt.forged && (err == nil || !strings.Contains(err.Error(), "--repair")) {
						t.Errorf("a reindex without --repair: %v", err)
					}
					w.reindex(jammy, publish.Reindexing{Repair: true})
					w.checkWithdrawn(1500)
				})
			}
		})
	}
}

// laterList gives the newest manifest a list of a later format.
func (w *world) laterList() {
	m := newestManifest(w, jammy)
	m.WithdrawnFormat++
	w.setManifest(m)
}

// lostManifest removes the newest manifest, and has the pointer signed by other keys: it gets a manifest that knows less.
func (w *world) lostManifest() {
	w.bucket.Put(manifestKeyOf(w, jammy), nil)
	if res, err := w.publisherWith(twoSigners(w.t), publicURL).Release(w.t.Context(), jammy); err != nil || !res.Signed {
		w.t.Fatalf("got %+v, %v", res, err)
	}
}
