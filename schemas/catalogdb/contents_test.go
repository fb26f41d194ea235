package catalogdb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// takeContents takes what waits longest, for ten minutes; "" if nothing does.
func takeContents(t *testing.T, db *catalogdb.DB, now time.Time) (w catalogdb.WantedContents, what string) {
	t.Helper()
	w, taken, err := db.TakeContents(t.Context(), true, now, now.Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if taken {
		what = fmt.Sprintf("%s %s %d", w.Name, w.Version, w.Attempts)
		if w.Gone {
			what += " gone"
		}
	}
	return w, what
}

func checkTaken(t *testing.T, db *catalogdb.DB, now time.Time, want string) catalogdb.WantedContents {
	t.Helper()
	w, got := takeContents(t, db, now)
	if got != want {
		t.Errorf("took %q, want %q", got, want)
	}
	return w
}

func wantContents(t *testing.T, db *catalogdb.DB, packages ...catalog.Package) {
	t.Helper()
	if err := db.WantContents(t.Context(), tools, packages); err != nil {
		t.Fatal(err)
	}
}

func contentsTaken(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	hello, later, other := deb(jammy, "hello", "1"), deb(jammy, "later", "1"), rpm(el9, "hello", "1-1", "x86_64")
	later.Uploaded = after(time.Second)
	pushAll(t, db, hello, later, other)
	for range 2 {
		wantContents(t, db, later, hello, hello, other)
	}
	if n, err := db.CountWantedContents(t.Context()); n != 2 || err != nil {
		t.Errorf("%d wait, %v; want 2: an RPM has its list in its row", n, err)
	}
	w := checkTaken(t, db, after(time.Minute), "hello 1 1")
	want := hello
	want.State, want.Stanza = catalog.Active, nil
	if diff := cmp.Diff(want, w.Package); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	checkTaken(t, db, after(time.Minute), "later 1 1")
	checkTaken(t, db, after(time.Minute), "")
	if err := db.ReturnContents(t.Context(), w, after(time.Minute)); err != nil {
		t.Fatal(err)
	}
	checkTaken(t, db, after(time.Minute), "hello 1 1")
	kept, err := db.PutContents(t.Context(), tools, hello.File.SHA256, catalogdb.Contents{Files: 3, Changelog: "new"}, after(time.Minute))
	again, err2 := db.PutContents(t.Context(), tools, hello.File.SHA256, catalogdb.Contents{Files: 3, Changelog: "new"}, after(time.Minute))
	if !kept || !again || errors.Join(err, err2) != nil {
		t.Errorf("kept %v, %v; %v, %v", kept, again, err, err2)
	}
	checkTaken(t, db, after(11*time.Minute), "later 1 2") // whose reader ended
	wantContents(t, db, hello, later)                     // both are known
	checkTaken(t, db, after(12*time.Minute), "")
}

func contentsAskForPage(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	hello := deb(jammy, "hello", "1")
	wantContents(t, db, hello)
	checkTaken(t, db, after(time.Minute), "hello 1 1")
	if _, err := db.PutContents(t.Context(), tools, hello.File.SHA256, catalogdb.Contents{Files: 3}, after(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w := takePages(t, db, after(2*time.Minute))
	if len(w.Requests) != 1 || w.Requests[0].Version != "1" || !w.Requests[0].Alone || w.Front {
		t.Errorf("contents ask for %+v, want the page of the version alone", w)
	}
	hello.Arch = "arm64"
	pushAll(t, db, hello)
	publishLatest(t, db, after(3*time.Minute), jammy)
	queuePages(t, db, 100, after(3*time.Minute))
	endPages(t, db, w, nil, after(4*time.Minute))
	if w = takePages(t, db, after(5*time.Minute)); len(w.Requests) != 1 || w.Requests[0].Alone {
		t.Errorf("a package that came meant %+v, want all pages that have it", w.Requests)
	}
}

func contentsFail(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	broken, deadly, fine := deb(jammy, "broken", "1"), deb(jammy, "deadly", "1"), deb(jammy, "fine", "1")
	pushAll(t, db, broken, deadly, fine)
	wantContents(t, db, broken)
	now := after(0)
	for n := range catalogdb.MaxContentsAttempts {
		w := checkTaken(t, db, now, fmt.Sprintf("broken 1 %d", n+1))
		if err := db.FailContents(t.Context(), w, "not read: the bucket is away", false, now, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		checkTaken(t, db, now.Add(59*time.Minute), "")
		now = now.Add(time.Hour)
	}
	checkTaken(t, db, now.Add(time.Hour), "")
	wantContents(t, db, deadly)
	for n := range catalogdb.MaxContentsAttempts { // its reader ends without a word
		checkTaken(t, db, now, fmt.Sprintf("deadly 1 %d", n+1))
		now = now.Add(10 * time.Minute)
	}
	wantContents(t, db, fine)
	checkTaken(t, db, now, "fine 1 1")
	wantContents(t, db, broken, deadly)
	checkTaken(t, db, now.Add(time.Hour), "fine 1 2")
	if err := db.AskPages(t.Context(), []catalog.Repository{tools}, now); err != nil {
		t.Fatal(err)
	}
	var again []string
	for range 3 {
		_, what := takeContents(t, db, now.Add(time.Hour))
		again = append(again, what)
	}
	slices.Sort(again)
	if diff := cmp.Diff([]string{"", "broken 1 1", "deadly 1 1"}, again); diff != "" {
		t.Errorf("taken after all pages were asked for (-want +got):\n%s", diff)
	}
}

func contentsSkipped(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	large := deb(jammy, "large", "1")
	pushAll(t, db, large)
	wantContents(t, db, large)
	checkTaken(t, db, after(0), "large 1 1")
	if _, err := db.PutContents(t.Context(), tools, large.File.SHA256, catalogdb.Contents{Why: "not read: larger than 1 MiB"}, after(0)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		limit int64
		want  string
	}{{large.File.Size - 1, ""}, {large.File.Size, "large 1 1"}} {
		if err := db.WantSkippedContents(t.Context(), tt.limit, after(0)); err != nil {
			t.Fatal(err)
		}
		checkTaken(t, db, after(time.Hour), tt.want)
	}
}

func contentsGo(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	hello, twin := deb(jammy, "hello", "1"), deb(noble, "hello", "1")
	pushAll(t, db, hello, twin)
	publish(t, db, jammy, 1, start)
	publish(t, db, noble, 1, start)
	wantContents(t, db, hello, twin)
	w := checkTaken(t, db, after(0), "hello 1 1")
	remove := func(k catalog.Package) {
		t.Helper()
		yankAll(t, db, selectorOf(k))
		if err := errors.Join(db.Removing(t.Context(), k), db.Removed(t.Context(), k)); err != nil {
			t.Fatal(err)
		}
	}
	remove(hello)
	checkTaken(t, db, after(time.Hour), "hello 1 2") // noble has the file
	remove(twin)
	if _, taken, err := db.TakeContents(t.Context(), false, after(time.Hour), after(2*time.Hour)); taken || err != nil {
		t.Errorf("taken %v, %v: its reader may not have ended", taken, err)
	}
	if kept, err := db.PutContents(t.Context(), tools, w.File.SHA256, catalogdb.Contents{Files: 1}, start); kept || err != nil {
		t.Errorf("kept %v, %v: its file is gone", kept, err)
	}
	gone, taken, err := db.TakeContents(t.Context(), false, after(3*time.Hour), after(4*time.Hour))
	if !taken || !gone.Gone || gone.File.SHA256 != hello.File.SHA256 || err != nil {
		t.Fatalf("took %v %v, %v", taken, gone, err)
	}
	wantContents(t, db, twin) // it is pushed again
	if err := db.ForgetContents(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	checkTaken(t, db, after(3*time.Hour), "")
	if w := checkTaken(t, db, after(5*time.Hour), "hello 1 1"); w.Key != "" {
		t.Errorf("its file is at %q, want none", w.Key)
	}
	if n, err := db.CountWantedContents(t.Context()); n != 1 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

func contentsForgotten(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	publish(t, db, jammy, 1, start)
	wantContents(t, db, hello)
	yankAll(t, db, selectorOf(hello))
	if err := errors.Join(db.Removing(t.Context(), hello), db.Removed(t.Context(), hello)); err != nil {
		t.Fatal(err)
	}
	gone := checkTaken(t, db, after(time.Hour), "hello 1 1 gone")
	if err := db.ForgetContents(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	checkTaken(t, db, after(2*time.Hour), "")
	if kept, err := db.PutContents(t.Context(), tools, hello.File.SHA256, catalogdb.Contents{Changelog: strings.Repeat("x", 8<<10)}, start); kept || err != nil {
		t.Errorf("kept %v, %v", kept, err)
	}
}

func contentsConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	var all []catalog.Package
	for n := range 12 {
		all = append(all, deb(jammy, fmt.Sprintf("p%02d", n), "1"))
	}
	pushAll(t, db, all...)
	var working sync.WaitGroup
	var taken atomic.Int64
	errs := make([]error, 3)
	for i := range errs {
		working.Go(func() {
			if errs[i] = db.WantContents(t.Context(), tools, all); errs[i] != nil {
				return
			}
			for {
				_, ok, err := db.TakeContents(t.Context(), true, after(0), after(time.Minute))
				if errs[i] = err; !ok || err != nil {
					return
				}
				taken.Add(1)
			}
		})
	}
	working.Wait()
	if err := errors.Join(errs...); err != nil || taken.Load() != int64(len(all)) {
		t.Errorf("%d taken of %d, %v", taken.Load(), len(all), err)
	}
}
