package catalogdb_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// whole decides for all that a rollback would change.
func whole(r catalogdb.Rollback) (withdraw, restore []catalogdb.SelectedPackage, err error) {
	return r.Came, r.Went, nil
}

func rollBack(t *testing.T, db *catalogdb.DB, to catalogdb.Point, target ...catalog.PackageTarget) (changed []string) {
	t.Helper()
	at := append(target, catalog.PackageTarget{Repository: tools})[0]
	withdrawn, restored, err := db.RollBack(t.Context(), at, to, catalog.Yank{Reason: "rollback"}, seconds(60), whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range withdrawn.Packages {
		changed = append(changed, "-"+k.Name+" "+k.Version)
	}
	for _, k := range restored.Packages {
		changed = append(changed, "+"+k.Name+" "+k.Version)
	}
	slices.Sort(changed)
	return changed
}

func rollsBack(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	old, kept, late := deb(jammy, "app", "1"), deb(jammy, "kept", "1"), deb(jammy, "app", "2")
	pushAll(t, db, old, kept)
	publish(t, db, jammy, 3, seconds(1))
	then := names(t, db, jammy)
	yankAll(t, db, selectorOf(old))
	pushAll(t, db, late, deb(jammy, "new", "1"))
	publish(t, db, jammy, 6, seconds(2))
	now := names(t, db, jammy)
	if diff := cmp.Diff([]string{"+app 1", "-app 2", "-new 1"}, rollBack(t, db, catalogdb.Point{Revision: 3})); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	checkRevision(t, db, jammy, 7) // one, for all of them
	if diff := cmp.Diff(then, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	if got := rollBack(t, db, catalogdb.Point{At: seconds(1)}); len(got) > 0 {
		t.Errorf("again, by its time, it changes %v", got)
	}
	checkRevision(t, db, jammy, 7)
	publish(t, db, jammy, 7, seconds(3))
	rollBack(t, db, catalogdb.Point{Revision: 6}) // undo
	if diff := cmp.Diff(now, names(t, db, jammy)); diff != "" {
		t.Errorf("undone, %s shows (-want +got):\n%s", jammy, diff)
	}
	var got []string
	for e, err := range db.Log(t.Context(), catalog.Target{Owner: "acme", Name: "tools"}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionRollback {
			got = append(got, e.Target+": "+e.Detail)
		}
	}
	if diff := cmp.Diff([]string{"acme/tools: to revision 3: 2 withdrawn, 1 restored", "acme/tools: to revision 6: 1 withdrawn, 2 restored"}, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}

// Of packages for all architectures, those come back that some release showed; a time is of each release.
func rollsBackRPM(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	arm := in(el9, "aarch64")
	any, one := rpm(el9, "any", "1-1", "noarch"), rpm(el9, "one", "1-1", "x86_64")
	pushAll(t, db, any, one)
	publishLatest(t, db, seconds(1), el9, arm, in(el9, "SRPMS"))
	yankAll(t, db, selectorOf(any))
	pushAll(t, db, rpm(el9, "more", "1-1", "noarch"))
	publishLatest(t, db, seconds(2), el9) // and not of arm
	if diff := cmp.Diff([]string{"+any 1-1", "-more 1-1"}, rollBack(t, db, catalogdb.Point{At: seconds(1)})); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"any 1-1 noarch", "one 1-1 x86_64"}, names(t, db, el9)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", el9, diff)
	}
	if diff := cmp.Diff([]string{"any 1-1 noarch"}, names(t, db, arm)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", arm, diff)
	}
}

func rollbackRefuses(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	old := deb(jammy, "app", "1")
	pushAll(t, db, old)
	publish(t, db, jammy, 2, seconds(1))
	yankAll(t, db, selectorOf(old))
	publish(t, db, jammy, 3, seconds(2))
	if err := db.Removing(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	one := catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution}
	refused := errors.New("refused")
	for _, tt := range []struct {
		fact   string
		target catalog.PackageTarget
		to     catalogdb.Point
		want   error
	}{
		{"an unknown repository", catalog.PackageTarget{Repository: catalog.Repository{Owner: "acme", Name: "none"}}, catalogdb.Point{At: start}, catalogdb.ErrNotFound},
		{"an unknown distribution", catalog.PackageTarget{Repository: tools, Distribution: noble.Distribution}, catalogdb.Point{Revision: 1}, catalogdb.ErrNotFound},
		{"a revision of several releases", catalog.PackageTarget{Repository: tools}, catalogdb.Point{Revision: 2}, catalogdb.ErrSeveralReleases},
		{"a revision that was not published", one, catalogdb.Point{Revision: 1}, catalogdb.ErrNotPublished},
		{"a later revision", one, catalogdb.Point{Revision: 9}, catalogdb.ErrNotPublished},
		{"a time before the first publish", one, catalogdb.Point{At: start}, catalogdb.ErrNotPublished},
		{"a release that was not published", catalog.PackageTarget{Repository: tools}, catalogdb.Point{At: seconds(9)}, catalogdb.ErrNotPublished},
		{"a package whose file is gone", one, catalogdb.Point{Revision: 2}, catalogdb.ErrRemoved},
	} {
		before := fmt.Sprint(stateOf(t, db, jammy), names(t, db, jammy))
		if _, _, err := db.RollBack(t.Context(), tt.target, tt.to, catalog.Yank{}, seconds(60), whole); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.fact, err, tt.want)
		}
		if after := fmt.Sprint(stateOf(t, db, jammy), names(t, db, jammy)); after != before {
			t.Errorf("%s: it was %s and is %s", tt.fact, before, after)
		}
	}
	_, _, err := db.RollBack(t.Context(), one, catalogdb.Point{Revision: 2}, catalog.Yank{}, seconds(60), func(r catalogdb.Rollback) (_, _ []catalogdb.SelectedPackage, err error) {
		if len(r.Went) != 1 || !errors.Is(r.Went[0].Back, catalogdb.ErrRemoved) {
			t.Errorf("what went: %+v", r.Went)
		}
		return nil, nil, refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("got %v, want what decide returned", err)
	}
}

// Two rollbacks at once: the later one finds what the earlier one has done.
func rollsBackConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "app", "1"))
	publish(t, db, jammy, 2, seconds(1))
	pushAll(t, db, deb(jammy, "app", "2"))
	publish(t, db, jammy, 3, seconds(2))
	changed := make(chan int, 4)
	for range cap(changed) {
		go func() {
			withdrawn, restored, err := db.RollBack(t.Context(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{Revision: 2}, catalog.Yank{Reason: "r"}, time.Now(), whole)
			if err != nil {
				t.Error(err)
			}
			changed <- len(withdrawn.Packages) + len(restored.Packages)
		}()
	}
	sum := 0
	for range cap(changed) {
		sum += <-changed
	}
	if sum != 1 {
		t.Errorf("%d changes, want 1", sum)
	}
	checkRevision(t, db, jammy, 4)
}
