package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// declareComponent makes a DEB distribution with a component besides main exist.
func declareComponent(t *testing.T, db *catalogdb.DB, r catalog.Release, component string) {
	t.Helper()
	if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: r.Repository, Distro: distro(r), Component: component}, start); err != nil {
		t.Fatal(err)
	}
}

// inComponent returns k in another component.
func inComponent(k catalog.Package, component string) catalog.Package {
	k.Component = component
	k.Key = layout.PoolKey(k)
	return k
}

// pushTo pushes k as an upload of its own for each component.
func pushTo(t *testing.T, db *catalogdb.DB, k catalog.Package) {
	t.Helper()
	s := store(t, db, k, k.Component)
	activate(t, db, s)
}

func componentsShare(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "testing")
	k := deb(jammy, "hello", "1.0")
	pushTo(t, db, inComponent(k, "testing"))
	pushTo(t, db, k)
	if diff := cmp.Diff([]string{"hello 1.0 amd64", "hello 1.0 amd64"}, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	for _, component := range []string{"main", "testing"} {
		found, err := db.Find(t.Context(), inComponent(k, component))
		if err != nil || found.Component != component || found.Key != inComponent(k, component).Key {
			t.Errorf("in %s: got %+v, %v", component, found, err)
		}
	}
	other := k
	other.File = file("other")
	for _, component := range []string{"main", "testing"} {
		holder, claimed, err := db.Claim(t.Context(), inComponent(other, component), catalog.Upload{})
		if err != nil || claimed || holder.File.SHA256 != k.File.SHA256 {
			t.Errorf("other bytes in %s: got %+v, %v, %v", component, holder.File, claimed, err)
		}
	}
	declareComponent(t, db, jammy, "third")
	if holder, blocked, err := db.Blocked(t.Context(), inComponent(other, "third")); err != nil || !blocked || holder.Component != "main" {
		t.Errorf("other bytes in a third component: got %+v, %v, %v", holder, blocked, err)
	}
	if _, blocked, err := db.Blocked(t.Context(), inComponent(k, "third")); err != nil || blocked {
		t.Errorf("the same bytes in a third component: blocked %v, %v", blocked, err)
	}
	if _, claimed, err := db.Claim(t.Context(), inComponent(other, "undeclared"), catalog.Upload{}); !errors.Is(err, catalogdb.ErrNotFound) || claimed {
		t.Errorf("a component that no one declared: %v, %v", claimed, err)
	}
}

// Claims of different bytes in two components never pass each other by.
func componentsRace(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "testing")
	for round := range 10 {
		var wg sync.WaitGroup
		claimed, errs := make([]bool, 4), make([]error, 4)
		for i := range claimed {
			k := inComponent(deb(jammy, "hello", fmt.Sprint(round)), []string{"main", "testing"}[i%2])
			k.File = file(fmt.Sprint(i % 2)) // the same in each component
			wg.Go(func() { _, claimed[i], errs[i] = db.Claim(t.Context(), k, catalog.Upload{}) })
		}
		wg.Wait()
		n := 0
		for _, c := range claimed {
			if c {
				n++
			}
		}
		if err := errors.Join(errs...); err != nil || n != 1 {
			t.Errorf("round %d: %d claims, %v", round, n, err)
		}
	}
}

func componentsYank(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "testing")
	declareComponent(t, db, jammy, "third")
	k := deb(jammy, "hello", "1.0")
	pushTo(t, db, k)
	pushTo(t, db, inComponent(k, "testing"))
	w := selectorOf(k)
	w.Component = "testing"
	if found := yankAll(t, db, w); len(found) != 1 || found[0].Component != "testing" {
		t.Errorf("yanked %+v, want testing's", found)
	}
	checkPackage(t, db, k, catalog.Active)
	claims := func(fact string, k catalog.Package, want bool) {
		t.Helper()
		if _, blocked, err := db.Blocked(t.Context(), k); err != nil || blocked == want {
			t.Errorf("%s: blocked %v, %v", fact, blocked, err)
		}
	}
	other := k
	other.File = file("other")
	claims("the same bytes, active in main", inComponent(k, "third"), true)
	claims("other bytes", inComponent(other, "third"), false)
	w.Component = ""
	if found := yankAll(t, db, w); len(found) != 2 || found[0].State != catalog.Yanked || found[1].State != catalog.Yanked {
		t.Errorf("yanked %+v, want both", found)
	}
	claims("the same bytes, withdrawn everywhere", inComponent(k, "third"), false)
	if holder, claimed, err := db.Claim(t.Context(), inComponent(k, "third"), catalog.Upload{}); err != nil || claimed || holder.State != catalog.Yanked {
		t.Errorf("claimed %v, %+v, %v", claimed, holder, err)
	}
	if got := yankedNames(t, db, jammy); len(got) != 2 {
		t.Errorf("withdrawn: %q, want one a component", got)
	}
	if err := errors.Join(db.Removing(t.Context(), inComponent(k, "testing")), db.Removed(t.Context(), inComponent(k, "testing"))); err != nil {
		t.Error(err)
	}
	w.Component = "main"
	if _, err := db.Unyank(t.Context(), w, start); err != nil {
		t.Errorf("unyank in main: %v", err)
	}
	w.Component = "testing"
	if _, err := db.Unyank(t.Context(), w, start); !errors.Is(err, catalogdb.ErrRemoved) {
		t.Errorf("unyank in testing: got %v, want ErrRemoved", err)
	}
	w.Component = "third"
	if _, err := db.Yank(t.Context(), w, record, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("yank where it is not: got %v, want ErrNotFound", err)
	}
}

// No page ends between two rows of one sort key and forgets the second.
func componentsOrder(t *testing.T, db *catalogdb.DB) {
	var want []string
	components := []string{"contrib", "main", "testing"}
	for _, c := range components {
		declareComponent(t, db, jammy, c)
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, i := range []int{2, 0, 1} {
			pushTo(t, db, inComponent(deb(jammy, name, "1"), components[i]))
		}
		for _, c := range components {
			want = append(want, name+" in "+c)
		}
	}
	for _, size := range []int{1, 2, 4, 9, 100} {
		catalogdb.SetListPage(t, size)
		var got []string
		for k, err := range db.List(t.Context(), jammy, "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, k.Name+" in "+k.Component)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", size, diff)
		}
	}
	s := snapshot(t, db, jammy)
	defer s.Close()
	var got []string
	for e, err := range s.Entries(t.Context(), catalogdb.Range{Bare: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s in %s", e.Name, e.Component))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	l, err := db.Locate(t.Context(), tools, catalog.Pattern{Name: "b", Version: "1"})
	if placed := l.Placements; err != nil || len(placed) != 3 || placed[2].Package.Component != "testing" {
		t.Errorf("placed %+v, %v", placed, err)
	}
}

// A catalog that was restored has claims of its own for what was published in another component.
func componentsRecover(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "testing")
	lost := inComponent(deb(jammy, "hello", "1.0"), "testing")
	lost.File = file("never published")
	s := store(t, db, lost, "1")
	activate(t, db, s)
	k := deb(jammy, "hello", "1.0")
	foreign := catalog.Revision{Number: 9, Nonce: "ffffffffffffffff"}
	for range 2 { // a repeat changes nothing
		_, err := db.Recover(t.Context(), jammy, published(k, inComponent(k, "testing")), foreign, start)
		if err != nil {
			t.Fatal(err)
		}
		for _, component := range []string{"main", "testing"} {
			if found, err := db.Find(t.Context(), inComponent(k, component)); err != nil || found.File != k.File || found.State != catalog.Active {
				t.Errorf("in %s: got %+v, %v", component, found, err)
			}
		}
	}
	v := verdictOf(t, db, s.Upload)
	if v.State != catalog.Rejected || v.Reason != catalog.Conflict || !strings.Contains(v.Detail, k.File.SHA256) || !strings.Contains(v.Detail, lost.File.SHA256) {
		t.Errorf("the upload that was lost: %+v", v)
	}
}

func atWork(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1.0")
	u := uploadOf(k)
	take(t, db, u, start)
	check := func(fact string, now time.Time, want bool) {
		t.Helper()
		if got, err := db.ClaimLeased(t.Context(), k, now); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", fact, got, err, want)
		}
	}
	if _, claimed, err := db.Claim(t.Context(), k, u); err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	check("while its upload has a lease", start, true)
	check("when the lease has ended", start.Add(lease.For+time.Second), false)
	if v := verdictOf(t, db, u); v.State != catalog.Received || v.Package != "hello 1.0 amd64" {
		t.Errorf("the upload is said to be %+v", v)
	}
	again := u
	again.Generation = "2"
	token := take(t, db, again, start.Add(time.Hour))
	if _, claimed, err := db.Claim(t.Context(), k, again); err != nil || claimed {
		t.Fatal(claimed, err)
	}
	check("while another upload of the same bytes has one", start.Add(time.Hour), true)
	if err := db.Return(t.Context(), again, token); err != nil {
		t.Fatal(err)
	}
	check("when that gave it back", start.Add(time.Hour), false)
	none := deb(jammy, "none", "1")
	if _, err := db.ClaimLeased(t.Context(), none, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("nothing: got %v, want ErrNotFound", err)
	}
}
