package twin

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strings"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// MaxEntries is the number of entries of a feed.
const MaxEntries = 50

// A feed is an Atom feed (RFC 4287).
type feed struct {
	XMLName   xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	Lang      string   `xml:"xml:lang,attr"`
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Subtitle  string   `xml:"subtitle,omitempty"`
	Updated   string   `xml:"updated"`
	Author    string   `xml:"author>name"`
	Generator string   `xml:"generator"`
	Links     []link   `xml:"link"`
	Entries   []*entry `xml:"entry"`
}

type link struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type entry struct {
	ID         string     `xml:"id"`
	Title      string     `xml:"title"`
	Updated    string     `xml:"updated"`
	Link       link       `xml:"link"`
	Categories []category `xml:"category"`
	Summary    string     `xml:"summary"`

	change model.Change
}

type category struct {
	Term string `xml:"term,attr"`
}

const htmlType, atomType = "text/html", "application/atom+xml"

// Feed returns the Atom feed of the changes of a repository.
func (r *Renderer) Feed(f model.Front) model.Page {
	repo := f.Name
	return r.feed(layout.FeedKey(repo), layout.FrontPageKey(repo), repo, feed{Title: repo.String(), Subtitle: f.Description}, f.AsOf, r.entries(repo, f.Changes))
}

// NameFeed returns the Atom feed of the versions of a package, from its newest page.
func (r *Renderer) NameFeed(n model.Name) model.Page {
	repo := n.Repository.Name
	var changes []model.Change
	for _, v := range n.Versions {
		changes = append(changes, changesOf(n.Package, v)...)
	}
	return r.feed(layout.NameFeedKey(repo, n.Package), layout.NamePageKey(repo, n.Package), repo,
		feed{Title: n.Package + " in " + repo.String(), Subtitle: n.Summary}, n.AsOf, r.entries(repo, changes))
}

// changesOf returns when a version came, in each of its formats, and when packages of it went.
func changesOf(name string, v model.Version) (changes []model.Change) {
	came := map[catalog.Format]int{} // index in changes
	for _, p := range model.Current(v.Packages) {
		at, where := v.First, []string{p.Distribution.String()}
		if y := p.Yank; y != nil {
			gone := y.At
			if s := since(p); s != nil {
				gone = *s
			}
			changes = append(changes, model.Change{Name: name, Version: v.Version, Format: p.Format, At: gone, Distributions: where, Withdrawn: true, Reason: y.Reason})
		} else if s := since(p); s != nil {
			at = *s
		}
		i, ok := came[p.Format]
		if !ok {
			came[p.Format] = len(changes)
			changes = append(changes, model.Change{Name: name, Version: v.Version, Format: p.Format, At: at, Distributions: where})
			continue
		}
		c := &changes[i]
		c.Distributions = append(c.Distributions, where...)
		if at.Before(c.At) {
			c.At = at
		}
	}
	return changes
}

func (r *Renderer) feed(key, page string, repo catalog.Repository, f feed, asOf time.Time, entries []*entry) model.Page {
	f.Lang, f.Author, f.Generator = "en", repo.Owner, "repomill"
	f.ID, f.Entries = r.url(key), entries
	f.Links = []link{{"self", atomType, f.ID}, {"alternate", htmlType, r.url(page)}}
	if f.Updated = stamp(asOf); len(f.Entries) > 0 {
		f.Updated = f.Entries[0].Updated // not asOf: a feed without new entries has not changed
	}
	body, err := xml.MarshalIndent(f, "", " ")
	if err != nil {
		panic(err) // structs of strings
	}
	return model.Page{Key: key, Body: append(append([]byte(xml.Header), body...), '\n')}
}

// entries returns the newest changes, newest first. A version that came for several distributions, one after the other, is one entry
// with the time of the last, and so is one that went.
func (r *Renderer) entries(repo catalog.Repository, changes []model.Change) (entries []*entry) {
	changes = slices.Clone(changes)
	slices.SortStableFunc(changes, func(a, b model.Change) int { return b.At.Compare(a.At) })
	byID := map[string]*entry{}
	for _, c := range changes {
		e := r.entry(repo, c)
		if same := byID[e.ID]; same != nil {
			same.join(c)
		} else if len(entries) < MaxEntries {
			byID[e.ID] = e
			entries = append(entries, e)
		}
	}
	for _, e := range entries {
		e.describe()
	}
	return entries
}

// entry returns the entry of a change without its texts. Its ID is the URL of the version's page, with what happened behind it; not
// when: an ID must never change, and one release of a version is published after the other.
func (r *Renderer) entry(repo catalog.Repository, c model.Change) *entry {
	page, kind := r.url(layout.VersionPageKey(repo, c.Name, c.Version)), "published"
	if c.Withdrawn {
		kind = "withdrawn"
	}
	id := page + "#" + kind + "-" + string(c.Format) + "-" + escape(c.Version)
	return &entry{ID: id, Updated: stamp(c.At), Link: link{"alternate", htmlType, page}, change: c}
}

// join adds the distributions of another change of the same kind, and its reason if that is another.
func (e *entry) join(c model.Change) {
	e.change.Distributions = append(slices.Clip(e.change.Distributions), c.Distributions...)
	if c.Reason != "" && !strings.Contains(e.change.Reason, c.Reason) {
		e.change.Reason = strings.TrimPrefix(e.change.Reason+"; "+c.Reason, "; ")
	}
}

func (e *entry) describe() {
	c := e.change
	distributions := slices.Compact(slices.Sorted(slices.Values(c.Distributions)))
	for _, term := range append([]string{string(c.Format)}, distributions...) {
		e.Categories = append(e.Categories, category{term})
	}
	where := strings.Join(distributions, ", ")
	e.Title, e.Summary = c.Name+" "+c.Version, "New for "+where+"."
	if c.Withdrawn {
		e.Title, e.Summary = e.Title+" withdrawn", "Withdrawn from "+where+": "+cmp.Or(c.Reason, "no reason is given")
	}
}
