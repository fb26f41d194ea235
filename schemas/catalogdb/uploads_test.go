package catalogdb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var hello = uploadOf(deb(jammy, "hello", "1"))

// checkHeld fails unless an upload has a lease.
func checkHeld(t *testing.T, db *catalogdb.DB, u catalog.Upload, now time.Time) {
	t.Helper()
	if token, state, err := db.Take(t.Context(), u, lease, now); err != nil || token != "" || state != catalog.Received {
		t.Errorf("got token %q, state %q, %v; want it to be held", token, state, err)
	}
}

func takeHeld(t *testing.T, db *catalogdb.DB) {
	first := take(t, db, hello, start)
	checkHeld(t, db, hello, start)
	checkHeld(t, db, hello, after(lease.For-time.Millisecond))
	second := take(t, db, hello, after(lease.For))
	if first == second {
		t.Errorf("both tokens are %s", first)
	}
	// What the first one does now does not count.
	if err := db.Reject(t.Context(), hello, first, catalog.Rejection{Reason: catalog.Empty}, start); err != nil {
		t.Error(err)
	}
	if err := db.Return(t.Context(), hello, first); err != nil {
		t.Error(err)
	}
	checkHeld(t, db, hello, after(lease.For))
	checkUpload(t, db, hello, catalog.Received)
}

func renew(t *testing.T, db *catalogdb.DB) {
	uploads := map[string]catalog.Upload{}
	for _, name := range []string{"mine", "other", "ended", "returned"} {
		uploads[name] = uploadOf(deb(jammy, name, "1"))
	}
	long := catalogdb.Lease{Owner: lease.Owner, For: 10 * time.Minute}
	take(t, db, uploads["mine"], after(30*time.Second))
	take(t, db, uploads["ended"], start)
	token := take(t, db, uploads["returned"], after(30*time.Second))
	if err := db.Return(t.Context(), uploads["returned"], token); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Take(t.Context(), uploads["other"], catalogdb.Lease{Owner: "another", For: time.Minute}, after(30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := db.Renew(t.Context(), long, after(time.Minute)); err != nil {
		t.Fatal(err)
	}
	checkHeld(t, db, uploads["mine"], after(11*time.Minute-time.Millisecond))
	take(t, db, uploads["mine"], after(11*time.Minute))
	for _, name := range []string{"ended", "returned"} {
		take(t, db, uploads[name], after(time.Minute))
	}
	checkHeld(t, db, uploads["other"], after(time.Minute))
	take(t, db, uploads["other"], after(90*time.Second))
}

func giveBack(t *testing.T, db *catalogdb.DB) {
	for range 3 * catalogdb.MaxAttempts {
		token := take(t, db, hello, start)
		if err := db.Return(t.Context(), hello, "wrong"); err != nil {
			t.Fatal(err)
		}
		checkHeld(t, db, hello, start)
		if err := db.Return(t.Context(), hello, token); err != nil {
			t.Fatal(err)
		}
	}
	token := take(t, db, hello, start)
	for range 2 * catalogdb.MaxAttempts { // a repeat does not count again
		if err := db.Return(t.Context(), hello, token); err != nil {
			t.Fatal(err)
		}
	}
	for n := range catalogdb.MaxAttempts { // these end in crashes
		take(t, db, hello, after(time.Duration(n)*time.Hour))
	}
	if token, state, err := db.Take(t.Context(), hello, lease, after(24*time.Hour)); token != "" || state != catalog.Rejected || err != nil {
		t.Errorf("after %d crashes: token %q, state %q, %v", catalogdb.MaxAttempts, token, state, err)
	}
}

// An unfinished upload is found, also when its object is no longer in staging.
func unfinished(t *testing.T, db *catalogdb.DB) {
	gone, held, done := hello, hello, hello
	gone.Object, held.Object, done.Object = "gone", "held", "done"
	take(t, db, gone, start)
	if err := db.Reject(t.Context(), done, take(t, db, done, start), catalog.Rejection{Reason: catalog.Empty}, start); err != nil {
		t.Fatal(err)
	}
	later := after(time.Hour)
	take(t, db, held, later)
	got, err := db.Unfinished(t.Context(), "staging", later, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]catalog.Upload{gone}, got); diff != "" {
		t.Errorf("unfinished uploads (-want +got):\n%s", diff)
	}
}

func reclaim(t *testing.T, db *catalogdb.DB) {
	other := uploadOf(deb(jammy, "other", "1"))
	take(t, db, hello, start)
	take(t, db, other, start)
	if err := db.EndLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	take(t, db, hello, start)
	take(t, db, other, start)
}

func poison(t *testing.T, db *catalogdb.DB) {
	now := start
	for range catalogdb.MaxAttempts {
		take(t, db, hello, now)
		now = now.Add(lease.For)
	}
	for range 2 {
		if token, state, err := db.Take(t.Context(), hello, lease, now); err != nil || token != "" || state != catalog.Rejected {
			t.Fatalf("got token %q, state %q, %v; want %q", token, state, err, catalog.Rejected)
		}
	}
	v := verdictOf(t, db, hello)
	if v.Reason != catalog.Poison || v.Detail == "" || v.Finished == nil || !v.Finished.Equal(now) {
		t.Errorf("got %+v, want %s at %v", v, catalog.Poison, now)
	}
	again := hello
	again.Generation = "2"
	take(t, db, again, now) // pushing it again gives it another chance
}

func giveUp(t *testing.T, db *catalogdb.DB) {
	for n := range catalogdb.MaxAttempts {
		token := take(t, db, hello, start)
		for _, tok := range []string{"wrong", token, token} { // a repeat does not count again
			if err := db.GiveUp(t.Context(), hello, tok, "it hung", after(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if n < catalogdb.MaxAttempts-1 {
			checkUpload(t, db, hello, catalog.Received)
		}
	}
	v := verdictOf(t, db, hello)
	if v.State != catalog.Rejected || v.Reason != catalog.Poison || !strings.Contains(v.Detail, "it hung") || !v.Finished.Equal(after(time.Minute)) {
		t.Errorf("got %+v, want %s", v, catalog.Poison)
	}
}

func takeOther(t *testing.T, db *catalogdb.DB) {
	base := catalog.Upload{Bucket: "staging", Object: "acme/tools/el/9/f.rpm", Generation: "a1"}
	tokens := map[string]bool{}
	for i, change := range []func(*catalog.Upload){
		func(*catalog.Upload) {},
		func(u *catalog.Upload) { u.Generation = "a2" },
		func(u *catalog.Upload) { u.Generation = "A1" },
		func(u *catalog.Upload) { u.Generation = "a1 " },
		func(u *catalog.Upload) { u.Object = "acme/tools/el/9/F.rpm" },
		func(u *catalog.Upload) { u.Object = "acme/tools/el/9/f.rpm " },
		func(u *catalog.Upload) { u.Object = "acme/tools/el/9/é.rpm" },
		func(u *catalog.Upload) { u.Object = "acme/tools/el/9/e.rpm" },
		func(u *catalog.Upload) { u.Bucket = "other" },
	} {
		u := base
		change(&u)
		tokens[take(t, db, u, start)] = true
		if len(tokens) != i+1 {
			t.Errorf("%s has the token of another", u)
		}
	}
}

func final(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	stored := map[catalog.UploadState]catalogdb.Stored{catalog.Published: store(t, db, k, "1")}
	activate(t, db, stored[catalog.Published])
	publish(t, db, jammy, 2, start)
	stored[catalog.Duplicate] = store(t, db, k, "2")
	activate(t, db, stored[catalog.Duplicate])
	rejected := store(t, db, deb(jammy, "bad", "1"), "1")
	stored[catalog.Rejected] = rejected
	if err := db.Reject(t.Context(), rejected.Upload, rejected.Token, catalog.Rejection{Reason: catalog.Empty, Detail: "no bytes"}, start); err != nil {
		t.Fatal(err)
	}
	for state, s := range stored {
		before := verdictOf(t, db, s.Upload)
		err := errors.Join(
			db.Reject(t.Context(), s.Upload, s.Token, catalog.Rejection{Reason: catalog.Conflict, Detail: "later"}, after(time.Hour)),
			db.Activate(t.Context(), []catalogdb.Stored{s}, after(time.Hour)),
			db.Return(t.Context(), s.Upload, s.Token),
			db.Renew(t.Context(), lease, start),
			db.EndLeases(t.Context()),
			db.Publish(t.Context(), jammy, 9, after(time.Hour)),
		)
		if err != nil {
			t.Error(err)
		}
		if token, got, err := db.Take(t.Context(), s.Upload, lease, after(24*time.Hour)); err != nil || token != "" || got != state {
			t.Errorf("taken again: token %q, state %q, %v; want %q", token, got, err, state)
		}
		if diff := cmp.Diff(before, verdictOf(t, db, s.Upload)); diff != "" {
			t.Errorf("%s changed (-before +after):\n%s", state, diff)
		}
	}
	checkPackage(t, db, rejected.Package, catalog.Claimed)
	checkRevision(t, db, jammy, 2)
}
