package catalogdb_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalogdb"
)

func contentsOnPages(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello, large := deb(jammy, "hello", "1"), deb(jammy, "hello", "2")
	pushAll(t, db, hello, large)
	publish(t, db, jammy, 3, start)
	check := func(fact string, want map[string]*catalogdb.Contents) {
		t.Helper()
		all, err := db.PagePackages(t.Context(), tools, "hello", nil, true)
		got := map[string]*catalogdb.Contents{}
		for _, k := range all {
			got[k.Version] = k.Contents
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", fact, err, diff)
		}
	}
	check("nothing is known", map[string]*catalogdb.Contents{"1": nil, "2": nil})
	wantContents(t, db, hello, large)
	check("they are wanted", map[string]*catalogdb.Contents{"1": nil, "2": nil})
	queueAll := func() (versions []string) {
		t.Helper()
		w, taken, err := db.TakePages(t.Context(), tools, lease, 100, after(0))
		if err != nil || !taken {
			return nil
		}
		for _, r := range w.Requests {
			versions = append(versions, r.Name+" "+r.Version)
		}
		if err := db.EndPages(t.Context(), w, nil, after(0)); err != nil {
			t.Fatal(err)
		}
		return versions
	}
	for queued := 1; queued > 0; {
		var err error
		if queued, err = db.QueuePages(t.Context(), 100, after(0)); err != nil {
			t.Fatal(err)
		}
	}
	for len(queueAll()) > 0 {
	}
	read, skipped := catalogdb.Contents{Files: 2, Changelog: "new"}, catalogdb.Contents{Why: "not read: larger than 1 MiB"}
	for k, c := range map[string]catalogdb.Contents{hello.File.SHA256: read, large.File.SHA256: skipped} {
		if kept, err := db.PutContents(t.Context(), tools, k, c, after(0)); !kept || err != nil {
			t.Fatal(kept, err)
		}
	}
	check("they are known", map[string]*catalogdb.Contents{"1": &read, "2": &skipped})
	asked := queueAll()
	slices.Sort(asked)
	if diff := cmp.Diff([]string{"hello 1", "hello 2"}, asked); diff != "" {
		t.Errorf("pages that are asked for (-want +got)\n%s", diff)
	}
}
