package catalogdb_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// moving returns a wish to move a package to the component main of stable.
func moving(k catalog.Package) catalogdb.Wish {
	return catalogdb.Wish{Source: k, To: place(stable), Withdraw: catalogdb.MovedTo + place(stable).String()}
}

// copied does for a promotion what a worker does before it publishes, and returns the copy.
func copied(t *testing.T, db *catalogdb.DB, u catalog.Upload, k catalog.Package) catalog.Package {
	t.Helper()
	token := take(t, db, u, start)
	k.Repository = stable.Repository
	if _, _, err := db.Claim(t.Context(), k, u); err != nil {
		t.Fatal(err)
	}
	activate(t, db, catalogdb.Stored{Upload: u, Token: token, Package: k})
	return k
}

// finishMoves fails unless so many moves are finished.
func finishMoves(t *testing.T, db *catalogdb.DB, want int) {
	t.Helper()
	if n, err := db.FinishMoves(t.Context(), after(time.Minute)); n != want || err != nil {
		t.Errorf("%d moves are finished, %v; want %d", n, err, want)
	}
}

func checkMove(t *testing.T, db *catalogdb.DB, u catalog.Upload, want catalog.MoveState, why string) {
	t.Helper()
	v, err := db.Verdict(t.Context(), u)
	if err != nil || v.Move != want || v.MoveDetail != why {
		t.Errorf("the move is %q (%s), %v; want %q (%s)", v.Move, v.MoveDetail, err, want, why)
	}
}

// A package leaves its place once clients see the copy, and not before; one revision withdraws all.
func moveFinishes(t *testing.T, db *catalogdb.DB) {
	k, other := deb(jammy, "hello", "1"), deb(jammy, "other", "1")
	activated(t, db, k, other)
	before := revisionOf(t, db, jammy)
	ctx := catalog.WithActor(t.Context(), catalog.Actor{User: "jo", Why: "tested", Job: "https://ci.example/1"})
	uploads, err := db.Promote(ctx, []catalogdb.Wish{moving(k), moving(other)}, start)
	if err != nil {
		t.Fatal(err)
	}
	finishMoves(t, db, 0)
	c := copied(t, db, uploads[0], k)
	copied(t, db, uploads[1], other)
	finishMoves(t, db, 0) // no client sees it
	checkMove(t, db, uploads[0], catalog.MoveWaiting, "")
	checkPackage(t, db, k, catalog.Active)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	finishMoves(t, db, 2)
	finishMoves(t, db, 0)
	checkMove(t, db, uploads[0], catalog.MoveDone, "")
	checkPackage(t, db, k, catalog.Yanked)
	checkPackage(t, db, other, catalog.Yanked)
	checkPackage(t, db, c, catalog.Active)
	if now := revisionOf(t, db, jammy); now != before+1 {
		t.Errorf("the old place went from revision %d to %d", before, now)
	}
	lines := logOf(t, db, "acme/tools", start)
	for _, want := range []string{
		"jo|package.promote|acme/tools/ubuntu/jammy/main|hello 1 amd64 to acme/stable/ubuntu/jammy/main, to be withdrawn here|tested|https://ci.example/1",
		"jo|package.yank|acme/tools/ubuntu/jammy/main|hello 1 amd64|moved to acme/stable/ubuntu/jammy/main|https://ci.example/1",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the log has no %q: %q", want, lines)
		}
	}
}

func revisionOf(t *testing.T, db *catalogdb.DB, r catalog.Release) int64 {
	t.Helper()
	for _, s := range releases(t, db) {
		if s.Release == r {
			return s.Revision.Number
		}
	}
	t.Fatalf("there is no %s", r)
	return 0
}

// What has no copy stays where it is.
func moveKeeps(t *testing.T, db *catalogdb.DB) {
	rejected, withdrawn, keyring := deb(jammy, "rejected", "1"), deb(jammy, "withdrawn", "1"), deb(jammy, "acme-tools-archive-keyring", "1")
	activated(t, db, rejected, withdrawn, keyring)
	uploads := promote(t, db, moving(rejected), moving(withdrawn), moving(keyring))
	if err := db.Reject(t.Context(), uploads[0], take(t, db, uploads[0], start), catalog.Rejection{Reason: catalog.Unsigned}, start); err != nil {
		t.Fatal(err)
	}
	c := copied(t, db, uploads[1], withdrawn)
	copied(t, db, uploads[2], keyring)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	if _, err := db.Yank(t.Context(), selectorOf(c), catalog.Yank{Reason: "bad"}, start); err != nil {
		t.Fatal(err)
	}
	finishMoves(t, db, 3)
	checkMove(t, db, uploads[0], catalog.MoveKept, "there is no copy of it: that was rejected")
	checkMove(t, db, uploads[1], catalog.MoveKept, "its copy was withdrawn from acme/stable/ubuntu/jammy/main before it was withdrawn here")
	checkMove(t, db, uploads[2], catalog.MoveKept, "it has the keys of its repository, where clients need it")
	for _, k := range []catalog.Package{rejected, withdrawn, keyring} {
		checkPackage(t, db, k, catalog.Active)
	}
}

// A copy that is under way, or there, becomes a move; what is there is not read again, and waits until clients see it.
func moveOfACopy(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	copying := promote(t, db, catalogdb.Wish{Source: k, To: place(stable)})[0]
	if same := promote(t, db, moving(k))[0]; same != copying {
		t.Errorf("got %s, want %s", same, copying)
	}
	checkMove(t, db, copying, catalog.MoveWaiting, "")
	copied(t, db, copying, k)
	if same := promote(t, db, moving(k))[0]; same != copying {
		t.Errorf("stored: got %s, want %s", same, copying)
	}
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	if same := promote(t, db, moving(k))[0]; same != copying {
		t.Errorf("published: got %s, want %s", same, copying)
	}
	finishMoves(t, db, 1)
	checkPackage(t, db, k, catalog.Yanked)

	there := deb(jammy, "there", "1")
	activate(t, db, store(t, db, there, "1"))
	c := there
	c.Repository = stable.Repository
	activate(t, db, store(t, db, c, "1"))
	waits := promote(t, db, moving(there))[0]
	checkUpload(t, db, waits, catalog.Stored)
	finishMoves(t, db, 0)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	checkUpload(t, db, waits, catalog.Duplicate)
	finishMoves(t, db, 1)
	checkPackage(t, db, there, catalog.Yanked)
}

// A move that is asked for once more, when its copy was withdrawn from the new place before it was finished, makes another copy.
func moveAfterWithdrawal(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	first := promote(t, db, moving(k))[0]
	c := copied(t, db, first, k)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	if _, err := db.Yank(t.Context(), selectorOf(c), catalog.Yank{Reason: "by mistake"}, start); err != nil {
		t.Fatal(err)
	}
	second := promote(t, db, moving(k))[0]
	if second == first {
		t.Fatal("the copy that was withdrawn answers")
	}
	if third := promote(t, db, moving(k))[0]; third != second {
		t.Errorf("got %s, want %s", third, second)
	}
	finishMoves(t, db, 0) // the second copy is not made
	checkPackage(t, db, k, catalog.Active)
	copied(t, db, second, k)
	publish(t, db, stable, revisionOf(t, db, stable), after(2*time.Second))
	finishMoves(t, db, 2)
	checkPackage(t, db, k, catalog.Yanked)
	checkPackage(t, db, c, catalog.Active)
}

// A package that goes to two places is withdrawn once it is in both.
func moveToTwo(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	declare(t, db, noble)
	second := moving(k)
	second.To, second.Withdraw = place(noble), catalogdb.MovedTo+"noble"
	uploads := promote(t, db, moving(k), second)
	copied(t, db, uploads[0], k)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	finishMoves(t, db, 0)
	checkPackage(t, db, k, catalog.Active)
	c := k
	c.Distribution = noble.Distribution
	token := take(t, db, uploads[1], start)
	if _, _, err := db.Claim(t.Context(), c, uploads[1]); err != nil {
		t.Fatal(err)
	}
	activate(t, db, catalogdb.Stored{Upload: uploads[1], Token: token, Package: c})
	publish(t, db, noble, revisionOf(t, db, noble), after(time.Second))
	finishMoves(t, db, 2)
	checkPackage(t, db, k, catalog.Yanked)
	checkMove(t, db, uploads[0], catalog.MoveDone, "")
	checkMove(t, db, uploads[1], catalog.MoveDone, "")
}

// Workers that finish moves at the same time withdraw each package once.
func moveConcurrently(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	copied(t, db, promote(t, db, moving(k))[0], k)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	before := revisionOf(t, db, jammy)
	const workers = 6
	finished, errs := make([]int, workers), make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { finished[i], errs[i] = db.FinishMoves(t.Context(), start) })
	}
	wg.Wait()
	total := 0
	for _, n := range finished {
		total += n
	}
	if err := errors.Join(errs...); err != nil || total != 1 || revisionOf(t, db, jammy) != before+1 {
		t.Errorf("finished %d times, revision %d after %d, %v", total, revisionOf(t, db, jammy), before, err)
	}
}
