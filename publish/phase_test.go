package publish_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
	"repomill/testdata/debtest"
)

// phase gives the packages of a release that patterns select a phase.
func (w *world) phase(r catalog.Release, p catalog.Phasing, names ...string) {
	w.t.Helper()
	s := catalogdb.Selection{Target: catalog.PackageTarget{Repository: r.Repository, Distribution: r.Distribution}}
	for _, name := range names {
		s.Patterns = append(s.Patterns, catalog.Pattern{Name: name})
	}
	_, err := w.db.PhaseSelected(w.t.Context(), s, p, w.bucket.Now(), func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) {
		if len(f.Unmatched) > 0 {
			return nil, fmt.Errorf("there is no %s", f.Unmatched[0])
		}
		return f.All, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// phasesOf returns the phases that an index of jammy says.
func phasesOf(w *world) map[string]int {
	all := map[string]int{}
	for stanza := range strings.SplitSeq(strings.Join(members(w.t, w.bucket.Bytes(plainIndex)), ""), "\n\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(stanza, "Package: "), "\n")
		if percent, phased := catalog.PhaseOf([]byte(stanza + "\n")); phased {
			all[name] = percent
		}
	}
	return all
}

// A phase changes the one segment that has its package, also in what a publisher kept of a rendering.
func TestPhaseChangesOneSegment(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		var all []upload
		for i := range 600 {
			all = append(all, row(fmt.Sprintf("p%04d", i)))
		}
		w.push(all...)
		p := w.publisher()
		publishWith(t, p, jammy)
		before := members(t, w.bucket.Bytes(plainIndex))
		for _, percent := range []int{10, 0, 100} {
			time.Sleep(time.Minute)
			w.phase(jammy, catalog.Phasing{Percent: percent}, "p0300")
			if res := publishWith(t, p, jammy); !res.Changed {
				t.Errorf("%d%%: nothing is published: %+v", percent, res)
			}
			after := members(t, w.bucket.Bytes(plainIndex))
			changed := slices.DeleteFunc(slices.Clone(after), func(m string) bool { return slices.Contains(before, m) })
			if want := min(1, 100-percent); len(after) < 3 || len(changed) != want {
				t.Errorf("%d%%: %d of %d segments differ from those at 100%%, want %d", percent, len(changed), len(after), want)
			}
			want := map[string]int{"p0300": percent}
			if percent == 100 {
				want = map[string]int{}
			}
			if diff := cmp.Diff(want, phasesOf(w)); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
		}
		if res := publishWith(t, p, jammy); res.Changed {
			t.Errorf("once more: %+v", res)
		}
	})
}

// What a publisher updates and what is rendered whole are the same bytes: phases change, neighbours come and go, and a
// stanza becomes too large for a segment with others by its phase.
func TestPhaseIncrementsEqualFullRenders(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		random := rand.New(rand.NewPCG(16, 6))
		w.declare(jammy, "extra")
		var all []upload
		for i := range 200 {
			u := row(fmt.Sprintf("p%04d", i))
			u.row.Component = []string{"main", "extra"}[i%2]
			u.row.Arch = []string{"amd64", "all", "arm64"}[i%3]
			u.row.Key = strings.Replace(u.row.Key, "/main/", "/"+u.row.Component+"/", 1)
			if i%20 == 0 { // at the border of what has a segment to itself
				text := "Package: " + u.row.Name + "\nNotes: "
				u.row.Stanza = append([]byte(text), bytes.Repeat([]byte("x"), gzipmember.Oversized-len(text)-1)...)
				u.row.Stanza = append(u.row.Stanza, '\n')
			}
			all = append(all, u)
		}
		there := 100
		w.push(all[:there]...)
		p := w.publisher()
		publishWith(t, p, jammy)
		for step := range 12 {
			time.Sleep(time.Minute)
			for range 1 + random.IntN(8) {
				w.phase(jammy, catalog.Phasing{Percent: 10 * random.IntN(11)}, all[random.IntN(there)].row.Name)
			}
			if step%3 == 1 {
				w.push(all[there : there+5]...)
				there += 5
			}
			publishWith(t, p, jammy)
			if got := w.reindex(jammy, publish.Reindexing{DryRun: true}); got.Different {
				t.Fatalf("step %d: what was updated differs from what is rendered whole: %+v", step, got)
			}
		}
		w.phase(jammy, catalog.Phasing{Percent: 7}, "*") // more than is rendered row by row
		publishWith(t, p, jammy)
		if got := w.reindex(jammy, publish.Reindexing{DryRun: true}); got.Different || len(phasesOf(w)) == 0 {
			t.Errorf("after a change of all: %+v", got)
		}
	})
}

// A process that publishes a phase is killed after each of its writes. The next one goes on from there.
func TestKillAfterEveryWriteOfAPhase(t *testing.T) {
	skipUnderRace(t)
	for n, died := 0, true; died; n++ {
		simulate(t, func(t *testing.T, w *world) {
			begin(w, jammy, true)
			w.publish(jammy)
			w.phase(jammy, catalog.Phasing{Percent: 10}, "first")
			c := w.config()
			c.Bucket, c.Catalog = mortalAfter(w, n), mortalAfter(w, 1)
			_, err := newPublisher(t, c).Release(t.Context(), jammy)
			if died = errors.Is(err, errDead); !died && err != nil {
				t.Fatal(err)
			}
			w.publish(jammy)
			w.check(jammy)
			if got := w.reindex(jammy, publish.Reindexing{DryRun: true}); got.Different || w.state(jammy).Published != w.state(jammy).Revision.Number {
				t.Errorf("killed after write %d: %+v", n, got)
			}
			if diff := cmp.Diff(map[string]int{"first": 10}, phasesOf(w)); diff != "" {
				t.Errorf("killed after write %d: phases (-want +got):\n%s", n, diff)
			}
		})
	}
}

// Phases come back from published indexes, and with them the same bytes.
func TestI15PhasesAreRebuilt(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		own := w.deb(jammy, "main", debtest.Spec{Name: "own", Fields: []string{"Phased-Update-Percentage: 30"}})
		free := w.deb(jammy, "main", debtest.Spec{Name: "free", Fields: []string{"Phased-Update-Percentage: 40"}})
		w.push(own, free, w.some(jammy, "one"), w.some(jammy, "two"))
		w.phase(jammy, catalog.Phasing{Percent: 0}, "one")
		w.phase(jammy, catalog.Phasing{Percent: 100}, "free")
		w.publish(jammy)
		want, phases := listed(w, jammy), map[string]int{"own": 30, "one": 0}
		if diff := cmp.Diff(phases, phasesOf(w)); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		w.restore(empty(t)) // the database is lost
		p := w.publisher()
		if err := p.Settings(t.Context(), tools); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Rebuild(t.Context(), jammy); err != nil {
			t.Fatal(err)
		}
		publishWith(t, p, jammy)
		if diff := cmp.Diff(want, listed(w, jammy)); diff != "" {
			t.Errorf("indexes (-before +after):\n%s", diff)
		}
		all, err := w.db.Phases(t.Context(), catalog.PackageTarget{Repository: tools})
		if err != nil || len(all) != 2 || all[0].Source != "one" || all[0].Percent != 0 || all[1].Percent != 30 {
			t.Errorf("phases after it: %+v, %v", all, err)
		}
		if got := w.reindex(jammy, publish.Reindexing{}); got.Different || got.Changed {
			t.Errorf("a reindex of what was rebuilt: %+v", got)
		}
		w.phase(jammy, catalog.Phasing{Percent: 100}, "one", "own")
		w.publish(jammy)
		if got := phasesOf(w); len(got) > 0 {
			t.Errorf("phases at the end: %v", got)
		}
	})
}
