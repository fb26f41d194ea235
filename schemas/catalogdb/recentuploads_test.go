package catalogdb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var allStates = []catalog.UploadState{catalog.Received, catalog.Stored, catalog.Published, catalog.Duplicate, catalog.Rejected}

// named returns uploads as "file state" in their order.
func named(t *testing.T, db *catalogdb.DB, r catalog.Repository, limit int, states ...catalog.UploadState) (all []string) {
	t.Helper()
	uploads, err := db.RecentUploads(t.Context(), r, limit, states...)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads {
		all = append(all, u.Object[strings.LastIndexByte(u.Object, '/')+1:]+" "+string(u.State))
	}
	return all
}

func recentUploads(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	begin := func(object string, at time.Time) (catalog.Upload, string) {
		u := catalog.Upload{Bucket: "staging", Object: object, Generation: "1", Size: 7}
		return u, take(t, db, u, at)
	}
	for i := range 3 {
		u, token := begin(fmt.Sprintf("acme/tools/ubuntu/jammy/bad%d.deb", i), after(time.Duration(i)*time.Minute))
		if err := db.RecordPusher(t.Context(), u, catalog.Pusher{User: "ci", Job: "https://ci.example/1"}); err != nil {
			t.Fatal(err)
		}
		if err := db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.Empty, Detail: "it is empty"}, after(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	begin("acme/tools/ubuntu/jammy/first.deb", after(30*time.Second))
	begin("acme/tools/ubuntu/jammy/same-time.deb", after(30*time.Second))
	begin("acme/tools2/ubuntu/jammy/other.deb", after(time.Hour)) // whose name begins with that of the repository
	begin("acme/"+strings.Repeat("x", 600)+"/long.deb", after(time.Hour))
	begin("stray.deb", after(time.Hour))

	want := []string{"bad2.deb rejected", "bad1.deb rejected", "same-time.deb received", "first.deb received", "bad0.deb rejected"}
	if diff := cmp.Diff(want, named(t, db, tools, 20, allStates...)); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:2], named(t, db, tools, 2, allStates...)); diff != "" {
		t.Errorf("the newest two (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{want[0], want[1], want[4]}, named(t, db, tools, 20, catalog.Rejected)); diff != "" {
		t.Errorf("rejections (-want +got):\n%s", diff)
	}
	uploads, err := db.RecentUploads(t.Context(), tools, 1, catalog.Rejected)
	if err != nil || len(uploads) != 1 {
		t.Fatal(uploads, err)
	}
	if u := uploads[0]; u.Reason != catalog.Empty || u.Detail != "it is empty" || u.Size != 7 || u.Pusher != (catalog.Pusher{User: "ci", Job: "https://ci.example/1"}) ||
		!u.Received.Equal(after(2*time.Minute)) || u.Finished == nil || !u.Finished.Equal(after(time.Hour)) {
		t.Errorf("got %+v", u)
	}
	waiting, err := db.WaitingUploads(t.Context(), tools)
	if diff := cmp.Diff([]catalogdb.Waiting{{State: catalog.Received, Count: 2, Oldest: after(30 * time.Second)}}, waiting); err != nil || diff != "" {
		t.Errorf("%v; what waits (-want +got):\n%s", err, diff)
	}
	activate(t, db, store(t, db, deb(jammy, "hello", "1"), "1"))
	if waiting, err = db.WaitingUploads(t.Context(), tools); err != nil || len(waiting) != 2 || waiting[1] != (catalogdb.Waiting{State: catalog.Stored, Count: 1, Oldest: start}) {
		t.Errorf("with a stored one: %v, %v", waiting, err)
	}
	if waiting, err = db.WaitingUploads(t.Context(), lab); err != nil || waiting != nil {
		t.Errorf("of another repository: %v, %v", waiting, err)
	}
}

func recentPromotion(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	source := deb(jammy, "hello", "1")
	activate(t, db, store(t, db, source, "1"))
	to := jammy
	to.Repository = lab
	declare(t, db, to)
	source, err := db.Find(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Promote(t.Context(), []catalogdb.Wish{{Source: source, To: catalog.Place{Repository: lab, Distribution: to.Distribution, Component: "main"}}}, start); err != nil {
		t.Fatal(err)
	}
	if got := named(t, db, lab, 20, allStates...); len(got) != 1 || !strings.HasSuffix(got[0], " received") {
		t.Errorf("got %q", got)
	}
}

func recentChanges(t *testing.T, db *catalogdb.DB) {
	create(t, db, catalog.Settings{Repository: lab})
	declare(t, db, jammy)
	for i := range 3 {
		_, err := db.ChangeSettings(t.Context(), tools, after(time.Duration(i+1)*time.Minute), func(s *catalog.Settings) error {
			s.Description = fmt.Sprint("text ", i)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	changes, err := db.RecentChanges(t.Context(), tools, 2)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range changes {
		got = append(got, fmt.Sprint(e.At.Sub(start), " ", e.Action, " ", e.Target, " ", e.Detail))
	}
	want := []string{`3m0s repo.set acme/tools description: "text 2", was "text 1"`, `2m0s repo.set acme/tools description: "text 1", was "text 0"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	all, err := db.RecentChanges(t.Context(), tools, 100)
	if err != nil || slices.ContainsFunc(all, func(e catalog.AuditEntry) bool { return e.Target == lab.String() }) {
		t.Errorf("got %v, %v", all, err)
	}
}
