package catalogdb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// archived are rules that keep the newest version, with an archive.
func archived() catalog.Retention {
	return catalog.Retention{Newest: 1, Archive: &catalog.Archive{Repository: stable.Repository}}
}

// leavingOf returns what leaves, and what becomes of it in the archive.
func leavingOf(t *testing.T, db *catalogdb.DB) (all []string) {
	t.Helper()
	s, err := db.Retention(t.Context(), wholeTools, start)
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range db.Leaving(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s: %s, %t", p.Package.Version, p.Package.Component, p.Copy, p.Stays()))
	}
	return all
}

// applyRules applies the rules.
func applyRules(t *testing.T, db *catalogdb.DB, again bool) catalogdb.Retained {
	t.Helper()
	done, err := db.Retain(catalog.WithActor(t.Context(), catalog.Actor{User: "jo"}), wholeTools, catalogdb.Retaining{At: start, Yank: asExpired, Again: again}, start, agree)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// retainsArchived: packages are asked for in the archive, a few at a time, and withdrawn once clients see them there.
func retainsArchived(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	var all []catalog.Package
	for patch := range 4 {
		all = append(all, aged(jammy, "app", 1, patch, "amd64", 90))
	}
	pushAll(t, db, all...)
	retained(t, db, archived())
	catalogdb.SetMaxArchiving(t, 2)
	first := applyRules(t, db, false)
	if len(first.Packages) != 0 || first.Asked != 2 || first.Left != 1 || first.Aside != 0 {
		t.Fatalf("the first run did %+v", first)
	}
	if again := applyRules(t, db, false); again.Asked != 0 || len(again.Archiving) != 2 || again.Archiving[0].Upload != first.Archiving[0].Upload || again.Left != 1 {
		t.Errorf("a run while copies are under way did %+v", again)
	}
	copied(t, db, first.Archiving[0].Upload, all[0])
	copied(t, db, first.Archiving[1].Upload, all[1])
	finishMoves(t, db, 0)
	checkPackage(t, db, all[0], catalog.Active)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	finishMoves(t, db, 2)
	checkPackage(t, db, all[0], catalog.Yanked)
	checkPackage(t, db, all[1], catalog.Yanked)
	last := applyRules(t, db, false)
	if len(last.Archiving) != 1 || last.Left != 0 || last.Archiving[0].Package.Version != all[2].Version {
		t.Errorf("the last run did %+v", last)
	}
	if diff := gocmp.Diff([]string{"1.1.2-1 main: moving, false"}, leavingOf(t, db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	lines := strings.Join(logOf(t, db, "acme/tools", start), "\n")
	for _, want := range []string{"0 of 3 packages withdrawn that no rule keeps, and 2 asked for in the archive", "newest 1, archive acme/stable (paused)",
		"jo|package.promote|acme/tools/ubuntu/jammy/main|app 1.1.0-1 amd64 to acme/stable/ubuntu/jammy/main, to be withdrawn here", "app 1.1.0-1 amd64|expired"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in the log:\n%s", want, lines)
		}
	}
}

// archiveRefuses: what the archive has with other bytes, withdrawn or has no place for stays; what it has with these bytes leaves.
func archiveRefuses(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	declare(t, db, el9)
	var all []catalog.Package
	for patch := range 5 {
		all = append(all, aged(jammy, "app", 1, patch, "amd64", 90))
	}
	pushAll(t, db, all...)
	pushAll(t, db, aged(el9, "app", 1, 1, "x86_64", 90), aged(el9, "app", 1, 2, "x86_64", 90))
	there := func(k catalog.Package, other bool) catalog.Package {
		k.Repository = stable.Repository
		if other {
			k.File = file("other" + k.Version)
		}
		pushAll(t, db, k)
		return k
	}
	there(all[0], true)
	gone := there(all[1], false)
	if _, err := db.Yank(t.Context(), selectorOf(gone), catalog.Yank{Reason: "bad"}, start); err != nil {
		t.Fatal(err)
	}
	there(all[2], false)
	retained(t, db, archived())
	want := []string{"1.1.0-1 main: conflict, true", "1.1.1-1 main: withdrawn, true", "1.1.2-1 main: there, false", "1.1.3-1 main: copy, false", "1.1.1-1 : refused, true"}
	if diff := gocmp.Diff(want, leavingOf(t, db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	done := applyRules(t, db, true)
	if done.Asked != 2 || done.Aside != 3 || done.First == nil || done.First.Package.Version != all[0].Version || !strings.Contains(done.First.Detail, "it has other bytes there") {
		t.Fatalf("the run did %+v", done)
	}
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	finishMoves(t, db, 1)
	checkPackage(t, db, all[2], catalog.Yanked)
	checkPackage(t, db, all[3], catalog.Active)
	for _, k := range all[:2] {
		checkPackage(t, db, k, catalog.Active)
	}
}

// archiveComesBack: what was moved from the archive to where it had been goes there once more.
func archiveComesBack(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	old, bad := aged(jammy, "app", 1, 0, "amd64", 90), aged(jammy, "app", 1, 1, "amd64", 90)
	pushAll(t, db, old, bad, aged(jammy, "app", 1, 2, "amd64", 80))
	for _, k := range []catalog.Package{old, bad} {
		k.Repository = stable.Repository
		pushAll(t, db, k)
		reason := catalogdb.MovedTo + "acme/tools/ubuntu/jammy/main"
		if k.Version == bad.Version {
			reason = "moved by mistake"
		}
		if _, err := db.Yank(t.Context(), selectorOf(k), catalog.Yank{Reason: reason}, start); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	retained(t, db, archived())
	if diff := gocmp.Diff([]string{"1.1.0-1 main: copy, false", "1.1.1-1 main: withdrawn, true"}, leavingOf(t, db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	done := applyRules(t, db, false)
	if done.Asked != 1 || done.Aside != 1 {
		t.Fatalf("the run did %+v", done)
	}
	copied(t, db, done.Archiving[0].Upload, old)
	publish(t, db, stable, revisionOf(t, db, stable), after(2*time.Second))
	finishMoves(t, db, 1)
	checkPackage(t, db, old, catalog.Yanked)
	checkPackage(t, db, bad, catalog.Active)
}

// archiveOfMutable: a plan for a mutable repository says what its archive has under the same names with other bytes: its files have
// other names there.
func archiveOfMutable(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy, el9)
	for _, r := range []catalog.Release{jammy, el9} {
		r.Repository = stable.Repository
		declare(t, db, r)
	}
	push := func(k catalog.Package, of string) {
		k.File = file(of)
		if of == "there" {
			k.Repository = stable.Repository
		} else {
			k.Variant = layout.VariantOf(k.File.SHA256)
		}
		pushAll(t, db, k)
	}
	for _, k := range []catalog.Package{aged(jammy, "app", 1, 0, "amd64", 90), aged(el9, "app", 1, 0, "x86_64", 90)} {
		push(k, "there")
		push(k, "here")
	}
	push(aged(jammy, "app", 1, 1, "amd64", 80), "newer deb")
	push(aged(el9, "app", 1, 1, "x86_64", 80), "newer rpm")
	retained(t, db, archived())
	s, err := db.Retention(t.Context(), wholeTools, start)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for p, err := range db.Leaving(t.Context(), s) {
		if n++; err != nil || p.Copy != catalog.CopyConflict || !strings.Contains(p.Detail, "it has other bytes there") {
			t.Errorf("%s in %s: %s (%s), %v", p.Package.Version, p.Package.Distribution, p.Copy, p.Detail, err)
		}
	}
	if n != 2 {
		t.Errorf("%d packages leave, want 2", n)
	}
}

// archiveRejects: a rejection keeps the package, stops the rules, and is final to workers.
func archiveRejects(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	old := aged(jammy, "app", 1, 0, "amd64", 90)
	pushAll(t, db, old, aged(jammy, "app", 1, 1, "amd64", 80))
	rules := archived()
	rules.Automatic, rules.AllowShrink = true, true
	retained(t, db, rules)
	x := dueAt(t, db, start)[0]
	if taken, err := db.TakeRetention(t.Context(), x, start, after(time.Hour)); err != nil || !taken {
		t.Fatal(taken, err)
	}
	done := applyRules(t, db, false)
	if err := db.EndRetention(t.Context(), x, len(done.Packages), done.Asked, "", start, after(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	u := done.Archiving[0].Upload
	if err := db.Reject(t.Context(), u, take(t, db, u, start), catalog.Rejection{Reason: catalog.Unsigned, Detail: "no signature"}, start); err != nil {
		t.Fatal(err)
	}
	finishMoves(t, db, 1)
	checkPackage(t, db, old, catalog.Active)
	runs, err := db.RetentionRuns(t.Context())
	if err != nil || runs[0].Archived != 1 || runs[0].Withdrawn != 0 || !strings.HasPrefix(runs[0].Stopped, "app 1.1.0-1 amd64 stays, since it is not in the archive: there is no copy of it: that was rejected; repomill retain plan acme/tools/ubuntu/jammy lists") {
		t.Errorf("runs are %+v, %v", runs, err)
	}
	if diff := gocmp.Diff([]string{"1.1.0-1 main: refused, false"}, leavingOf(t, db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if done := applyRules(t, db, false); done.Asked != 0 || done.Aside != 1 || !strings.HasSuffix(done.First.Detail, ": no signature") {
		t.Errorf("a worker's next run did %+v", done)
	}
	if done := applyRules(t, db, true); done.Asked != 1 || done.Aside != 0 || done.Archiving[0].Upload == u {
		t.Errorf("a run by hand did %+v", done)
	}
}

// archiveOfOldRules: a package that a rule keeps by now stays, though it is in the archive.
func archiveOfOldRules(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	old := aged(jammy, "app", 1, 0, "amd64", 90)
	pushAll(t, db, old, aged(jammy, "app", 1, 1, "amd64", 80))
	retained(t, db, archived())
	u := applyRules(t, db, false).Archiving[0].Upload
	copied(t, db, u, old)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	rules := archived()
	rules.Keep = []string{"app=1.1.0*"}
	retained(t, db, rules)
	finishMoves(t, db, 1)
	checkPackage(t, db, old, catalog.Active)
	checkMove(t, db, u, catalog.MoveKept, "the rules of retention have changed since it was asked for in the archive: their next run decides")
	retained(t, db, archived())
	if done := applyRules(t, db, false); done.Asked != 1 || done.Archiving[0].Copy != catalog.CopyThere {
		t.Errorf("the next run did %+v", done)
	}
	rules = archived()
	rules.Automatic = true // the same rules
	retained(t, db, rules)
	finishMoves(t, db, 1)
	checkPackage(t, db, old, catalog.Yanked)
}

// archiveChecked: what an archive may not be is said in one sentence.
func archiveChecked(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	check := func(want string) {
		t.Helper()
		s, err := db.Retention(t.Context(), wholeTools, start)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckArchive(); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("the archive: %v, want %q", err, want)
		}
	}
	retained(t, db, archived())
	check("the archive acme/stable is not declared; declare it")
	declare(t, db, stable)
	check("")
	private := func(r catalog.Repository, v catalog.Visibility) {
		t.Helper()
		if _, err := db.ChangeSettings(t.Context(), r, start, func(s *catalog.Settings) error { s.Visibility = v; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	private(tools, catalog.Private)
	check("acme/tools is private and its archive acme/stable is public")
	open := archived()
	open.Archive.ToPublic = true
	retained(t, db, open)
	check("")
	retained(t, db, archived())
	private(stable.Repository, catalog.Private)
	check("")
	private(tools, catalog.Public) // narrower
	check("")
	if _, _, err := db.Delete(t.Context(), catalog.PackageTarget{Repository: stable.Repository}, time.Hour, start); err != nil {
		t.Fatal(err)
	}
	check("the archive acme/stable takes no packages: it was deleted on")
	self := archived()
	self.Archive.Repository = tools
	retained(t, db, self)
	check("acme/tools cannot be its own archive")
}
