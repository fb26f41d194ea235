package catalogdb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// nothingIsNil lets an empty list be as good as none.
var nothingIsNil = cmpopts.EquateEmpty()

var record = catalog.Yank{Reason: "CVE-2026-1: é\n" + "\x00", By: "kim", At: start.Add(time.Hour)}

func selectorOf(k catalog.Package) catalogdb.PackageSelector {
	return catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version, Arch: k.Arch}
}

func yankAll(t *testing.T, db *catalogdb.DB, w catalogdb.PackageSelector) []catalog.Package {
	t.Helper()
	found, err := db.Yank(t.Context(), w, record, record.At)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// pushAll pushes packages, each with a revision of its own.
func pushAll(t *testing.T, db *catalogdb.DB, packages ...catalog.Package) {
	t.Helper()
	for _, k := range packages {
		if err := push(t, db, k, "SRPMS", "aarch64", "i386", "x86_64"); err != nil {
			t.Fatal(err)
		}
	}
}

// yankedNames returns what a snapshot of a release says was withdrawn.
func yankedNames(t *testing.T, db *catalogdb.DB, r catalog.Release) (all []string) {
	t.Helper()
	s := snapshot(t, db, r)
	defer s.Close()
	for k, err := range s.Withdrawn(t.Context(), nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if k.Yank == nil || k.State != catalog.Yanked || k.Primary != nil || k.Stanza != nil {
			t.Errorf("%s has record %v in state %s", k.Name, k.Yank, k.State)
		}
		all = append(all, k.Name+" "+k.Version+" "+k.Arch)
	}
	return all
}

func yankOne(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	hello, bye := deb(jammy, "hello", "1:1.0"), deb(jammy, "bye", "1")
	hello.Pusher = catalog.Pusher{User: "release-bot", Job: "https://ci.example.com/1"}
	pushAll(t, db, hello, bye, deb(noble, "hello", "1:1.0"))
	w := selectorOf(hello)
	want := hello
	want.State, want.Stanza, want.Yank = catalog.Yanked, nil, &record
	for run := range 2 { // a repeat issues no revision, and another reason makes no new record
		got, err := db.Yank(t.Context(), w, catalog.Yank{Reason: record.Reason, By: record.By, At: record.At.Add(time.Duration(run) * time.Hour)}, record.At)
		if diff := cmp.Diff([]catalog.Package{want}, got); diff != "" || err != nil {
			t.Errorf("run %d: yanked %v (-want +got):\n%s", run, err, diff)
		}
		checkRevision(t, db, jammy, 4)
	}
	checkRevision(t, db, noble, 2)
	if diff := cmp.Diff([]string{"bye 1 amd64"}, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	if diff := cmp.Diff([]string{"hello 1:1.0 amd64"}, yankedNames(t, db, jammy)); diff != "" {
		t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
	found, err := db.Find(t.Context(), hello)
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("found %v (-want +got):\n%s", err, diff)
	}
	if holder, claimed, err := db.Claim(t.Context(), hello, catalog.Upload{}); err != nil || claimed || holder.State != catalog.Yanked {
		t.Errorf("the name was given away: %+v, %v, %v", holder, claimed, err)
	}
}

func unyank(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	before := names(t, db, jammy)
	yankAll(t, db, selectorOf(k))
	for range 2 {
		got, err := db.Unyank(t.Context(), selectorOf(k), start)
		if err != nil || len(got) != 1 || got[0].State != catalog.Active || got[0].Yank != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		checkRevision(t, db, jammy, 4)
	}
	if diff := cmp.Diff(before, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-before +after):\n%s", jammy, diff)
	}
	if got := yankedNames(t, db, jammy); got != nil {
		t.Errorf("still withdrawn: %q", got)
	}
}

func yankArchitectures(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	for _, arch := range []string{"x86_64", "aarch64", "noarch", "src"} {
		pushAll(t, db, rpm(el9, "hello", "1-1", arch))
	}
	revisions := func() (got [3]int64) {
		for i, arch := range []string{"SRPMS", "aarch64", "x86_64"} {
			got[i] = stateOf(t, db, in(el9, arch)).Revision.Number
		}
		return got
	}
	w := catalogdb.PackageSelector{Repository: tools, Distribution: el9.Distribution, Name: "hello", Version: "1-1"}
	for _, tt := range []struct {
		fact, arch string
		unyank     bool
		packages   int
		rise       [3]int64 // of SRPMS, aarch64, x86_64
	}{
		{"one architecture is one release", "x86_64", false, 1, [3]int64{0, 0, 1}},
		{"noarch is all but the sources", "noarch", false, 1, [3]int64{0, 1, 1}},
		{"all of them, of which two are yanked", "", false, 4, [3]int64{1, 1, 0}},
		{"all of them again", "", false, 4, [3]int64{}},
		{"one comes back", "aarch64", true, 1, [3]int64{0, 1, 0}},
		{"all come back, each release once", "", true, 4, [3]int64{1, 1, 1}},
	} {
		before := revisions()
		w.Arch = tt.arch
		f := db.Unyank
		if !tt.unyank {
			f = func(ctx context.Context, w catalogdb.PackageSelector, now time.Time) ([]catalog.Package, error) {
				return db.Yank(ctx, w, record, now)
			}
		}
		found, err := f(t.Context(), w, start)
		after := revisions()
		for i := range after {
			after[i] -= before[i]
		}
		if err != nil || len(found) != tt.packages || after != tt.rise {
			t.Errorf("%s: %d packages, revisions rose by %v, %v; want %d and %v", tt.fact, len(found), after, err, tt.packages, tt.rise)
		}
	}
	if got := names(t, db, el9); len(got) != 2 {
		t.Errorf("in the end %s shows %q", el9, got)
	}
}

func yankUnknown(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	claim(t, db, k)
	for name, f := range map[string]func(*catalogdb.PackageSelector){
		"what is only claimed":  func(*catalogdb.PackageSelector) {},
		"another name":          func(w *catalogdb.PackageSelector) { w.Name = "Hello" },
		"another version":       func(w *catalogdb.PackageSelector) { w.Version = "1.0" },
		"another architecture":  func(w *catalogdb.PackageSelector) { w.Arch = "arm64" },
		"an unknown release":    func(w *catalogdb.PackageSelector) { w.Distribution = noble.Distribution },
		"an unknown repository": func(w *catalogdb.PackageSelector) { w.Repository = lab },
	} {
		w := selectorOf(k)
		f(&w)
		_, yankErr := db.Yank(t.Context(), w, record, start)
		_, unyankErr := db.Unyank(t.Context(), w, start)
		if !errors.Is(yankErr, catalogdb.ErrNotFound) || !errors.Is(unyankErr, catalogdb.ErrNotFound) {
			t.Errorf("%s: got %v and %v, want ErrNotFound", name, yankErr, unyankErr)
		}
	}
	checkRevision(t, db, jammy, 1)
}

// No verdict says that a package is published that was withdrawn before its publication.
func yankOnItsWay(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	stored, reading := store(t, db, k, "1"), store(t, db, k, "2")
	activate(t, db, stored)
	yankAll(t, db, selectorOf(k))
	activate(t, db, reading)
	publish(t, db, jammy, 3, start)
	for _, s := range []catalogdb.Stored{stored, reading} {
		if v := verdictOf(t, db, s.Upload); v.State != catalog.Rejected || v.Reason != catalog.YankedIdentity || v.Finished == nil {
			t.Errorf("got %+v, want a rejection as %s", v, catalog.YankedIdentity)
		}
	}
	checkRevision(t, db, jammy, 3)
}

func removal(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	kept, hello, noarch := rpm(el9, "kept", "1-1", "x86_64"), rpm(el9, "hello", "1-1", "x86_64"), rpm(el9, "hello", "1-1", "noarch")
	pushAll(t, db, kept, hello, noarch)
	w := selectorOf(hello)
	w.Arch = ""
	yankAll(t, db, w)
	check := func(fact string, before time.Time, limit int, want ...string) {
		t.Helper()
		due, err := db.DueForRemoval(t.Context(), before, limit)
		var got []string
		for _, k := range due {
			got = append(got, k.Arch)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
	}
	later := record.At.Add(time.Second)
	check("before they are out of the indexes", later, 9)
	publish(t, db, el9, 5, start)
	check("one release is published", later, 9, "x86_64")
	publish(t, db, in(el9, "aarch64"), 3, start)
	publish(t, db, in(el9, "SRPMS"), 1, start)
	check("all are", later, 9, "x86_64", "noarch")
	check("no more than asked for", later, 1, "x86_64")
	check("within their retention", record.At, 9)

	if err := db.Removing(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	check("one is about to be deleted", later, 9, "x86_64", "noarch")
	for range 2 {
		if err := errors.Join(db.Removed(t.Context(), hello), db.Removing(t.Context(), hello)); err != nil {
			t.Fatal(err)
		}
	}
	check("one is deleted", later, 9, "noarch")
	if _, err := db.Unyank(t.Context(), w, start); !errors.Is(err, catalogdb.ErrRemoved) {
		t.Errorf("got %v, want ErrRemoved", err)
	}
	checkPackage(t, db, noarch, catalog.Yanked) // all of them or none
	checkRevision(t, db, el9, 5)
	if _, err := db.Unyank(t.Context(), selectorOf(noarch), start); err != nil {
		t.Error(err)
	}
	for _, k := range []catalog.Package{kept, noarch, rpm(el9, "none", "1-1", "x86_64")} {
		if err := db.Removing(t.Context(), k); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s %s: got %v, want ErrNotFound: it is not yanked", k.Name, k.Arch, err)
		}
	}
	if diff := cmp.Diff([]string{"hello 1-1 x86_64"}, yankedNames(t, db, el9)); diff != "" {
		t.Errorf("the record of what is removed (-want +got):\n%s", diff)
	}
}
