package html_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"
	"repomill/schemas/catalog"

	pages "repomill/publish/pages/html"
)

// hostile are texts that want to be more than text.
var hostile = map[string]string{
	"a script":              `<script>alert(1)</script>`,
	"an image in a quote":   `"><img src=x onerror=alert(1)>`,
	"an attribute":          `' onmouseover='alert(1)`,
	"a script as a link":    `javascript:alert(1)`,
	"data as a link":        `data:text/html,<script>alert(1)</script>`,
	"a link with a user":    `https://apple.example@evil.example/`,
	"a link to a host":      `//evil.example/x`,
	"the end of a comment":  `--><svg onload=alert(1)>`,
	"the end of an element": `</code></pre></main></body></html><h1>x</h1>`,
	"a template":            `{{template "top" .}}`,
	"a turn of direction":   "abc\u202egnp.exe\u2066\u200f",
	"NUL and controls":      "a\x00b\x1b[31m\u0085\r\nc",
	"invalid UTF-8":         "a\xff\xfe<\xc0\xbcscript\xc0\xbe",
	"a long word":           strings.Repeat("W", 1<<20),
	"dots and slashes":      "../../../x",
	"an entity":             `&lt;script&gt;&#60;b&#62;`,
}

// everywhere returns the pages of one repository in which each text of packages and people is s.
func everywhere(r *pages.Renderer, s string) []model.Page {
	repo := model.Repository{Name: pagestest.Tools, Description: s}
	f := &facts.Facts{Summary: s, Description: s + "\n\n" + s, Homepage: s, License: s, Maintainer: s, Section: s, Source: s, Installed: 1,
		Relations: []facts.Relation{{Kind: s, Items: []string{s, s}}}, Changelog: []facts.Entry{{Author: s, Text: s}}}
	d := catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	at := time.Unix(0, 0)
	k := func(state catalog.PackageState, arch string) model.Package {
		return model.Package{Facts: f, Package: catalog.Package{Repository: repo.Name, Distribution: d, Format: catalog.DEB, Component: "main", Name: s, Version: s, Arch: arch,
			Key: "acme/tools/ubuntu/pool/" + s, Signer: s, File: catalog.File{SHA256: s}, State: state, Yank: &catalog.Yank{Reason: s, By: s, At: at}}}
	}
	v := model.Version{Version: s, First: at, Packages: []model.Package{k(catalog.Active, "amd64"), k(catalog.Yanked, "arm64")}}
	key := model.Key{Fingerprint: strings.Repeat("A", 40), User: s}
	ds := catalog.DistributionSettings{Distribution: d, Format: catalog.DEB, Components: []string{"main"}}
	return slices.Concat(
		r.Front(model.Front{Repository: repo, Keys: []model.Key{key}, PackageKeys: []model.Key{key}, Distributions: []model.Distribution{{Settings: ds, Package: s}},
			Changes: []model.Change{{Name: s, Version: s, At: at, Distributions: []string{d.String()}, Withdrawn: true, Reason: s}}}),
		r.Name(model.Name{Repository: repo, Package: s, Summary: s, Homepage: s, Page: 1, Pages: 1, Versions: []model.Version{v}}),
		r.VersionPage(model.VersionPage{Repository: repo, Package: s, Version: v}),
		r.Files(model.Files{Repository: repo, Package: k(catalog.Active, "amd64").Package, Paths: []model.File{{Path: s, Kind: s}, {Path: s}}}),
		r.Names(model.Names{Repository: repo, Level: -1, Total: 1, Lines: append(slices.Repeat([]model.Line{{Name: "zebra"}}, 50), model.Line{Name: s, Summary: s, Version: s})}),
		r.Names(model.Names{Repository: repo, From: s, Parts: []model.Part{{From: s, To: s}}, Previous: &model.Part{}, Next: &model.Part{From: s}}),
		r.Root(model.Root{Entries: []model.RootEntry{{Name: repo.Name, Description: s}}}))
}

// shape returns the elements of a page with the names of their attributes, and the values of those that do something. Links of packages
// that are no link of the web, and links to pages, whose paths have the name of the package, differ in their values alone.
func shape(t *testing.T, p model.Page) string {
	t.Helper()
	var b strings.Builder
	for n := range parse(t, p).Descendants() {
		switch n.Type {
		case html.ElementNode:
			b.WriteString("<" + n.Data)
			for _, a := range n.Attr {
				b.WriteString(" " + a.Key)
				if a.Key != "href" && a.Key != "src" && a.Key != "id" && a.Key != "data-search" {
					b.WriteString("=" + a.Val)
				}
			}
			b.WriteString(">\n")
		case html.CommentNode, html.DoctypeNode:
			b.WriteString("<!" + n.Data + ">\n")
		}
	}
	return b.String()
}

func TestTextsOfPackagesAreNeverMarkup(t *testing.T) {
	r := pages.New(pagestest.PublicURL)
	want := everywhere(r, "harmless")
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		t.Run(name, func(t *testing.T) {
			for i, p := range everywhere(r, hostile[name]) {
				if diff := cmp.Diff(shape(t, want[i]), shape(t, p)); diff != "" {
					t.Errorf("%.100q: elements (-of a harmless text +of this one):\n%.3000s", p.Key, diff)
				}
				harmless(t, p)
			}
		})
	}
}

// harmless reports links that leave the site, and characters that no page has.
func harmless(t *testing.T, p model.Page) {
	t.Helper()
	if !utf8.Valid(p.Body) {
		t.Errorf("%.100q: it is not UTF-8", p.Key)
	}
	if i := strings.IndexFunc(string(p.Body), func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069
	}); i >= 0 {
		t.Errorf("%.100q: it has %q", p.Key, p.Body[i:min(len(p.Body), i+8)])
	}
	for _, n := range elements(parse(t, p)) {
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "action":
				t.Errorf("%.100q: <%s> has the attribute %s", p.Key, n.Data, a.Key)
			case a.Key == "href" || a.Key == "src":
				if strings.Contains(strings.SplitN(a.Val, "/", 2)[0], ":") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("%.100q: a link to %.100q", p.Key, a.Val)
				}
			}
		}
		if n.Data == "script" && n.FirstChild != nil || n.Data == "style" {
			t.Errorf("%.100q: an element %s in the page", p.Key, n.Data)
		}
	}
}

// A homepage is a link only if it is one of the web.
func TestHomepagesAreLinksOfTheWeb(t *testing.T) {
	r := pages.New(pagestest.PublicURL)
	for homepage, want := range map[string]string{
		"https://example.org/a?b=c&d=<e>": "https://example.org/a?b=c&d=%3ce%3e",
		"http://example.org":              "http://example.org",
		" https://example.org/ ":          "https://example.org/",
		"HTTPS://example.org/":            "https://example.org/",
		"https://":                        "", "https:///x": "", "https://:80/": "", "example.org": "", "//example.org/": "", "": "",
		"javascript://example.org/%0aalert(1)": "", "ftp://example.org/": "", "mailto:a@example.org": "", "https://user@example.org/": "", "https://exa mple.org/": "",
		"https://example.org/" + strings.Repeat("x", 3000): "",
	} {
		p := r.Name(model.Name{Repository: model.Repository{Name: pagestest.Tools}, Package: "p", Homepage: homepage, Page: 1, Pages: 1})[0]
		got := ""
		for _, n := range elements(parse(t, p)) {
			if rel, _ := attr(n, "rel"); rel == "nofollow noopener noreferrer" {
				got, _ = attr(n, "href")
			}
		}
		if got != want {
			t.Errorf("%.60q: the link is %q, want %q", homepage, got, want)
		}
	}
}

// Bytes are a function of the input, also of inputs that were drawn before.
func TestSamePagesForSameInput(t *testing.T) {
	first := pagestest.NewSite().Pages(pages.New(pagestest.PublicURL))
	r := pages.New(pagestest.PublicURL + "/")
	again := pagestest.NewSite().Pages(r)
	if !reflect.DeepEqual(first, again) || !reflect.DeepEqual(first, pagestest.NewSite().Pages(r)) {
		t.Error("pages differ")
	}
	keys := map[string]bool{}
	for _, p := range first {
		if keys[p.Key] {
			t.Errorf("%s is there twice", p.Key)
		}
		keys[p.Key] = true
	}
}
