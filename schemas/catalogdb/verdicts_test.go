package catalogdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func verdict(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	if _, err := db.Verdict(t.Context(), uploadOf(k)); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("before it is taken: got %v, want ErrNotFound", err)
	}
	check := func(u catalog.Upload, want catalog.Verdict) {
		t.Helper()
		want.Object, want.Generation, want.Size, want.Received = u.Object, u.Generation, u.Size, start
		if diff := cmp.Diff(want, verdictOf(t, db, u)); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
	}
	s := store(t, db, k, "1")
	check(s.Upload, catalog.Verdict{State: catalog.Received})
	activate(t, db, s)
	facts := catalog.Verdict{State: catalog.Stored, Package: "hello 1 amd64", SHA256: k.File.SHA256, Key: k.Key,
		Releases: []catalog.VerdictRelease{{Release: jammy.String(), Revision: 2}}}
	check(s.Upload, facts)
	finished := after(1500 * time.Millisecond)
	publish(t, db, jammy, 2, finished)
	facts.State, facts.Finished = catalog.Published, &finished
	check(s.Upload, facts)

	bad := store(t, db, deb(jammy, "bad", "1"), "1")
	if err := db.Reject(t.Context(), bad.Upload, bad.Token, catalog.Rejection{Reason: catalog.Conflict, Detail: "é: other bytes"}, finished); err != nil {
		t.Fatal(err)
	}
	check(bad.Upload, catalog.Verdict{State: catalog.Rejected, Reason: catalog.Conflict, Detail: "é: other bytes", Finished: &finished})
}

func recent(t *testing.T, db *catalogdb.DB) {
	for i, object := range []string{"acme/tools/a", "acme/tools/b", "acme/toolshed/c", "acme/t_ols/d", "acme/é/e", "acme/é/f", "Acme/tools/g"} {
		take(t, db, catalog.Upload{Bucket: "staging", Object: object, Generation: "1"}, after(time.Duration(i)*time.Second))
	}
	for _, tt := range []struct {
		name, prefix string
		limit        int
		want         []string
	}{
		{"everything, newest first", "", 9, []string{"Acme/tools/g", "acme/é/f", "acme/é/e", "acme/t_ols/d", "acme/toolshed/c", "acme/tools/b", "acme/tools/a"}},
		{"no more than asked for", "", 2, []string{"Acme/tools/g", "acme/é/f"}},
		{"a folder", "acme/tools/", 9, []string{"acme/tools/b", "acme/tools/a"}},
		{"a prefix need not be a folder", "acme/tools", 9, []string{"acme/toolshed/c", "acme/tools/b", "acme/tools/a"}},
		{"a whole key", "acme/tools/a", 9, []string{"acme/tools/a"}},
		{"an underscore is no wildcard", "acme/t_ols/", 9, []string{"acme/t_ols/d"}},
		{"a percent sign is no wildcard", "acme/%", 9, nil},
		{"letters beyond ASCII", "acme/é/", 9, []string{"acme/é/f", "acme/é/e"}},
		{"case matters", "ACME", 9, nil},
	} {
		all, err := db.Recent(t.Context(), tt.prefix, tt.limit)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got []string
		for _, v := range all {
			got = append(got, v.Object)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func told(t *testing.T, db *catalogdb.DB) {
	var uploads []catalog.Upload
	for i := range 3 {
		u := uploadOf(deb(jammy, fmt.Sprintf("p%d", i), "1"))
		uploads = append(uploads, u)
		token := take(t, db, u, start)
		if i == 2 {
			continue // still being read
		}
		if err := db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.Empty}, start); err != nil {
			t.Fatal(err)
		}
	}
	check := func(limit int, want ...catalog.Upload) {
		t.Helper()
		got, err := db.VerdictsToWrite(t.Context(), limit)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("untold %v (-want +got):\n%s", err, diff)
		}
	}
	check(9, uploads[:2]...)
	check(1, uploads[0])
	if _, err := db.VerdictsWritten(t.Context(), uploads[0]); err != nil {
		t.Fatal(err)
	}
	check(9, uploads[1])
	if n, err := db.Backlog(t.Context()); err != nil || n != 1 {
		t.Errorf("got a backlog of %d, %v; want 1", n, err)
	}
}

func expired(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	done, waiting, reading := store(t, db, deb(jammy, "done", "1"), "1"), store(t, db, deb(noble, "waiting", "1"), "1"), store(t, db, deb(jammy, "reading", "1"), "1")
	bad := store(t, db, deb(jammy, "bad", "1"), "1")
	activate(t, db, done, waiting)
	publish(t, db, jammy, 2, start)
	if err := db.Reject(t.Context(), bad.Upload, bad.Token, catalog.Rejection{Reason: catalog.Empty}, after(time.Minute)); err != nil {
		t.Fatal(err)
	}
	tell := func(uploads ...catalogdb.Stored) {
		for _, s := range uploads {
			if _, err := db.VerdictsWritten(t.Context(), s.Upload); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(fact string, before time.Time, limit int, want ...catalogdb.Stored) {
		t.Helper()
		var uploads []catalog.Upload
		for _, s := range want {
			uploads = append(uploads, s.Upload)
		}
		got, err := db.Expired(t.Context(), "staging", before, 0, limit)
		if diff := cmp.Diff(uploads, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
	}
	later := after(time.Hour)
	check("no one was told", later, 9)
	tell(done, bad, waiting, reading)
	check("final and told, oldest first", later, 9, done, bad)
	check("no more than asked for", later, 1, done)
	check("not yet", after(time.Second), 9, done)
	activate(t, db, store(t, db, deb(jammy, "more", "1"), "1"))
	check("while the release is behind its rows, what it waited for stays", later, 9, bad)
	publish(t, db, jammy, 3, start)
	for range 2 {
		if err := db.Unstaged(t.Context(), done.Upload); err != nil {
			t.Fatal(err)
		}
	}
	check("once it is deleted", later, 9, bad)
	checkUpload(t, db, done.Upload, catalog.Published)
}

func doomed(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello, other := deb(jammy, "hello", "1"), deb(jammy, "other", "1")
	first, kept := store(t, db, hello, "1"), store(t, db, other, "1")
	activate(t, db, first, kept)
	publish(t, db, jammy, 2, start)
	again := store(t, db, hello, "2") // the same bytes once more
	activate(t, db, again)
	for _, s := range []catalogdb.Stored{first, kept, again} {
		if _, err := db.VerdictsWritten(t.Context(), s.Upload); err != nil {
			t.Fatal(err)
		}
	}
	check := func(fact string, before time.Time, want ...catalog.Upload) {
		t.Helper()
		got, err := db.Doomed(t.Context(), "staging", before, 0, 9)
		if diff := cmp.Diff(want, got, nothingIsNil); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
		if before.Before(start) {
			return
		}
		if got, err = db.DoomedOf(t.Context(), hello); !cmp.Equal(want, got, nothingIsNil) || err != nil {
			t.Errorf("%s: of the package got %v, %v, want %v", fact, got, err, want)
		}
		if got, err = db.DoomedOf(t.Context(), other); len(got) > 0 || err != nil {
			t.Errorf("%s: of another package got %v, %v", fact, got, err)
		}
	}
	later := after(time.Hour)
	yankAll(t, db, selectorOf(hello))
	publish(t, db, jammy, 3, start)
	check("the file stays for the retention period", later)
	for range 2 {
		if err := db.Removing(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		check("the file goes", later, first.Upload, again.Upload)
	}
	check("not just finished", after(-time.Hour))
	if got, err := db.Expired(t.Context(), "staging", later, 0, 9); err != nil || !cmp.Equal(got, []catalog.Upload{kept.Upload}) {
		t.Errorf("got %v, %v, want the package that stays", got, err)
	}
	if got, err := db.Doomed(t.Context(), "another", later, 0, 9); err != nil || len(got) > 0 {
		t.Errorf("in another bucket there is %v, %v", got, err)
	}
	if err := errors.Join(db.Unstaged(t.Context(), first.Upload), db.Removed(t.Context(), hello)); err != nil {
		t.Fatal(err)
	}
	check("one is deleted", later, again.Upload)
	if err := db.Unstaged(t.Context(), again.Upload); err != nil {
		t.Fatal(err)
	}
	check("both are", later)
}

func oldest(t *testing.T, db *catalogdb.DB) {
	check := func(want *time.Time) {
		t.Helper()
		if got, err := db.Oldest(t.Context()); err != nil || !cmp.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	check(nil)
	first, second := hello, hello
	first.Generation, second.Generation = "1", "2"
	early, late := after(-time.Hour), start
	take(t, db, second, late)
	check(&late)
	token := take(t, db, first, early)
	check(&early)
	if err := db.Reject(t.Context(), first, token, catalog.Rejection{Reason: catalog.Empty}, start); err != nil {
		t.Fatal(err)
	}
	check(&late)
	if err := errors.Join(db.Ping(t.Context()), db.Ready(t.Context())); err != nil {
		t.Error(err)
	}
}
