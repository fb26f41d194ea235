package catalogdb_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// published returns packages as what a release was published with.
func published(packages ...catalog.Package) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for _, k := range packages {
			if k.State == "" {
				k.State = catalog.Active
			}
			if !yield(k, nil) {
				return
			}
		}
	}
}

// withdrawn returns a package as the record of its withdrawal has it.
func withdrawn(k catalog.Package) catalog.Package {
	k.State, k.Yank, k.Stanza, k.Primary, k.Filelists, k.Other = catalog.Yanked, &record, nil, nil, nil, nil
	return k
}

// other returns a package of the same identity with other bytes.
func other(k catalog.Package) catalog.Package {
	k.File, k.Stanza = file("other "+k.Name), []byte("Package: "+k.Name+"\nOther: bytes\n")
	return k
}

func recoverAll(t *testing.T, db *catalogdb.DB, r catalog.Release, packages ...catalog.Package) catalogdb.Recovered {
	t.Helper()
	got, err := db.Recover(t.Context(), r, published(packages...), foreign, after(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// content returns what a release shows, byte for byte.
func content(t *testing.T, db *catalogdb.DB, r catalog.Release) (all []string) {
	t.Helper()
	s := snapshot(t, db, r)
	defer s.Close()
	for k, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s %s %q%q", k.Name, k.Version, k.File.SHA256[:8], k.Key, k.Stanza, k.Primary))
	}
	return all
}

// The catalog lost everything: settings are adopted, and the published release is here again as it was.
func recoverFromNothing(t *testing.T, db *catalogdb.DB) {
	importSettings(t, db, inBucket())
	hello, bye, bad := deb(jammy, "hello", "1"), deb(jammy, "bye", "1"), withdrawn(deb(jammy, "bad", "1"))
	bye.Pusher = catalog.Pusher{User: "bot", Job: "https://ci"}
	got := recoverAll(t, db, jammy, bye, hello, bad)
	if diff := cmp.Diff(catalogdb.Recovered{Inserted: 3}, got); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bye 1 amd64", "hello 1 amd64"}, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	if diff := cmp.Diff([]string{"bad 1 amd64"}, yankedNames(t, db, jammy)); diff != "" {
		t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
	bye.State, bye.Stanza = catalog.Active, nil
	if found, err := db.Find(t.Context(), bye); err != nil || !cmp.Equal(found, bye) {
		t.Errorf("found %v (-want +got):\n%s", err, cmp.Diff(bye, found))
	}
	checkRevision(t, db, jammy, foreign.Number+1000)
	pair := stateOf(t, db, jammy).Revision
	for _, p := range []catalog.Revision{foreign, pair} {
		if known, err := db.KnowsRevision(t.Context(), jammy, p); err != nil || !known {
			t.Errorf("drew %v: %v, %v", p, known, err)
		}
	}
	if again := recoverAll(t, db, jammy, hello, deb(jammy, "more", "1")); again != (catalogdb.Recovered{}) || stateOf(t, db, jammy).Revision != pair {
		t.Errorf("what is known was recovered again: %+v at %v", again, stateOf(t, db, jammy).Revision)
	}
	if _, err := db.Unyank(t.Context(), selectorOf(bad), start); !errors.Is(err, catalogdb.ErrRemoved) {
		t.Errorf("without an index entry: got %v, want ErrRemoved", err)
	}
}

// A backup lacks what came after it, and has what came since it was restored.
func recoverFromBackup(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	same, gone, back := deb(jammy, "a-same", "1"), deb(jammy, "b-gone", "1"), deb(jammy, "c-back", "1")
	pushAll(t, db, same, gone, back)
	yankAll(t, db, selectorOf(back))
	publish(t, db, jammy, 5, start)
	// This is the backup. What follows happened after it was restored.
	newer, clash, late := store(t, db, deb(jammy, "d-newer", "1"), "1"), store(t, db, deb(jammy, "e-clash", "1"), "1"), store(t, db, deb(jammy, "f-late", "1"), "1")
	begun, beaten := store(t, db, deb(jammy, "g-begun", "1"), "1"), store(t, db, deb(jammy, "h-beaten", "1"), "1")
	activate(t, db, newer, clash, late)
	yankAll(t, db, selectorOf(late.Package))

	got := recoverAll(t, db, jammy, same, withdrawn(gone), back, other(clash.Package), late.Package, begun.Package, other(beaten.Package), deb(jammy, "i-lost", "1"))
	want := catalogdb.Recovered{Inserted: 3, Replaced: 2, Yanked: 1} // back, begun and lost; clash and beaten; gone
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
	shows := []string{"a-same 1 amd64", "c-back 1 amd64", "d-newer 1 amd64", "e-clash 1 amd64", "g-begun 1 amd64", "h-beaten 1 amd64", "i-lost 1 amd64"}
	if diff := cmp.Diff(shows, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	if diff := cmp.Diff([]string{"b-gone 1 amd64", "f-late 1 amd64"}, yankedNames(t, db, jammy)); diff != "" {
		t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
	if lines := content(t, db, jammy); !strings.Contains(lines[3], "Other: bytes") || !strings.Contains(lines[3], file("other e-clash").SHA256[:8]) {
		t.Errorf("got %s, want the bytes that were published", lines[3])
	}

	activate(t, db, begun, beaten)
	number := stateOf(t, db, jammy).Revision.Number
	if number != 1000+foreign.Number {
		t.Errorf("got revision %d: what was recovered is no news", number)
	}
	publish(t, db, jammy, number, after(time.Hour))
	checkUpload(t, db, newer.Upload, catalog.Published)
	checkUpload(t, db, begun.Upload, catalog.Duplicate)
	for _, s := range []catalogdb.Stored{clash, beaten} {
		v := verdictOf(t, db, s.Upload)
		if v.State != catalog.Rejected || v.Reason != catalog.Conflict || !strings.Contains(v.Detail, s.Package.File.SHA256) || !strings.Contains(v.Detail, other(s.Package).File.SHA256) {
			t.Errorf("%s: got %+v, want a conflict that names both digests", s.Upload, v)
		}
	}
}

func recoverBeyondBoth(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	for i := range 50 {
		pushAll(t, db, deb(jammy, fmt.Sprintf("p%d", i), "1"))
	}
	own := stateOf(t, db, jammy).Revision
	// The same number with another nonce is the revision of another catalog.
	theirs := catalog.Revision{Number: own.Number, Nonce: foreign.Nonce}
	if _, err := db.Recover(t.Context(), jammy, published(), theirs, start); err != nil {
		t.Fatal(err)
	}
	checkRevision(t, db, jammy, own.Number+1000)
	if got := len(names(t, db, jammy)); got != 50 {
		t.Errorf("%d packages are left of 50 that were not published", got)
	}
	// Lost once more, and once more.
	for n, k := range []catalog.Package{deb(jammy, "lost", "1"), other(deb(jammy, "lost", "1"))} {
		later := catalog.Revision{Number: own.Number + int64(n), Nonce: "0000000000000000"}
		if got, err := db.Recover(t.Context(), jammy, published(k), later, start); err != nil || got.Inserted+got.Replaced != 1 {
			t.Errorf("recovered %+v, %v", got, err)
		}
		checkRevision(t, db, jammy, own.Number+1000*int64(n+2))
	}
	for _, pair := range []catalog.Revision{own, theirs} {
		if known, err := db.KnowsRevision(t.Context(), jammy, pair); err != nil || !known {
			t.Errorf("drew %v: %v, %v", pair, known, err)
		}
	}
}

// A noarch package is a row of several releases: recovering one release changes the others.
func recoverNoarch(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	noarch, native := rpm(el9, "hello", "1-1", "noarch"), rpm(el9, "hello", "1-1", "x86_64")
	got := recoverAll(t, db, el9, noarch, native)
	if got.Inserted != 2 {
		t.Errorf("got %+v, want 2 inserted", got)
	}
	for arch, want := range map[string]int64{"x86_64": 1000 + foreign.Number, "aarch64": 2, "SRPMS": 1} {
		checkRevision(t, db, in(el9, arch), want)
	}
	if got := recoverAll(t, db, in(el9, "aarch64"), noarch); got != (catalogdb.Recovered{}) {
		t.Errorf("got %+v for a row that is here", got)
	}
	for arch, want := range map[string]int64{"x86_64": 1000 + foreign.Number, "aarch64": 1000 + foreign.Number} {
		checkRevision(t, db, in(el9, arch), want)
	}
	if got := recoverAll(t, db, in(el9, "ppc64le"), rpm(el9, "hello", "1-1", "ppc64le")); got.Inserted != 1 {
		t.Errorf("a release that is not here: %+v", got)
	}
	checkRevision(t, db, in(el9, "ppc64le"), 1000+foreign.Number)
	if ds, _ := settingsOf(t, db, tools).Find(el9.Distribution); !slices.Contains(ds.Architectures, "ppc64le") {
		t.Errorf("got %+v, want ppc64le among the architectures", ds)
	}
}

func recoverRefuses(t *testing.T, db *catalogdb.DB) {
	broken := errors.New("broken index")
	if _, err := db.Recover(t.Context(), jammy, published(), foreign, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("without its repository: got %v, want ErrNotFound", err)
	}
	declare(t, db, noble)
	if _, err := db.Recover(t.Context(), jammy, published(), foreign, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("without its distribution: got %v, want ErrNotFound", err)
	}
	declare(t, db, jammy)
	declare(t, db, el9)
	before := releases(t, db)
	good := deb(jammy, "hello", "1")
	claimed := good
	claimed.State = catalog.Claimed
	unexplained := withdrawn(good)
	unexplained.Yank = nil
	for name, rows := range map[string]iter.Seq2[catalog.Package, error]{
		"another distribution's row":  published(good, deb(noble, "hello", "1")),
		"another format's row":        published(good, rpm(el9, "hello", "1-1", "x86_64")),
		"a claimed row":               published(good, claimed),
		"a withdrawal without record": published(good, unexplained),
		"a row that cannot be read": func(yield func(catalog.Package, error) bool) {
			good.State = catalog.Active
			_ = yield(good, nil) && yield(catalog.Package{}, broken)
		},
	} {
		if _, err := db.Recover(t.Context(), jammy, rows, foreign, start); err == nil || name == "a row that cannot be read" && !errors.Is(err, broken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, r := range []catalog.Release{in(jammy, "amd64"), in(el9, "")} {
		if _, err := db.Recover(t.Context(), r, published(), foreign, start); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", r, err)
		}
	}
	if _, err := db.Recover(t.Context(), jammy, published(), catalog.Revision{Number: 1<<63 - 1, Nonce: "f"}, start); err == nil {
		t.Error("a revision at the end of all numbers was taken")
	}
	if diff := cmp.Diff(before, releases(t, db)); diff != "" {
		t.Errorf("releases (-before +after):\n%s", diff)
	}
	if got := names(t, db, jammy); len(got) != 0 {
		t.Errorf("rows are left: %q", got)
	}
}

// Publishers in many processes find the same foreign pointer at once.
func recoverConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	var rows []catalog.Package
	for i := range 20 {
		rows = append(rows, deb(jammy, fmt.Sprintf("p%d", i), "1"))
	}
	inserted := make([]int, writers)
	race(func(i int) {
		got, err := db.Recover(t.Context(), jammy, published(rows...), foreign, start)
		if err != nil {
			t.Error(err)
		}
		inserted[i] = got.Inserted
	})
	sum := 0
	for _, n := range inserted {
		sum += n
	}
	if sum != len(rows) || len(names(t, db, jammy)) != len(rows) {
		t.Errorf("%d rows were inserted and %d are shown, want %d", sum, len(names(t, db, jammy)), len(rows))
	}
	checkRevision(t, db, jammy, foreign.Number+1000)
}

// Rows that no one trusts become what was published, under a pair that was drawn here.
func rebuild(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	same, spoilt, gone, newer := deb(jammy, "a-same", "1"), deb(jammy, "b-spoilt", "1"), deb(jammy, "c-gone", "1"), deb(jammy, "d-newer", "1")
	pair := stateOf(t, db, jammy).Revision
	bad := spoilt
	bad.Stanza = []byte("Package: something else\n")
	pushAll(t, db, same, bad, newer)
	state := stateOf(t, db, jammy).Revision
	before := state.Number
	rows := func(yield func(catalog.Package, error) bool) {
		for _, k := range []catalog.Package{same, spoilt, gone} {
			k.State = catalog.Active
			if !yield(k, nil) {
				return
			}
		}
	}
	for _, want := range []catalogdb.Recovered{{Inserted: 1, Replaced: 1}, {}} {
		got, err := db.Rebuild(t.Context(), jammy, rows, pair, start)
		if err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		checkRevision(t, db, jammy, before+1)
	}
	want := []string{"a-same 1 amd64", "b-spoilt 1 amd64", "c-gone 1 amd64", "d-newer 1 amd64"}
	if diff := cmp.Diff(want, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	if got := changes(t, db, jammy, state); got != "c-gone" { // what is replaced neither comes nor goes: the generation rises
		t.Errorf("changes: %q", got)
	}
	for _, line := range content(t, db, jammy) {
		if strings.Contains(line, "something else") {
			t.Errorf("%s is what was here", line)
		}
	}
}
