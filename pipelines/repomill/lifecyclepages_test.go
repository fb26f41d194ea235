package main_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// saysOnPage waits until a page has texts, and lacks those that begin with "!".
func (s *site) saysOnPage(t *testing.T, path string, texts ...string) (body string) {
	t.Helper()
	proctest.Eventually(t, path+" says "+strings.Join(texts, ", "), func() bool {
		status, b := get(t, s.url+path)
		body = string(b)
		return status == http.StatusOK && !slices.ContainsFunc(texts, func(text string) bool {
			absent, not := strings.CutPrefix(text, "!")
			return strings.Contains(body, absent) == not
		})
	})
	return body
}

// What is done to packages and repositories is on the pages, and who did it is not; nor is what a release train holds.
func TestPagesFollowTheLifeOfPackages(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, front = "acme/paged", "acme/paged/ubuntu/jammy", "/acme/paged/"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/paged/el/9", newRPM(t, rpmtest.Spec{}))
	s.saysOnPage(t, front, "Versions stay until they are withdrawn", "hello", "!snapshot")
	taken := s.snapshot(t, repository, "--name", "r1", "--keep", "90d", "--by", "jane-of-release")
	s.hold(t, "hush-5", jammy, newDEB(t, debtest.Spec{Name: "hushed", Version: "5.0"}))
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	s.does(t, 0, "", "yank", repository, "hello=1.0", "--reason", "deletes files", "--by", "jane-of-release")
	second := s.snapshot(t, jammy, "--by", "jane-of-release")

	s.saysOnPage(t, front+"snapshots/", taken.ID, "r1", second.ID, "1 came, 1 went", "2 snapshots")
	s.saysOnPage(t, front+"snapshots/index.json", `"id":"`+taken.ID+`"`, `"name":"r1"`, `"packages":1,"came":1,"went":1`)
	page := s.saysOnPage(t, front+"snapshots/"+taken.ID+"/", "apt-get update --snapshot "+taken.ID, "el/9/x86_64", "$basearch")
	for _, name := range []string{"ubuntu/jammy.sources", "el/9.repo"} {
		url := regexp.MustCompile(`http://[^ ]*/snapshots/[^ ]*/` + regexp.QuoteMeta(name)).FindString(page)
		if status, body := get(t, url); status != http.StatusOK || !strings.Contains(string(body), "/snapshots/"+taken.ID+"/") {
			t.Errorf("%s of the page is answered with %d, %s", url, status, body)
		}
	}
	if _, body := get(t, s.url+front+"snapshots/r1/"); string(body) != page {
		t.Errorf("by its name, the page is another one:\n%s", body)
	}
	s.saysOnPage(t, front, "2 snapshots", second.ID)
	s.saysOnPage(t, front+"p/hello/1.0/", "deletes files", "Snapshots</a> that were taken while it was published have it")
	s.saysOnPage(t, front+"p/hello/2.0/", "those since it was published")

	s.does(t, 0, "", "retain", "set", repository, "--newest", "3", "--keep", "hello=2.*")
	s.does(t, 0, "", "snapshot", "schedule", repository, "weekly", "--keep", "5")
	s.saysOnPage(t, front, "Keeps the newest 3 versions of each package, all that came within the last 14 days, and <code>hello=2.*</code>", "The rule is paused",
		"A snapshot is taken each week; the newest 5 of these are kept", "3 snapshots")
	s.saysOnPage(t, front+"index.json", `"rules":["newest 3","keep hello=2.*"]`)
	s.does(t, 0, "", "snapshot", "delete", repository, "r1")
	s.saysOnPage(t, front+"snapshots/", "!"+taken.ID, second.ID, "2 snapshots")
	if status, _ := get(t, s.url+front+"snapshots/"+taken.ID+"/"); status != http.StatusNotFound {
		t.Errorf("the page of a snapshot that was deleted is answered with %d", status)
	}
	for _, secret := range []string{"jane-of-release", "hushed", "hush-5"} {
		for _, key := range s.objects(t, repository+"/") {
			if b, err := os.ReadFile(s.data + "/bucket/" + key); err == nil && !strings.HasPrefix(key, ".") && strings.Contains(string(b), secret) && !strings.HasSuffix(key, ".deb") {
				t.Errorf("%s says %s", key, secret)
			}
		}
	}

	s.does(t, 0, "", "train", "drop", "acme/hush-5")
	s.does(t, 0, "", "repo", "delete", repository, "--yes", "--by", "jane-of-release")
	s.saysOnPage(t, front, "<strong>Deleted</strong>", "It can be brought back until", "!jane-of-release", "!newest 3", "!each week", "2 snapshots")
	s.does(t, 0, "", "repo", "undelete", repository)
	s.saysOnPage(t, front, "!<strong>Deleted</strong>", "newest 3")
	s.publish(t, "acme/beside-paged/ubuntu/jammy", newDEB(t, debtest.Spec{})) // the check of the site wants a release
	s.does(t, 0, "", "repo", "delete", repository, "--yes", "--undo-period", "0s", "--no-wait")
	proctest.Eventually(t, "all pages are removed", func() bool {
		return slices.Equal(s.objects(t, repository+"/"), []string{".repomill/acme/paged.json"})
	})
}
