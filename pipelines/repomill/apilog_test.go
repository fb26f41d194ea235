package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// Callers of the API read the log of a repository, in pages, and without what they have no right to learn.
func TestLogByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, path = "apilog/tools", "apilog/tools/ubuntu/jammy", "/api/v1/repos/apilog/tools/log"
	s.does(t, 0, "", "repo", "create", "--visibility", "private", "apilog/secretname", "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "log1"}), newDEB(t, debtest.Spec{Name: "log2"}))
	s.does(t, 0, "", "promote", jammy, "apilog/secretname/ubuntu/jammy", "log1")
	s.does(t, 0, "", "yank", jammy, "log2=1.0", "--reason", "broken", "--by", "kim")
	s.embargo(t, "apilog19", jammy, newDEB(t, debtest.Spec{Name: "hush"}))
	if a, _ := s.push(t, jammy, newDEB(t, debtest.Spec{Name: "hush", Files: map[string]string{"usr/share/other": "x"}})); a.Code != 1 {
		t.Errorf("a reserved name is pushed: %v", a)
	}
	manage, push, other := apiToken(t, s.data, "apilog", "release", "manage"), apiToken(t, s.data, repository, "ci", "push"), apiToken(t, s.data, "otherlog", "ci", "manage")
	read := apiToken(t, s.data, repository, "look", "read")
	all := func(who string, form url.Values) (lines []string) {
		t.Helper()
		for pages := 0; ; pages++ {
			var page struct {
				Repository, Next string
				Entries          []catalog.AuditEntry
			}
			status, body := s.ask(t, http.MethodGet, who, path+"?"+form.Encode(), "")
			if err := json.Unmarshal([]byte(body), &page); status != 200 || err != nil || page.Repository != repository || pages > 100 {
				t.Fatalf("%v: %d %s, %v", form, status, body, err)
			}
			for _, e := range page.Entries {
				lines = append(lines, strings.Join([]string{e.By, string(e.Action), e.Target, e.Detail, e.Why}, "|"))
			}
			if page.Next == "" {
				return lines
			}
			form.Set("cursor", page.Next)
		}
	}
	whole := all(manage, url.Values{})
	text := strings.Join(whole, "\n")
	for _, want := range []string{"kim|package.yank|" + jammy + "/main|log2 1.0 all|broken", "package.promote", "secretname", "upload|" + jammy, "reserved"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "embargo") {
		t.Errorf("the log of the repository has what is its owner's:\n%s", text)
	}
	if got := all(manage, url.Values{"limit": {"1"}}); !slices.Equal(got, whole) {
		t.Errorf("in pages of one:\n%s\nwant\n%s", strings.Join(got, "\n"), text)
	}
	if got := all(manage, url.Values{"package": {"log2=*"}, "distribution": {"ubuntu/jammy"}}); len(got) != 2 || !strings.Contains(got[1], "package.yank") {
		t.Errorf("of one package the log has %q", got)
	}
	if got := strings.Join(all(push, url.Values{}), "\n"); strings.Contains(got, "secretname") || !strings.Contains(got, "another repository") || !strings.Contains(got, "reserved") {
		t.Errorf("one who pushes reads:\n%s", got)
	}
	calls := s.apiCalls(t)
	calls(http.MethodGet, read, path, "", 401, "only opens a repository to clients")
	calls(http.MethodGet, other, path, "", 404, "there is no repository")
	calls(http.MethodPost, manage, path, "", 405, "use GET")
	calls(http.MethodGet, manage, path+"?since=soon", "", 422, `{"since":[`)
	calls(http.MethodGet, manage, path+"?limit=0", "", 422, "use a number from 1 to 1000")
	calls(http.MethodGet, manage, path+"?cursor=1-2.3", "", 422, "use what the page before has in next")
	calls(http.MethodGet, manage, path+"?package=a=", "", 422, `{"package":[`)
	calls(http.MethodGet, manage, path+"?name=log2", "", 422, "this call has no such field: use since, distribution, package, cursor, limit")
	s.does(t, 0, "", "train", "drop", "apilog/apilog19")
}
