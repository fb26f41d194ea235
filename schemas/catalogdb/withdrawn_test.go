package catalogdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A withdrawnState is what a snapshot said of withdrawn packages: the sort key of each, by what its record says.
type withdrawnState struct {
	revision   catalog.Revision
	generation int64
	records    map[string]string
}

func withdrawnAt(t *testing.T, s *catalogdb.Snapshot) withdrawnState {
	t.Helper()
	state := withdrawnState{s.Revision, s.Generation, map[string]string{}}
	for k := range withdrawnBetween(t, s, nil, nil) {
		state.records[fmt.Sprintf("%s %s %s %s %s %v", k.Component, k.Name, k.Version, k.Arch, k.File.SHA256, *k.Yank)] = string(k.SortKey)
	}
	return state
}

// withdrawnBetween yields the withdrawn packages of a range.
func withdrawnBetween(t *testing.T, s *catalogdb.Snapshot, from, to []byte) iter.Seq[catalog.Package] {
	t.Helper()
	return func(yield func(catalog.Package) bool) {
		for k, err := range s.Withdrawn(t.Context(), from, to) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(k) {
				return
			}
		}
	}
}

// changedSince returns the sort keys of the packages that are withdrawn in one of two states, or have other records.
func (s withdrawnState) changedSince(was withdrawnState) map[string]bool {
	keys := map[string]bool{}
	for record, key := range s.records {
		if was.records[record] == "" {
			keys[key] = true
		}
	}
	for record, key := range was.records {
		if s.records[record] == "" {
			keys[key] = true
		}
	}
	return keys
}

// withdrawnChanges makes random changes of all kinds. After each, all changes of the withdrawn packages since any revision are known,
// unless the generation was raised.
func withdrawnChanges(t *testing.T, db *catalogdb.DB) {
	for _, r := range []catalog.Release{jammy, el9} {
		declare(t, db, r, "x86_64", "aarch64", "i386", "SRPMS"[:min(5, len(r.Arch))])
	}
	watched := []catalog.Release{jammy, el9, in(el9, "aarch64")}
	h := &withdrawnHistory{t: t, db: db, random: rand.New(rand.NewPCG(16, 4)), seen: map[catalog.Release][]withdrawnState{}}
	var compared, found int
	for step := range 120 {
		h.step(step)
		for _, r := range watched {
			s := snapshot(t, db, r)
			now := withdrawnAt(t, s)
			for _, was := range h.seen[r] {
				keys, known, err := s.WithdrawnChanges(t.Context(), was.revision, 1000)
				if err != nil || !known {
					t.Fatalf("step %d, %s: changes since %v: known %t, %v", step, r, was.revision, known, err)
				}
				if was.generation != s.Generation {
					continue
				}
				compared++
				for key := range now.changedSince(was) {
					if found++; !slices.ContainsFunc(keys, func(k []byte) bool { return string(k) == key }) {
						t.Errorf("step %d (%s), %s: %q changed between %v and %v, and is not among %q", step, h.last, r, key, was.revision, s.Revision, keys)
					}
				}
				if !slices.IsSortedFunc(keys, bytes.Compare) {
					t.Errorf("%q is out of order", keys)
				}
			}
			if n := len(h.seen[r]); n == 0 || h.seen[r][n-1].revision != now.revision {
				h.seen[r] = append(h.seen[r], now)
			}
			s.Close()
		}
	}
	if compared < 1000 || found < 1000 {
		t.Errorf("%d states were compared, %d changes were found", compared, found)
	}
}

// A withdrawnHistory changes a catalog at random.
type withdrawnHistory struct {
	t      *testing.T
	db     *catalogdb.DB
	random *rand.Rand
	pushed []catalog.Package
	last   string // what the last step did
	seen   map[catalog.Release][]withdrawnState
}

// some returns a pushed package.
func (h *withdrawnHistory) some() catalog.Package { return h.pushed[h.random.IntN(len(h.pushed))] }

func (h *withdrawnHistory) step(n int) {
	now := start.Add(time.Duration(n) * time.Minute)
	version := fmt.Sprint("1.", n)
	y := catalog.Yank{Reason: fmt.Sprint("reason ", n), At: now}
	all := func(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil }
	pattern := []catalog.Pattern{{Name: "*", Version: fmt.Sprintf("1.%d*", h.random.IntN(10))}}
	states := []catalog.PackageState{catalog.Active, catalog.Yanked}
	target := catalog.PackageTarget{Repository: tools}
	actions := map[string]func() error{
		"push": func() error {
			one, other := deb(jammy, "app", version), deb(jammy, "app", version)
			other.Component, other.Key = "contrib", other.Key+"2"
			arch := rpm(el9, "app", version, []string{"x86_64", "aarch64", "noarch"}[n%3])
			pushAll(h.t, h.db, one, arch)
			h.pushed = append(h.pushed, one, arch)
			return nil
		},
		"yank": func() error { _, err := h.db.Yank(h.t.Context(), selectorOf(h.some()), y, now); return err },
		"unyank": func() error {
			k := h.some()
			if found, err := h.db.Find(h.t.Context(), k); err != nil || found.State != catalog.Yanked {
				return err
			}
			_, err := h.db.Unyank(h.t.Context(), selectorOf(k), now)
			return err
		},
		"yank and unyank": func() error {
			k := h.some()
			if _, err := h.db.Yank(h.t.Context(), selectorOf(k), y, now); err != nil {
				return err
			}
			_, err := h.db.Unyank(h.t.Context(), selectorOf(k), now)
			return err
		},
		"yank selected": func() error {
			_, err := h.db.YankSelected(h.t.Context(), catalogdb.Selection{Target: target, Patterns: pattern, States: states}, catalogdb.Withdrawal{Yank: y, Now: n%2 == 0}, now, all)
			return err
		},
		"unyank selected": func() error {
			_, err := h.db.UnyankSelected(h.t.Context(), catalogdb.Selection{Target: target, Patterns: pattern, States: states}, now, all)
			return err
		},
		"roll back": func() error {
			seen := h.seen[jammy]
			to := seen[h.random.IntN(len(seen))].revision.Number
			_, _, err := h.db.RollBack(h.t.Context(), catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution}, catalogdb.Point{Revision: to}, y, now, whole)
			if errors.Is(err, catalogdb.ErrNotPublished) {
				return nil
			}
			return err
		},
		"publish": func() error {
			for r := range h.seen {
				publish(h.t, h.db, r, stateOf(h.t, h.db, r).Revision.Number, now)
			}
			return nil
		},
		"rebuild": func() error { return h.rebuild(n, y, now) },
	}
	names := slices.Sorted(maps.Keys(actions))
	if h.last = names[h.random.IntN(len(names))]; n < 20 {
		h.last = []string{"push", "publish"}[n%2]
	}
	if h.last == "rebuild" && n%4 > 0 { // it raises the generation, after which less is compared
		h.last = "yank"
	}
	if err := actions[h.last](); err != nil {
		h.t.Fatalf("step %d, %s: %v", n, h.last, err)
	}
}

// rebuild claims a package and then takes over rows among which it is withdrawn.
func (h *withdrawnHistory) rebuild(n int, y catalog.Yank, now time.Time) error {
	k := deb(jammy, "claimed", fmt.Sprint(n))
	claim(h.t, h.db, k)
	k.State, k.Yank = catalog.Yanked, &y
	published := stateOf(h.t, h.db, jammy).Revision
	_, err := h.db.Rebuild(h.t.Context(), jammy, func(yield func(catalog.Package, error) bool) { yield(k, nil) }, published, now)
	h.pushed = append(h.pushed, k)
	return err
}

// withdrawnRanges reads withdrawn packages of ranges, in order, also where rows of directories are merged and components share sort keys.
func withdrawnRanges(t *testing.T, db *catalogdb.DB) {
	catalogdb.SetPartSize(t, 3)
	declare(t, db, el9, "aarch64", "i386", "x86_64")
	var want []string
	for i := range 20 {
		k := rpm(el9, fmt.Sprintf("p%02d", i), "1", []string{"noarch", "x86_64"}[i%2])
		pushAll(t, db, k)
		if i%5 > 0 {
			yankAll(t, db, selectorOf(k))
			want = append(want, k.Name)
		}
	}
	s := snapshot(t, db, el9)
	defer s.Close()
	for from := range 21 {
		for to := from; to < 21; to++ {
			var got, in []string
			bounds := [2][]byte{[]byte(fmt.Sprintf("p%02d", from)), []byte(fmt.Sprintf("p%02d", to))}
			if from == 0 {
				bounds[0] = nil
			}
			if to == 20 {
				bounds[1] = nil
			}
			for k := range withdrawnBetween(t, s, bounds[0], bounds[1]) {
				got = append(got, k.Name)
			}
			for _, name := range want {
				if name >= fmt.Sprintf("p%02d", from) && name < fmt.Sprintf("p%02d", to) {
					in = append(in, name)
				}
			}
			if diff := cmp.Diff(in, got); diff != "" {
				t.Errorf("%q: (-want +got)\n%s", bounds, diff)
			}
		}
	}
	if _, known, err := s.WithdrawnChanges(t.Context(), catalog.Revision{Number: 1, Nonce: "0123456789abcdef"}, 1000); known || err != nil {
		t.Errorf("since a revision of another catalog: %t, %v", known, err)
	}
	first := catalog.Revision{Number: s.Revision.Number}
	if _, known, err := s.WithdrawnChanges(t.Context(), first, 1000); known || err != nil {
		t.Errorf("since a revision with another nonce: %t, %v", known, err)
	}
}
