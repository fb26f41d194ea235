package catalogdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// checkFront queues what there is, and fails unless the front page alone is due, or nothing is. It ends that.
func checkFront(t *testing.T, db *catalogdb.DB, fact string, now time.Time, want bool) {
	t.Helper()
	queuePages(t, db, 100, now)
	w, taken, err := db.TakePages(t.Context(), tools, lease, 100, now)
	if err != nil || taken != want || w.Front != want || len(w.Requests) > 0 {
		t.Errorf("%s: taken %t, %+v, %v; want %t", fact, taken, w, err, want)
	}
	if taken {
		endPages(t, db, w, nil, now)
	}
}

func frontDue(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	checkFront(t, db, "nothing has changed", seconds(1), false)
	if err := db.RecordGivenKeys(t.Context(), tools, "ABC"); err != nil {
		t.Fatal(err)
	}
	checkFront(t, db, "clients are given other keys", seconds(2), true)
	if err := db.SaveKeyList(t.Context(), 3, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	checkFront(t, db, "another list of keys", seconds(3), true)
	changeTokens(t, db, catalog.Token{Name: "host", SHA256: "11"})
	checkFront(t, db, "other settings", seconds(4), true)
	raise(t, db, jammy)
	checkFront(t, db, "a revision that is not published", seconds(5), false)
	publishLatest(t, db, seconds(6), jammy)
	checkFront(t, db, "a revision of the same packages", seconds(6), true)
	if err := db.RecordGivenKeys(t.Context(), tools, "DEF"); err != nil {
		t.Fatal(err)
	}
	queuePages(t, db, 9, seconds(7))
	w := takePages(t, db, seconds(8))
	if err := db.RecordGivenKeys(t.Context(), tools, "GHI"); err != nil {
		t.Fatal(err)
	}
	queuePages(t, db, 9, seconds(9))
	endPages(t, db, w, nil, seconds(10))
	checkFront(t, db, "keys that changed while the page was made", seconds(11), true)
	checkFront(t, db, "in the end", seconds(12), false)
}

// raise issues another revision of a release.
func raise(t *testing.T, db *catalogdb.DB, r catalog.Release) {
	t.Helper()
	if _, raised, err := db.RaiseGeneration(t.Context(), r, stateOf(t, db, r).Revision, start); err != nil || !raised {
		t.Fatal(raised, err)
	}
}

func frontFails(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	comes(t, db, "2", seconds(1))
	w := takePages(t, db, seconds(2))
	if w.Front {
		t.Error("the front page is due for itself")
	}
	endPages(t, db, w, map[int64]string{0: "why"}, seconds(3))
	if s := pageState(t, db); s.Fault != "why" || s.Requests != 0 || s.Oldest == nil || !s.Oldest.Equal(seconds(3)) {
		t.Errorf("after it failed: %+v", s)
	}
	checkPagesBehind(t, db, "before its next attempt", seconds(12))
	w = takePages(t, db, seconds(13))
	endPages(t, db, w, map[int64]string{0: "again"}, seconds(13))
	checkPagesBehind(t, db, "before its third attempt", seconds(32))
	checkFront(t, db, "its third attempt", seconds(33), true)
	if s := pageState(t, db); s.Fault != "" || s.Oldest != nil {
		t.Errorf("in the end: %+v", s)
	}
}

// asksOfAll returns how often all pages of tools were asked for, as the audit log has it.
func asksOfAll(t *testing.T, db *catalogdb.DB) (n int) {
	t.Helper()
	for _, line := range logOf(t, db, "acme/tools", start) {
		if strings.Contains(line, "|reindex --pages|") {
			n++
		}
	}
	return n
}

func pagesWhole(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	declare(t, db, noble)
	pushAll(t, db, deb(noble, "other", "1"), deb(noble, "hello", "1"), deb(noble, "a", "1"))
	publishLatest(t, db, seconds(1), noble)
	checkRequested(t, db, "another distribution", seconds(1), "a +1s", "hello +1s", "other +1s")
	if _, err := db.PutPageName(t.Context(), tools, catalogdb.PageName{Name: "gone", At: start}); err != nil {
		t.Fatal(err)
	}
	all := func(fact string, now time.Time, mark string) {
		t.Helper()
		if _, err := db.QueuePages(t.Context(), 3, now); err != nil {
			t.Fatal(err)
		}
		if s := pageState(t, db); !s.Whole || s.Requests != 3 || s.Oldest != nil && !s.Oldest.Equal(now) {
			t.Errorf("%s: %+v", fact, s)
		}
		w := checkRequested(t, db, fact, now, "a "+mark, "gone "+mark, "hello "+mark, "other "+mark)
		if !w.Front {
			t.Errorf("%s: the front page is not due", fact)
		}
		if s := pageState(t, db); s.Whole || s.Requests != 0 || s.Oldest != nil {
			t.Errorf("%s, in the end: %+v", fact, s)
		}
		checkRequested(t, db, fact+", once", now)
	}
	setVisibility := func(v catalog.Visibility) {
		t.Helper()
		if _, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
			s.Visibility = v
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // requests for all pages are one
		if err := db.AskPages(t.Context(), []catalog.Repository{tools}, seconds(2)); err != nil {
			t.Fatal(err)
		}
	}
	all("asked for", seconds(2), "+2s")
	setVisibility(catalog.Private)
	all("it is private", seconds(3), "+3s")
	setVisibility(catalog.Public)
	all("it is public", seconds(4), "+4s")
	if err := db.Exec(t.Context(), `UPDATE page_states SET renderer = 0`); err != nil { // as an earlier version left it
		t.Fatal(err)
	}
	all("the program makes other pages", seconds(5), "+5s")
	if n := asksOfAll(t, db); n != 2 {
		t.Errorf("the audit log has %d requests, want 2", n)
	}
}

// Pages that are asked for while all are being queued are queued once more.
func pagesWholeAgain(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "a", "1"), deb(jammy, "b", "1"), deb(jammy, "c", "1"))
	publishLatest(t, db, start, jammy)
	checkRequested(t, db, "at first", start, "a +0s", "b +0s", "c +0s")
	ask := func() {
		t.Helper()
		if err := db.AskPages(t.Context(), []catalog.Repository{tools}, start); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if _, err := db.QueuePages(t.Context(), 2, seconds(1)); err != nil {
		t.Fatal(err)
	}
	w := takePages(t, db, seconds(1))
	endPages(t, db, w, nil, seconds(1))
	ask()
	if diff := cmp.Diff([]string{"a +1s", "b +1s"}, requested(w)); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	checkRequested(t, db, "the rest, and all again", seconds(2), "c +2s", "a +2s", "b +2s")
}

func pageChanges(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	old, hello, gone := deb(jammy, "old", "1"), deb(jammy, "hello", "1"), deb(noble, "gone", "1")
	pushAll(t, db, old, hello, gone, deb(noble, "bye", "1"))
	publish(t, db, jammy, 2, seconds(1))
	publish(t, db, noble, 3, seconds(2))
	publish(t, db, jammy, 3, seconds(3))
	yankAll(t, db, selectorOf(gone))
	yankAll(t, db, selectorOf(old))
	publishLatest(t, db, seconds(4), noble)
	pushAll(t, db, deb(jammy, "hidden", "1"))
	check := func(fact string, limit int, want ...string) {
		t.Helper()
		f, err := db.PageFront(t.Context(), tools, limit)
		var got []string
		for _, c := range f.Changes {
			got = append(got, c.Release.Distribution.Version+" "+c.Package.Name+" "+string(c.Package.State)+" "+c.At.Sub(start).String())
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
	}
	// The withdrawal of old is not published, nor is hidden.
	check("all", 9, "noble gone yanked 4s", "jammy hello active 3s", "noble bye active 2s")
	check("some", 2, "noble gone yanked 4s", "jammy hello active 3s")
	check("none", 0)
	f, err := db.PageFront(t.Context(), tools, 1)
	if err != nil {
		t.Fatal(err)
	}
	var newest []string
	for _, c := range f.Newest {
		newest = append(newest, c.Release.Distribution.Version+" "+c.Package.Name)
	}
	if diff := cmp.Diff([]string{"noble gone", "jammy hello"}, newest); diff != "" {
		t.Errorf("the newest of each release (-want +got):\n%s", diff)
	}
	if err := db.Removed(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	check("without those whose file is deleted", 9, "jammy hello active 3s", "noble bye active 2s")

	f, err = db.PageFront(t.Context(), tools, 0)
	if err != nil || f.Settings.Revision.Number != 2 || len(f.Releases) != 2 {
		t.Fatalf("front: %+v, %v", f, err)
	}
	at := seconds(4)
	revisions, err := db.KnowsRevision(t.Context(), noble, f.Releases[1].Revision)
	if want := (catalogdb.PageRelease{Release: noble, Revision: f.Releases[1].Revision, Since: &at}); err != nil || !revisions || f.Releases[1].Revision.Number != 4 {
		t.Errorf("release (-want +got):\n%s", cmp.Diff(want, f.Releases[1]))
	}
	if got := f.Releases[0]; got.Release != jammy || got.Revision.Number != 3 || !got.Since.Equal(seconds(3)) {
		t.Errorf("release %+v", got)
	}
}

func publicRepositories(t *testing.T, db *catalogdb.DB) {
	empty := catalog.Repository{Owner: "zed", Name: "empty"}
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: empty, Description: "nothing yet"}, start); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "secret"}, Visibility: catalog.Private}, start); err != nil {
		t.Fatal(err)
	}
	for _, r := range []catalog.Release{jammy, noble, el9} {
		declare(t, db, r)
	}
	got, err := db.PublicRepositories(t.Context())
	want := []catalogdb.PublicRepository{{Repository: tools, Formats: []catalog.Format{catalog.DEB, catalog.RPM}}, {Repository: empty, Description: "nothing yet"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
