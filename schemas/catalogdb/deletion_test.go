package catalogdb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

const grace = 30 * 24 * time.Hour

var toolsTarget = catalog.PackageTarget{Repository: tools}

func deleteTools(t *testing.T, db *catalogdb.DB, now time.Time) map[catalog.Release]int64 {
	t.Helper()
	ctx := catalog.WithActor(t.Context(), catalog.Actor{User: "jo", Why: "old"})
	s, revisions, err := db.Delete(ctx, toolsTarget, grace, now)
	if err != nil || s.Deleted == nil {
		t.Fatalf("got %+v, %v", s, err)
	}
	return revisions
}

// A deleted repository is empty, in one revision of each release, takes nothing, and comes back as it was.
func deleteAndBack(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	hello, other, tool := deb(jammy, "hello", "1"), deb(jammy, "other", "1"), rpm(el9, "tool", "1", "noarch")
	pushAll(t, db, hello, other, tool)
	for _, r := range releases(t, db) {
		publish(t, db, r.Release, r.Revision.Number, start)
	}
	if _, err := db.Yank(t.Context(), selectorOf(other), catalog.Yank{Reason: "bad"}, start); err != nil {
		t.Fatal(err)
	}
	claimed := store(t, db, deb(jammy, "late", "1"), "1")
	before := revisionOf(t, db, jammy)
	revisions := deleteTools(t, db, start)
	if again := deleteTools(t, db, after(time.Hour)); again[jammy] != revisions[jammy] || revisions[jammy] != before+1 || len(revisions) != 4 {
		t.Errorf("revision %d after %d, again %v", revisions[jammy], before, again)
	}
	checkPackage(t, db, hello, catalog.Yanked)
	checkPackage(t, db, tool, catalog.Yanked)
	if n, err := db.Count(t.Context(), jammy); n != 0 || err != nil {
		t.Errorf("clients would see %d packages, %v", n, err)
	}
	activate(t, db, claimed)
	checkUpload(t, db, claimed.Upload, catalog.Rejected)
	if err := push(t, db, deb(jammy, "new", "1")); err == nil || !strings.Contains(err.Error(), "takes no packages: it was deleted on 2026-08-01 12:00 UTC; until 2026-08-31 12:00 UTC, repomill repo undelete brings it back") {
		t.Errorf("a push gets %v", err)
	}
	_, err := db.Unyank(t.Context(), selectorOf(hello), start)
	_, declared := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(noble)}, start)
	created := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools}, start)
	for what, err := range map[string]error{"unyank": err, "declare": declared, "create": created} {
		if !errors.Is(err, catalogdb.ErrDeleted) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for r, revision := range revisions {
		publish(t, db, r, revision, after(time.Second))
	}
	if due, err := db.DueForRemoval(t.Context(), after(grace), 10); err != nil || len(due) > 0 {
		t.Errorf("files are due for removal: %v, %v", due, err)
	}
	if _, back, err := db.Undelete(t.Context(), toolsTarget, after(time.Hour)); err != nil || back[jammy] != revisions[jammy]+1 {
		t.Fatalf("got %v, %v", back, err)
	}
	checkPackage(t, db, hello, catalog.Active)
	checkPackage(t, db, tool, catalog.Active)
	checkPackage(t, db, other, catalog.Yanked)
	if n, err := db.Count(t.Context(), el9); n != 1 || err != nil {
		t.Errorf("clients would see %d packages, %v", n, err)
	}
	if err := push(t, db, deb(jammy, "newer", "1")); err != nil {
		t.Error(err)
	}
	lines := logOf(t, db, "acme/tools", start)
	for _, want := range []string{"jo|repo.delete|acme/tools|2 packages withdrawn; can be undone until 2026-08-31T12:00:00Z|old|", "|repo.undelete|acme/tools|2 packages are back||"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the log has no %q: %q", want, lines)
		}
	}
}

// beginRemoval fails unless the next step of a removal ends so.
func beginRemoval(t *testing.T, db *catalogdb.DB, now time.Time, ready bool) {
	t.Helper()
	if got, err := db.BeginRemoval(t.Context(), toolsTarget, time.Minute, now); got != ready || err != nil {
		t.Errorf("the objects can be removed: %v, %v; want %v", got, err, ready)
	}
}

// When its time is over, a repository goes step by step. Its name can be used again, with later revisions, and identities stay taken.
func deleteForGood(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	late := store(t, db, deb(jammy, "late", "1"), "1")
	changeTokens(t, db, catalog.Token{Name: "host", SHA256: "11", Created: start})
	createToken(t, db, apiToken("acme/tools", "ci", catalog.ScopePush), start)
	if err := db.AddTrust(t.Context(), trust("acme", "tools", gitlab, start)); err != nil {
		t.Fatal(err)
	}
	revision := deleteTools(t, db, start)[jammy]
	end := after(grace)
	if due, err := db.DueRemovals(t.Context(), end.Add(-time.Second)); err != nil || len(due) > 0 {
		t.Errorf("before its time: %v, %v", due, err)
	}
	if due, err := db.DueRemovals(t.Context(), end); err != nil || len(due) != 1 {
		t.Errorf("at its time: %v, %v", due, err)
	}
	beginRemoval(t, db, end.Add(2*time.Hour), false) // clients do not see the empty one
	publish(t, db, jammy, revision, end)
	beginRemoval(t, db, end.Add(time.Minute), false) // the list of repositories has it
	beginRemoval(t, db, end.Add(2*time.Hour), false) // the files are there
	if _, _, err := db.Undelete(t.Context(), toolsTarget, end); !errors.Is(err, catalogdb.ErrDeleted) {
		t.Errorf("it comes back: %v", err)
	}
	due, err := db.DueNow(t.Context(), 10)
	if err != nil || len(due) != 2 {
		t.Fatalf("files that are due: %v, %v", due, err)
	}
	for _, k := range due {
		if err := errors.Join(db.Removing(t.Context(), k), db.Removed(t.Context(), k)); err != nil {
			t.Fatal(err)
		}
	}
	end = end.Add(3 * time.Hour)
	beginRemoval(t, db, end, true)
	beginRemoval(t, db, end.Add(30*time.Second), false) // another process has the lease
	beginRemoval(t, db, end.Add(2*time.Minute), true)   // it died
	returnRemoval(t, db, end, end.Add(2*time.Minute))   // an attempt that lost the lease gives nothing back
	beginRemoval(t, db, end.Add(2*time.Minute+time.Second), false)
	returnRemoval(t, db, end.Add(2*time.Minute), end.Add(2*time.Minute+10*time.Second)) // the attempt failed
	beginRemoval(t, db, end.Add(2*time.Minute+9*time.Second), false)
	beginRemoval(t, db, end.Add(2*time.Minute+10*time.Second), true)
	ends := 0
	for e, err := range db.Log(t.Context(), catalog.Target{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionRepoRemove && strings.Contains(e.Detail, "trusts end") {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("the log has %d entries of the end of tokens and trusts, want 1", ends)
	}
	s, err := db.Settings(t.Context(), tools)
	if err != nil || len(s.Distributions)+len(s.Tokens) > 0 {
		t.Errorf("left is %+v, %v", s, err)
	}
	if lookUp(t, db, apiToken("acme/tools", "ci", catalog.ScopePush).SHA256).Revoked == nil {
		t.Error("the token of the API is live")
	}
	if all, err := db.Trusts(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("trusts: %v, %v", all, err)
	}
	activate(t, db, late)
	checkUpload(t, db, late.Upload, catalog.Rejected)
	endRemoval(t, db, end)
	_, err = db.RecreateRepository(t.Context(), catalog.Settings{Repository: tools, Visibility: catalog.Public}, end)
	if !errors.Is(err, catalogdb.ErrDeleted) {
		t.Errorf("before the second look its name is used again: %v", err)
	}
	beginRemoval(t, db, end.Add(time.Minute), false)
	beginRemoval(t, db, end.Add(catalogdb.RemovalAgain), true)
	endRemoval(t, db, end.Add(catalogdb.RemovalAgain))
	if due, err := db.DueRemovals(t.Context(), end.Add(1000*time.Hour)); err != nil || len(due) > 0 {
		t.Errorf("afterwards: %v, %v", due, err)
	}
	checkRecreated(t, db, hello, revision, end)
}

func returnRemoval(t *testing.T, db *catalogdb.DB, began, again time.Time) {
	t.Helper()
	if err := db.ReturnRemoval(t.Context(), toolsTarget, time.Minute, began, again); err != nil {
		t.Fatal(err)
	}
}

func endRemoval(t *testing.T, db *catalogdb.DB, now time.Time) {
	t.Helper()
	if err := db.EndRemoval(t.Context(), toolsTarget, now); err != nil {
		t.Fatal(err)
	}
}

func checkRecreated(t *testing.T, db *catalogdb.DB, was catalog.Package, revision int64, now time.Time) {
	t.Helper()
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools}, now); !errors.Is(err, catalogdb.ErrDeleted) || !strings.Contains(err.Error(), "--reuse-deleted-name") {
		t.Errorf("created by chance: %v", err)
	}
	s, err := db.RecreateRepository(t.Context(), catalog.Settings{Repository: tools, Visibility: catalog.Private, Origin: "x", Label: "x"}, now)
	if err != nil || s.Origin != "acme/tools" || s.Label != "tools" {
		t.Fatalf("got %+v, %v", s, err)
	}
	declare(t, db, jammy)
	if now := revisionOf(t, db, jammy); now <= revision {
		t.Errorf("revision %d follows %d", now, revision)
	}
	if s, err := db.Settings(t.Context(), tools); err != nil || s.Deleted != nil || len(s.Distributions) != 1 || s.Visibility != catalog.Private {
		t.Errorf("got %+v, %v", s, err)
	}
	was.File = file("other bytes")
	if holder, claimed, err := db.Claim(t.Context(), was, catalog.Upload{}); err != nil || claimed || holder.State != catalog.Yanked {
		t.Errorf("other bytes get the identity: %+v, %v, %v", holder, claimed, err)
	}
	if err := push(t, db, deb(jammy, "hello", "2")); err != nil {
		t.Error(err)
	}
}

// A repository that never had a package has no time of grace.
func deleteUnused(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	revision := deleteTools(t, db, start)[jammy]
	publish(t, db, jammy, revision, start)
	queuePages(t, db, 9, start)
	later := after(catalogdb.RemovalAgain + time.Second)
	beginRemoval(t, db, later, true)
	endRemoval(t, db, later)
	if _, err := db.RecreateRepository(t.Context(), catalog.Settings{Repository: tools, Visibility: catalog.Public}, later); err != nil {
		t.Error(err)
	}
}

// Pushes that meet a deletion are in it, or are rejected: none is left between, and of those only what clients saw comes back.
func deleteRace(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	seen := deb(jammy, "seen", "1")
	if err := push(t, db, seen); err != nil {
		t.Fatal(err)
	}
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	const pushes = 12
	var packages []catalog.Package
	for i := range pushes {
		packages = append(packages, deb(jammy, fmt.Sprintf("p%02d", i), "1"))
	}
	var wg sync.WaitGroup
	errs := make([]error, pushes)
	pushed := make(chan struct{}, pushes)
	for i, k := range packages {
		wg.Go(func() {
			errs[i] = push(t, db, k)
			pushed <- struct{}{}
		})
	}
	wg.Go(func() {
		<-pushed // one comes before it
		deleteTools(t, db, start)
	})
	wg.Wait()
	early := 0
	for i, k := range packages {
		var rej *catalog.Rejection
		if errs[i] != nil && !errors.As(errs[i], &rej) {
			t.Errorf("push %d: %v", i, errs[i])
		}
		found, err := db.Find(t.Context(), k)
		if !errors.Is(err, catalogdb.ErrNotFound) && (err != nil || found.State == catalog.Active) {
			t.Errorf("push %d: the package is %s, %v", i, found.State, err)
		}
		states, err := db.States(t.Context(), []catalog.Upload{uploadOf(k)})
		if err != nil || states[uploadOf(k)] == catalog.Stored {
			t.Errorf("push %d: the upload is %v, %v", i, states, err)
		}
		if found.State == catalog.Yanked {
			early++
			if states[uploadOf(k)] != catalog.Rejected || !strings.Contains(found.Yank.Reason, "before the package was published") {
				t.Errorf("push %d: withdrawn, %q, and the upload is %v", i, found.Yank.Reason, states)
			}
		}
	}
	if early == 0 {
		t.Error("no push came before the deletion")
	}
	pushedBefore, err := db.RecentUploads(t.Context(), tools, 100, catalog.Rejected)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range pushedBefore {
		if strings.Contains(u.Detail, "before the package was published") {
			early--
			if !strings.HasSuffix(u.Detail, "repomill unyank publishes the package") {
				t.Errorf("the pusher reads %q", u.Detail)
			}
		}
	}
	if early != 0 {
		t.Errorf("%d pushes that came before the deletion do not say so", early)
	}
	if _, _, err := db.Undelete(t.Context(), toolsTarget, after(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if found, err := db.Find(t.Context(), seen); err != nil || found.State != catalog.Active {
		t.Errorf("what clients saw is %s, %v", found.State, err)
	}
	for i, k := range packages {
		if found, err := db.Find(t.Context(), k); err == nil && found.State == catalog.Active {
			t.Errorf("push %d: the package came back, and its upload was rejected", i)
		}
	}
}
