package twin_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/model"
	"repomill/publish/pages/twin"
	"repomill/schemas/catalog"
)

func TestFeed(t *testing.T) {
	compare(t, renderer.Feed(front()), "acme/tools/feed.atom", `<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">
 <id>https://packages.example.org/acme/tools/feed.atom</id>
 <title>acme/tools</title>
 <subtitle>Tools of Acme</subtitle>
 <updated>2026-01-09T10:00:00Z</updated>
 <author>
  <name>acme</name>
 </author>
 <generator>repomill</generator>
 <link rel="self" type="application/atom+xml" href="https://packages.example.org/acme/tools/feed.atom"></link>
 <link rel="alternate" type="text/html" href="https://packages.example.org/acme/tools/"></link>
 <entry>
  <id>https://packages.example.org/acme/tools/p/hello/1.0%2Bb-2/#published-deb-1%3A1.0%2Bb-2</id>
  <title>hello 1:1.0+b-2</title>
  <updated>2026-01-09T10:00:00Z</updated>
  <link rel="alternate" type="text/html" href="https://packages.example.org/acme/tools/p/hello/1.0%2Bb-2/"></link>
  <category term="deb"></category>
  <category term="debian/trixie"></category>
  <summary>New for debian/trixie.</summary>
 </entry>
 <entry>
  <id>https://packages.example.org/acme/tools/p/hello/0.9/#withdrawn-rpm-0.9</id>
  <title>hello 0.9 withdrawn</title>
  <updated>2026-01-08T10:00:00Z</updated>
  <link rel="alternate" type="text/html" href="https://packages.example.org/acme/tools/p/hello/0.9/"></link>
  <category term="rpm"></category>
  <category term="el/9"></category>
  <summary>Withdrawn from el/9: broken</summary>
 </entry>
</feed>
`)
}

// An atom is what RFC 4287 says of a feed that every reader needs.
type atom struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      []string `xml:"http://www.w3.org/2005/Atom id"`
	Title   []string `xml:"http://www.w3.org/2005/Atom title"`
	Updated []string `xml:"http://www.w3.org/2005/Atom updated"`
	Author  []struct {
		Name string `xml:"http://www.w3.org/2005/Atom name"`
	} `xml:"http://www.w3.org/2005/Atom author"`
	Links   []atomLink `xml:"http://www.w3.org/2005/Atom link"`
	Entries []struct {
		ID      []string   `xml:"http://www.w3.org/2005/Atom id"`
		Title   []string   `xml:"http://www.w3.org/2005/Atom title"`
		Updated []string   `xml:"http://www.w3.org/2005/Atom updated"`
		Links   []atomLink `xml:"http://www.w3.org/2005/Atom link"`
		Summary string     `xml:"http://www.w3.org/2005/Atom summary"`
	} `xml:"http://www.w3.org/2005/Atom entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

// readFeed parses a feed strictly, and fails the test if it lacks what RFC 4287, section 4, requires.
func readFeed(t *testing.T, p model.Page) atom {
	t.Helper()
	var f atom
	d := xml.NewDecoder(bytes.NewReader(p.Body))
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%v:\n%s", err, p.Body)
	}
	if token, err := d.Token(); !errors.Is(err, io.EOF) && strings.TrimSpace(fmt.Sprintf("%s", token)) != "" {
		t.Errorf("%v follows the feed, %v", token, err)
	}
	ids := map[string]bool{}
	one := func(what string, ids, titles, updated []string) time.Time {
		if len(ids) != 1 || len(titles) != 1 || len(updated) != 1 {
			t.Fatalf("%s has %d IDs, %d titles, %d times", what, len(ids), len(titles), len(updated))
		}
		at, err := time.Parse(time.RFC3339, updated[0])
		if err != nil {
			t.Error(err)
		}
		return at
	}
	isURL := func(s string) {
		if u, err := url.Parse(s); err != nil || !u.IsAbs() || strings.ContainsAny(s, " <>\"{}|\\^`\n") {
			t.Errorf("%q is not an absolute URI", s)
		}
	}
	last := one("the feed", f.ID, f.Title, f.Updated)
	if len(f.Author) != 1 || f.Author[0].Name == "" || len(f.Entries) > twin.MaxEntries {
		t.Errorf("%d authors, %d entries", len(f.Author), len(f.Entries))
	}
	isURL(f.ID[0])
	if len(f.Links) != 2 || f.Links[0] != (atomLink{"self", publicURL + "/" + p.Key}) || f.Links[1].Rel != "alternate" {
		t.Errorf("links of the feed: %v", f.Links)
	}
	for _, e := range f.Entries {
		at := one("an entry", e.ID, e.Title, e.Updated)
		if isURL(e.ID[0]); at.After(last) || ids[e.ID[0]] || e.Summary == "" {
			t.Errorf("entry %s of %s follows one of %s; its ID is known: %v", e.ID, at, last, ids[e.ID[0]])
		}
		if ids[e.ID[0]], last = true, at; len(e.Links) != 1 || e.Links[0].Rel != "alternate" {
			t.Errorf("links of an entry: %v", e.Links)
		}
		isURL(e.Links[0].Href)
	}
	return f
}

func TestFeedHasTheNewestChanges(t *testing.T) {
	f := front()
	f.Changes = nil
	for n := range 70 {
		f.Changes = append(f.Changes, model.Change{Name: "hello", Version: fmt.Sprint(n), Format: catalog.DEB, At: day(1).Add(time.Duration(n) * time.Hour), Distributions: []string{"debian/trixie"}})
	}
	got := readFeed(t, renderer.Feed(f))
	if n := len(got.Entries); n != 50 || got.Entries[0].Title[0] != "hello 69" || got.Entries[49].Title[0] != "hello 20" {
		t.Errorf("%d entries, from %s to %s", n, got.Entries[0].Title, got.Entries[n-1].Title)
	}
}

func TestFeedJoinsDistributionsOfOneVersion(t *testing.T) {
	f := front()
	came := func(n int, distributions ...string) model.Change {
		return model.Change{Name: "hello", Version: "1", Format: catalog.DEB, At: day(n), Distributions: distributions}
	}
	went := func(n int, reason, distribution string) model.Change {
		c := came(n, distribution)
		c.Withdrawn, c.Reason = true, reason
		return c
	}
	f.Changes = []model.Change{
		came(1, "ubuntu/jammy"), came(3, "debian/trixie", "ubuntu/jammy"), came(2, "debian/bookworm"),
		went(4, "broken", "debian/trixie"), went(6, "", "debian/bookworm"), went(5, "too new", "ubuntu/jammy"), went(4, "broken", "debian/sid"),
	}
	var got []string
	for _, e := range readFeed(t, renderer.Feed(f)).Entries {
		got = append(got, e.Updated[0][:10]+" "+e.Summary)
	}
	want := []string{
		"2026-01-06 Withdrawn from debian/bookworm, debian/sid, debian/trixie, ubuntu/jammy: too new; broken",
		"2026-01-03 New for debian/bookworm, debian/trixie, ubuntu/jammy.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFeedWithoutChanges(t *testing.T) {
	got := readFeed(t, renderer.Feed(model.Front{Repository: tools}))
	if len(got.Entries) != 0 {
		t.Errorf("got %+v", got.Entries)
	}
	f := front()
	f.Changes = nil
	if got := readFeed(t, renderer.Feed(f)); got.Updated[0] != "2026-01-09T10:00:00Z" {
		t.Errorf("updated %s, want the time of the newest revision", got.Updated[0])
	}
}

func TestNameFeed(t *testing.T) {
	p := renderer.NameFeed(helloName())
	if p.Key != "acme/tools/p/hello/feed.atom" {
		t.Errorf("key %s", p.Key)
	}
	var got []string
	for _, e := range readFeed(t, p).Entries {
		got = append(got, e.Updated[0]+" "+e.Title[0]+": "+e.Summary)
	}
	want := "2026-01-10T10:00:00Z hello 0.9-1 withdrawn: Withdrawn from el/9: broken\n" +
		"2026-01-09T10:00:00Z hello 1:1.0+b-2: New for debian/trixie.\n" +
		"2026-01-06T10:00:00Z hello 0.9-1: New for el/9."
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	n := helloName()
	n.Versions[1].Packages[1].In[0].Since = pointer(day(12))
	if e := readFeed(t, renderer.NameFeed(n)).Entries[0]; e.Title[0] != "hello 0.9-1 withdrawn" || e.Updated[0] != "2026-01-12T10:00:00Z" {
		t.Errorf("got %+v, want the time at which the release was published without the package", e)
	}
}

func TestNameFeedKeepsTheIDOfAVersion(t *testing.T) {
	n := helloName()
	published := func() (id string) {
		for _, e := range readFeed(t, renderer.NameFeed(n)).Entries {
			if e.Title[0] == "hello 0.9-1" {
				id = e.ID[0]
			}
		}
		return id
	}
	const want = publicURL + "/acme/tools/p/hello/0.9-1/#published-rpm-0.9-1"
	if got := published(); got != want {
		t.Errorf("ID %s, want %s", got, want)
	}
	n.Versions[1].Packages = n.Versions[1].Packages[:1]
	n.Versions[1].Packages[0].In = n.Versions[1].Packages[0].In[:1]
	if got := published(); got != want {
		t.Errorf("after a package was removed, ID %s, want %s", got, want)
	}
}
