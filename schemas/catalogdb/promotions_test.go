package catalogdb_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var stable = catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: "stable"}, Distribution: jammy.Distribution}

// place returns the component main of a DEB release.
func place(r catalog.Release) catalog.Place {
	return catalog.Place{Repository: r.Repository, Distribution: r.Distribution, Component: "main"}
}

// activated makes packages active in jammy.
func activated(t *testing.T, db *catalogdb.DB, packages ...catalog.Package) {
	t.Helper()
	declare(t, db, jammy)
	declare(t, db, stable)
	for _, k := range packages {
		activate(t, db, store(t, db, k, "1"))
	}
}

func promote(t *testing.T, db *catalogdb.DB, wishes ...catalogdb.Wish) []catalog.Upload {
	t.Helper()
	uploads, err := db.Promote(t.Context(), wishes, start)
	if err != nil {
		t.Fatal(err)
	}
	return uploads
}

// A wish is an upload that any worker finds, and that nothing in staging belongs to.
func promoteAsked(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	ctx := catalog.WithActor(t.Context(), catalog.Actor{User: "jo", Why: "tested", Job: "https://ci.example/1"})
	uploads, err := db.Promote(ctx, []catalogdb.Wish{{Source: k, To: place(stable)}}, start)
	if err != nil || len(uploads) != 1 {
		t.Fatalf("got %v, %v", uploads, err)
	}
	u := uploads[0]
	if !u.Promoted() || u.Generation != k.File.SHA256 || u.Size != k.File.Size || !strings.HasPrefix(u.Object, "acme/stable/ubuntu/jammy/main/@") {
		t.Errorf("got the upload %+v", u)
	}
	p, err := db.Promotion(t.Context(), u)
	if want := (catalog.Actor{User: "jo", Why: "tested", Job: "https://ci.example/1"}); err != nil || p.By != want || p.Source.Key != k.Key || p.Source.State != catalog.Active {
		t.Errorf("got %+v, %v", p, err)
	}
	if lines := logOf(t, db, "acme/stable", start); !slices.ContainsFunc(lines, func(s string) bool {
		return strings.HasPrefix(s, "jo|upload|acme/stable/ubuntu/jammy/main|") && strings.HasSuffix(s, "|https://ci.example/1")
	}) {
		t.Errorf("the log does not name who asked: %q", lines)
	}
	checkFound(t, db, u)
	if staged, err := db.Unfinished(t.Context(), "staging", start, 10); err != nil || len(staged) > 0 {
		t.Errorf("in staging are unfinished: %v, %v", staged, err)
	}
	if _, err := db.Promotion(t.Context(), uploadOf(k)); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("an upload from staging is a promotion: %v", err)
	}
}

// checkFound fails unless these promotions are those that no worker has begun with.
func checkFound(t *testing.T, db *catalogdb.DB, want ...catalog.Upload) {
	t.Helper()
	got, err := db.Unattempted(t.Context(), start, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("promotions to begin with (-want +got):\n%s", diff)
	}
}

func promoteAgain(t *testing.T, db *catalogdb.DB) {
	k, other := deb(jammy, "hello", "1"), deb(jammy, "other", "1")
	activated(t, db, k, other)
	wish := catalogdb.Wish{Source: k, To: place(stable)}
	first := promote(t, db, wish)[0]
	if again := promote(t, db, wish, wish, catalogdb.Wish{Source: other, To: place(stable)}); again[0] != first || again[1] != first || again[2] == first {
		t.Errorf("got %v, want %s twice", again, first)
	}
	token := take(t, db, first, start)
	if begun := promote(t, db, wish)[0]; begun != first {
		t.Errorf("while a worker is at it: got %s", begun)
	}
	if err := db.Reject(t.Context(), first, token, catalog.Rejection{Reason: catalog.Unsigned}, start); err != nil {
		t.Fatal(err)
	}
	if next := promote(t, db, wish)[0]; next == first {
		t.Error("a wish after a rejection is the rejected one")
	}
	entries := 0
	for e, err := range db.Log(t.Context(), stable.Repository.Target(), start) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionPromote {
			entries++
		}
	}
	if entries != 3 {
		t.Errorf("the log has %d wishes, want 3", entries)
	}
}

// The lease, the attempts and the end are those of an upload.
func promoteEnds(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	u := promote(t, db, catalogdb.Wish{Source: k, To: place(stable)})[0]
	token := take(t, db, u, start)
	checkHeld(t, db, u, start)
	checkFound(t, db)
	if err := db.Return(t.Context(), u, token); err != nil {
		t.Fatal(err)
	}
	checkFound(t, db, u) // the attempt does not count
	token = take(t, db, u, start)
	if left, err := db.Unfinished(t.Context(), catalog.PromotionBucket, after(time.Hour), 10); err != nil || len(left) != 1 || left[0] != u {
		t.Errorf("of a worker that died is left: %v, %v", left, err)
	}
	c := k
	c.Repository = stable.Repository
	if _, _, err := db.Claim(t.Context(), c, u); err != nil {
		t.Fatal(err)
	}
	activate(t, db, catalogdb.Stored{Upload: u, Token: token, Package: c})
	checkUpload(t, db, u, catalog.Stored)
	publish(t, db, stable, 2, after(time.Second))
	checkUpload(t, db, u, catalog.Published)
	checkPackage(t, db, c, catalog.Active)
	if due, err := db.Expired(t.Context(), catalog.PromotionBucket, after(1000*time.Hour), 0, 10); err != nil || len(due) > 0 {
		t.Errorf("staged objects of promotions: %v, %v", due, err)
	}
}

// What is withdrawn for good takes staged objects along, which a promotion has none of.
func promoteRemoved(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	c := k
	c.Repository = stable.Repository
	activate(t, db, store(t, db, c, "1"))
	publish(t, db, stable, 2, start)
	w := catalogdb.PackageSelector{Repository: c.Repository, Distribution: c.Distribution, Name: c.Name, Version: c.Version}
	if _, err := db.Yank(t.Context(), w, catalog.Yank{Reason: "x"}, start); err != nil {
		t.Fatal(err)
	}
	if err := db.Removing(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	u := promote(t, db, catalogdb.Wish{Source: k, To: place(stable)})[0]
	take(t, db, u, start)
	if back, err := db.CanUnyank(t.Context(), c, u); back || err != nil {
		t.Errorf("a removed package can come back: %v, %v", back, err)
	}
	doomed, err := db.DoomedOf(t.Context(), c)
	if err != nil || len(doomed) != 1 || doomed[0].Promoted() {
		t.Errorf("to be removed from staging: %v, %v; want the upload alone", doomed, err)
	}
}

func promoteGone(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	u := promote(t, db, catalogdb.Wish{Source: k, To: place(stable)})[0]
	w := catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version}
	if _, err := db.Yank(t.Context(), w, catalog.Yank{Reason: "x"}, start); err != nil {
		t.Fatal(err)
	}
	if p, err := db.Promotion(t.Context(), u); err != nil || p.Source.State != catalog.Yanked || p.Source.Yank == nil {
		t.Errorf("got %+v, %v; want it to be withdrawn", p, err)
	}
	other := k
	other.File = file("other bytes")
	for fact, source := range map[string]catalog.Package{"withdrawn": k, "other bytes": other, "never there": deb(jammy, "none", "1")} {
		if got, err := db.Promote(t.Context(), []catalogdb.Wish{{Source: source, To: place(stable)}}, start); !errors.Is(err, catalogdb.ErrNotFound) || len(got) > 0 {
			t.Errorf("%s: got %v, %v", fact, got, err)
		}
	}
}

func promoteConcurrently(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	activated(t, db, k)
	const callers = 6
	uploads, errs := make([][]catalog.Upload, callers), make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			uploads[i], errs[i] = db.Promote(t.Context(), []catalogdb.Wish{{Source: k, To: place(stable)}}, start)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads {
		if u[0] != uploads[0][0] {
			t.Errorf("got %s and %s", uploads[0][0], u[0])
		}
	}
}
