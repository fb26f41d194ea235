package pipelines_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// One run of a worker publishes a package, makes its page, reads its contents, and makes the page again.
func TestContentsComeOntoPages(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	s.push(jammy, withChangelog("hello"))
	s.once()
	k := s.everything()[0]
	s.wantRead(k)
	page, err := os.ReadFile(s.pathOf(layout.VersionPageKey(k.Repository, k.Name, k.Version)))
	s.must(err)
	for _, want := range []string{"_files/" + k.File.SHA256 + ".html", "&lt;script&gt;alert(1)&lt;/script&gt;"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page of the version has no %s:\n%s", want, page)
		}
	}
}

func TestPagesSayWhichContentsWereNotRead(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1000)
	s.push(jammy, withChangelog("hello"))
	s.once()
	k := s.everything()[0]
	page, err := os.ReadFile(s.pathOf(layout.VersionPageKey(k.Repository, k.Name, k.Version)))
	s.must(err)
	if !strings.Contains(string(page), "files not read: larger than 1000 bytes") || strings.Contains(string(page), "_files/") {
		t.Errorf("the page of the version is\n%s", page)
	}
}

// A bucket that has lost the lists of files of DEBs gets them again with all pages.
func TestLostListsOfFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	s.push(jammy, withChangelog("hello"))
	s.once()
	k := s.everything()[0]
	s.wantRead(k)
	list, page := s.pathOf(layout.FilesPageKey(k.Repository, k.Name, k.File.SHA256)), s.pathOf(layout.VersionPageKey(k.Repository, k.Name, k.Version))
	before, err := os.ReadFile(page)
	s.must(err)
	s.must(os.Remove(list))
	s.must(s.Catalog.AskPages(t.Context(), []catalog.Repository{k.Repository}, time.Now()))
	s.once()
	s.wantRead(k)
	after, err := os.ReadFile(page)
	s.must(err)
	if _, err := os.Stat(list); err != nil || string(after) != string(before) {
		t.Errorf("after that, %v; the page is\n%s", err, after)
	}
}
