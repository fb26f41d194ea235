package main_test

import (
	"os"
	"strings"
	"testing"
)

func TestReindexPages(t *testing.T) {
	t.Parallel()
	s := sitePublished(t, "acme/tools")
	page := s.data + "/bucket/acme/tools/p/hello/index.html"
	s.does(t, 0, "", "reindex", "--pages", "acme/tools") // the site has stopped before it made those of the last package, perhaps
	before, err := os.ReadFile(page)
	if err == nil {
		err = os.Remove(page)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a := s.does(t, 0, "", "reindex", "--pages", "acme/tools"); a.Stdout != "acme/tools  pages made\n" {
		t.Errorf("it printed %q", a.Stdout)
	}
	after, err := os.ReadFile(page)
	if err != nil || string(after) != string(before) {
		t.Errorf("the page that was lost is another one: %v\n%s", err, after)
	}
	if a := s.does(t, 0, "", "reindex", "--pages", "--all", "--json"); a.Stdout != `{"repository":"acme/tools","made":true}`+"\n" {
		t.Errorf("it printed %q", a.Stdout)
	}
	log := s.does(t, 0, "", "log", "acme/tools")
	if !strings.Contains(log.Stdout, "--pages") {
		t.Errorf("the log does not say that all pages were asked for:\n%s", log.Stdout)
	}
	for _, tt := range []struct{ says, flag string }{
		{"leave one of them out", "--dry-run"},
		{"once with each", "--repair"},
		{"without --pages first", "--from=published"},
	} {
		s.does(t, 2, tt.says, "reindex", "--pages", "acme/tools", tt.flag)
	}
	s.does(t, 2, "use owner/name", "reindex", "--pages", "acme/tools/ubuntu/jammy")
	s.does(t, 2, "there is no acme/tool; did you mean acme/tools?", "reindex", "--pages", "acme/tool")
}
