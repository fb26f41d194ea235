package html_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	markup "golang.org/x/net/html"

	"repomill/publish/pages/html"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

var statusAt = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// statusNodes parses the page, and calls f for each element.
func statusNodes(t *testing.T, s model.StatusPage, f func(*markup.Node)) (text string) {
	t.Helper()
	body := html.New("https://packages.example").Status(s)
	root, err := markup.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for n := range root.Descendants() {
		switch n.Type {
		case markup.ElementNode:
			f(n)
		case markup.TextNode:
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}

func statusAttribute(n *markup.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestStatusOfAnEmptyRepository(t *testing.T) {
	t.Parallel()
	s := model.StatusPage{Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}}, At: statusAt}
	tables := 0
	text := statusNodes(t, s, func(n *markup.Node) {
		if n.Data == "table" {
			tables++
		}
	})
	for _, want := range []string{"Status of acme/tools", "No worker runs: nothing is published until one is started. None has been seen for a month.", "has no distribution yet", "No upload waits.",
		"No upload was rejected.", "Nothing was pushed yet.", "They are being counted.", "There is no signing key yet.", "Nothing was changed yet."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if tables != 0 {
		t.Errorf("it has %d tables", tables)
	}
}

// What the catalog has of pushers is text, and only links of the web are links.
func TestStatusShowsHostileTextAsText(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	at := statusAt.Add(-90 * time.Minute)
	row := func(job string) model.UploadStatus {
		return model.UploadStatus{File: evil + ".deb", Target: "acme/tools/ubuntu/jammy", State: catalog.Rejected, Reason: catalog.Empty, Detail: evil, Package: evil, Received: at, By: evil, Job: job}
	}
	s := model.StatusPage{
		Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}, Description: evil, Private: true}, At: statusAt,
		Releases:   []model.ReleaseStatus{{Release: "acme/tools/ubuntu/jammy", Latest: 2, Fault: evil}},
		Pushes:     []model.UploadStatus{row("https://ci.example/job/1?a=b&c=d"), row("javascript:alert(1)"), row("http://")},
		Rejections: []model.UploadStatus{row("data:text/html,x")},
		Downloads:  &model.DownloadsStatus{At: at, Since: "2026-11-01", Total: 1, Top: []model.DownloadCount{{Package: evil, Downloads: 1}}},
		Changes:    []model.ChangeStatus{{At: at, By: evil, Action: catalog.ActionYank, Target: evil, Detail: evil, Why: evil, Job: "https://user@ci.example/"}},
	}
	var outside []string
	scripts := 0
	text := statusNodes(t, s, func(n *markup.Node) {
		switch link := statusAttribute(n, "href"); {
		case n.Data == "script":
			scripts++
		case n.Data == "img" && statusAttribute(n, "alt") != "", statusAttribute(n, "onerror") != "", statusAttribute(n, "style") != "":
			t.Errorf("markup of a pusher: %v", n)
		case n.Data == "a" && strings.Contains(link, "//") && !strings.HasPrefix(link, "https://packages.example/"):
			outside = append(outside, link)
			if statusAttribute(n, "rel") != "nofollow noopener noreferrer" {
				t.Errorf("%s has rel %q", link, statusAttribute(n, "rel"))
			}
		case n.Data == "a" && strings.Contains(link, "javascript"), n.Data == "a" && strings.Contains(link, "data:"):
			t.Errorf("link %s", link)
		}
	})
	if scripts != 1 {
		t.Errorf("the page has %d scripts, want that of all pages alone", scripts)
	}
	if len(outside) != 1 || outside[0] != "https://ci.example/job/1?a=b&c=d" {
		t.Errorf("links to elsewhere: %q", outside)
	}
	if n := strings.Count(text, evil); n < 15 {
		t.Errorf("the text of pushers is there %d times:\n%s", n, text)
	}
}

func TestStatusLinksWhatWasPushed(t *testing.T) {
	push := func(state catalog.UploadState, name string) model.UploadStatus {
		return model.UploadStatus{File: name + ".deb", Target: "acme/tools/debian/sid", State: state, Package: name + " 2:1.0+b1-1 amd64", Received: statusAt}
	}
	s := model.StatusPage{Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}}, At: statusAt,
		Pushes: []model.UploadStatus{push(catalog.Published, "libm++1"), push(catalog.Duplicate, "same"), push(catalog.Stored, "stored"), push(catalog.Rejected, "rejected")}}
	links := map[string]string{}
	statusNodes(t, s, func(n *markup.Node) {
		if href := statusAttribute(n, "href"); strings.Contains(href, "/p/") {
			links[n.FirstChild.FirstChild.Data] = href
		}
	})
	want := map[string]string{"libm++1.deb": "https://packages.example/acme/tools/p/libm%2B%2B1/1.0%2Bb1-1/", "same.deb": "https://packages.example/acme/tools/p/same/1.0%2Bb1-1/"}
	if !maps.Equal(links, want) {
		t.Errorf("links of pushes are %v, want %v", links, want)
	}
}

func TestStatusSaysHowDownloadsAreCounted(t *testing.T) {
	s := model.StatusPage{Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}}, At: statusAt,
		Downloads: &model.DownloadsStatus{At: statusAt, Since: "2026-11-01"},
		Changes:   []model.ChangeStatus{{At: statusAt, Action: catalog.ActionYank, Target: "acme/tools/el/9"}}}
	log := false
	text := statusNodes(t, s, func(n *markup.Node) { log = log || statusAttribute(n, "href") == "../log.json?since=30d" })
	if !log {
		t.Error("the page has no link to the log")
	}
	for _, want := range []string{"None are counted since 2026-11-01: repomill stats run counts them in logs.", "package.yank 2026-11-30 12:00 UTC now el/9"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

func TestStatusSaysWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	s := model.StatusPage{
		Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}}, At: statusAt,
		Releases: []model.ReleaseStatus{
			{Release: "acme/tools/ubuntu/jammy", Latest: 8, Published: 7, Since: ptr(statusAt.Add(-3 * time.Minute)), Fault: "no space left", Waiting: true},
			{Release: "acme/tools/el/9/x86_64", Latest: 4, Published: 4, Since: ptr(statusAt.Add(-50 * time.Hour))},
		},
		Waiting:   []model.WaitingStatus{{State: catalog.Received, Count: 1, Oldest: statusAt.Add(-40 * time.Second)}, {State: catalog.Stored, Count: 2, Oldest: statusAt.Add(time.Minute)}},
		Worker:    model.WorkerStatus{Seen: ptr(statusAt.Add(-2 * time.Hour))},
		Downloads: &model.DownloadsStatus{At: statusAt.Add(-time.Minute), Since: "2026-11-01", Total: 123456, Top: []model.DownloadCount{{Package: "gcc", Downloads: 99999}, {Package: "make", Downloads: 7}}},
		Pages:     &model.PagesStatus{Waiting: 3, Oldest: ptr(statusAt.Add(-5 * time.Second)), Fault: "the bucket refuses"},
		Keys:      []model.KeyStatus{{Fingerprint: strings.Repeat("AB", 20), Role: "signing", Expires: ptr(statusAt.AddDate(0, 0, 10))}, {Fingerprint: strings.Repeat("CD", 20), Role: "standby"}},
	}
	ids, links := map[string]bool{}, map[string]bool{}
	text := statusNodes(t, s, func(n *markup.Node) {
		if id := statusAttribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %s is there twice", id)
			}
			ids[id] = true
		}
		links[statusAttribute(n, "href")] = true
	})
	for _, want := range []string{
		"No worker runs: nothing is published until one is started. No worker has been seen since 2026-11-30 10:00 UTC.",
		"The last publish of acme/tools/ubuntu/jammy failed. no space left", "ubuntu/jammy failed 3 min ago 7 8", "el/9/x86_64 2 d ago 4 4",
		"1 upload: being read. The oldest arrived 40 s ago .", "2 uploads: stored, not published yet. The oldest arrived now .",
		"Pages of packages: 3 changes wait, the oldest published 5 s ago", "Pages of packages could not be made. the bucket refuses",
		"expires on 2026-12-10.", "signing, until 2026-12-10 , 10 days left expires", "standby, no expiry",
		"123 456 since 2026-11-01, in the logs that were counted. Summed up 1 min ago", "gcc 99 999 make 7",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	for _, want := range []string{"https://packages.example/", "https://packages.example/acme/", "https://packages.example/acme/tools/", "../status.json"} {
		if !links[want] {
			t.Errorf("no link %s in %v", want, links)
		}
	}
}
