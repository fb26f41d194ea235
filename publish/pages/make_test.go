package pages_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

func TestPagesOfAPush(t *testing.T) {
	w := newWorld(t)
	hello, tool := pkg{jammy, "hello", "2.10-3", "says hello"}, pkg{el9, "tool", "1.0", "a tool"}
	w.push(hello, tool)
	w.publish()
	w.push(pkg{jammy, "secret", "1.0", "not published yet"}) // rows that are ahead of the pointer
	w.make(w.maker())

	w.want(layout.VersionPageKey(tools, "hello", "2.10-3"), "says hello", "2.10-3", "ubuntu")
	w.want(layout.VersionPageKey(tools, "tool", "1.0-1"), "a tool", "_files/")
	w.want(layout.NamePageKey(tools, "hello"), "2.10-3/", "says hello")
	w.want(layout.NameTwinKey(tools, "hello"), `"2.10-3"`, `"hello"`)
	w.want(layout.NameFeedKey(tools, "hello"), "2.10-3")
	w.want(layout.NamesPageKey(tools, -1, ""), "hello", "tool", "!secret")
	w.want(layout.NamesTwinKey(tools, -1, ""), "hello", "tool", "!secret")
	w.want(layout.FrontPageKey(tools), "hello", "acme/tools", "!secret")
	w.want(layout.FrontTwinKey(tools), `"packages"`, "!secret")
	w.want(layout.FeedKey(tools), "hello", "!secret")
	w.want(layout.StatusKey(tools), jammy.String(), el9.String(), `"verified":`, "!null")
	w.want(layout.RootPageKey, "acme/tools")
	w.want(layout.OwnerPageKey("acme"), "acme/tools")
	w.wantNone(layout.NamePageKey(tools, "secret"), layout.VersionPageKey(tools, "secret", "1.0"))
	row := w.row(tool)
	w.want(layout.FilesPageKey(tools, "tool", row.File.SHA256), "/usr/bin/tool")

	before := w.pages()
	if done, _ := w.make(w.maker()); done.Written > 0 {
		t.Errorf("with nothing to do it did: %s", done)
	}
	w.ask()
	if done, _ := w.make(w.maker()); done.Written+done.Removed > 0 || done.Same == 0 {
		t.Errorf("all pages again: %s", done)
	}
	if diff := cmp.Diff(before, w.whole()); diff != "" {
		t.Errorf("all pages from nothing (-before +after):\n%s", diff)
	}
}

func TestPagesOfAWithdrawal(t *testing.T) {
	w := newWorld(t)
	hello, tool := pkg{jammy, "hello", "1.0", "says hello"}, pkg{el9, "tool", "1.0", "a tool"}
	w.push(hello, tool, pkg{jammy, "hello", "2.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	files := layout.FilesPageKey(tools, "tool", w.row(tool).File.SHA256)
	w.want(files)

	w.withdraw(hello)
	w.withdraw(tool)
	w.make(m)
	w.want(layout.VersionPageKey(tools, "hello", "1.0"), "!broken &lt;b&gt;") // clients see it yet
	w.publish()
	w.make(m)
	w.want(layout.VersionPageKey(tools, "hello", "1.0"), "broken &lt;b&gt;", "!broken <b>")
	w.want(layout.VersionPageKey(tools, "tool", "1.0-1"), "broken &lt;b&gt;")
	w.want(layout.NamePageKey(tools, "hello"), "withdrawn", "2.0")

	if n := w.removeWithdrawn(); n != 2 {
		t.Fatalf("%d files were removed, want 2", n)
	}
	w.make(m)
	w.wantNone(layout.VersionPageKey(tools, "hello", "1.0"), layout.VersionPageKey(tools, "tool", "1.0-1"), files,
		layout.NamePageKey(tools, "tool"), layout.NameTwinKey(tools, "tool"), layout.NameFeedKey(tools, "tool"))
	w.want(layout.NamePageKey(tools, "hello"), "2.0", "!1.0/")
	w.want(layout.NamesPageKey(tools, -1, ""), "hello", "!tool/")
}

// The feed of a repository has more changes than its front page.
func TestFeedOfManyChanges(t *testing.T) {
	w := newWorld(t)
	var some []pkg
	for n := range 60 {
		some = append(some, pkg{jammy, fmt.Sprintf("p%02d", n), "1.0", "says hello"})
	}
	w.push(some...)
	w.publish()
	w.make(w.maker())
	for key, want := range map[string]int{layout.FeedKey(tools): 50, layout.FrontPageKey(tools): 20} {
		body := string(w.bucket.Bytes(key))
		if n := max(strings.Count(body, "<entry>"), strings.Count(body, `/"><bdi>1.0</bdi>`)); n != want {
			t.Errorf("%s has %d changes, want %d", key, n, want)
		}
	}
}

// A page that is larger than what is compared does not stay as it is.
func TestPagesReplaceALargeObject(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	key := layout.NameTwinKey(tools, "hello")
	was := w.bucket.Bytes(key)
	w.bucket.Put(key, make([]byte, 11<<20))
	w.ask()
	if _, failures := w.make(m); failures > 0 || string(w.bucket.Bytes(key)) != string(was) {
		t.Errorf("%d failures; the object has %d bytes, want %d", failures, len(w.bucket.Bytes(key)), len(was))
	}
}

func TestPagesOfAPrivateRepository(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	w.want(layout.RootPageKey, "acme/tools")
	w.bucket.Writes()

	w.setVisibility(catalog.Private)
	w.make(m)
	written := w.bucket.Writes()
	if len(written) < 3 {
		t.Fatalf("written was %q", written)
	}
	for _, key := range written[:2] { // the public ones come first, in any order
		if key != layout.RootPageKey && key != layout.OwnerPageKey("acme") {
			t.Errorf("written was %q before the public pages", key)
		}
	}
	w.want(layout.RootPageKey, "!acme/tools")
	w.wantNone(layout.OwnerPageKey("acme"))
	w.want(layout.FrontPageKey(tools), "hello")

	w.setVisibility(catalog.Public)
	w.make(m)
	w.want(layout.RootPageKey, "acme/tools")
	w.want(layout.OwnerPageKey("acme"), "acme/tools")
}

func (w *world) setVisibility(v catalog.Visibility) {
	w.t.Helper()
	_, err := w.db.ChangeSettings(w.t.Context(), tools, w.at(), func(s *catalog.Settings) error { s.Visibility = v; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestStatusIsVerifiedEachHour(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"}, pkg{el9, "tool", "1.0", "a tool"})
	w.publish()
	m := w.maker()
	w.make(m)
	first := string(w.bucket.Bytes(layout.StatusKey(tools)))
	verify := func(after time.Duration) (written int) {
		t.Helper()
		w.pass(after)
		done, err := m.Verify(t.Context(), tools)
		if err != nil {
			t.Fatal(err)
		}
		return done.Written
	}
	if n := verify(time.Minute); n != 0 {
		t.Errorf("after a minute it was written %d times", n)
	}
	if n := verify(time.Hour); n != 1 || string(w.bucket.Bytes(layout.StatusKey(tools))) == first {
		t.Errorf("after an hour it was written %d times", n)
	}
	if got := verifiedAt.ReplaceAllString(string(w.bucket.Bytes(layout.StatusKey(tools))), ""); got != verifiedAt.ReplaceAllString(first, "") {
		t.Errorf("it says otherwise than before:\n%s\n%s", first, got)
	}
	// A pointer that is not what was published is not said to be good.
	good := w.bucket.Bytes(layout.PointerKey(jammy))
	w.bucket.Put(layout.PointerKey(jammy), append([]byte("x"), good...))
	last := w.at()
	verify(2 * time.Hour)
	w.bucket.Put(layout.PointerKey(jammy), good)
	body := string(w.bucket.Bytes(layout.StatusKey(tools)))
	if n := len(verifiedAt.FindAllString(body, -1)); n != 5 {
		t.Errorf("%d releases have been verified, want 5:\n%s", n, body)
	}
	for _, at := range []time.Time{last, w.at()} {
		w.want(layout.StatusKey(tools), `"`+at.UTC().Format(time.RFC3339)+`"`)
	}
}

// Contents were read: no page but that of the version says so, and no other is made.
func TestAPageAlone(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	version := layout.VersionPageKey(tools, "hello", "1.0")
	others := []string{layout.NamePageKey(tools, "hello"), layout.NamesPageKey(tools, -1, ""), layout.FrontPageKey(tools), layout.StatusKey(tools)}
	for _, key := range append(others, version) {
		w.bucket.Put(key, []byte("another"))
	}
	work := catalogdb.PageWork{Repository: tools, Requests: []catalogdb.PageRequest{{ID: 1, Name: "hello", Version: "1.0", Alone: true}}}
	if failed, done, err := m.Make(t.Context(), work); err != nil || len(failed) > 0 || done.Written != 1 {
		t.Errorf("%+v, %v, %v", done, failed, err)
	}
	w.want(version, "says hello")
	for _, key := range others {
		w.want(key, "another")
	}
	work.Requests = append(work.Requests, catalogdb.PageRequest{ID: 2, Name: "hello", Version: "1.0"})
	if failed, _, err := m.Make(t.Context(), work); err != nil || len(failed) > 0 {
		t.Errorf("%v, %v", failed, err)
	}
	for _, key := range others {
		w.want(key, "!another")
	}
}
