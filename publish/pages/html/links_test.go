package html_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"

	pages "repomill/publish/pages/html"
)

// parse returns the tree of a page as a browser reads it.
func parse(t *testing.T, p model.Page) *html.Node {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(p.Body))
	if err != nil {
		t.Fatalf("%s: %v", p.Key, err)
	}
	return doc
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// elements yields the elements of a tree in order.
func elements(doc *html.Node) (all []*html.Node) {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

// isHTML reports whether a page is one, and not what pages load.
func isHTML(p model.Page) bool { return strings.HasSuffix(p.Key, ".html") }

// Every link of the site is relative and leads to a page or to another object of it, fragments to elements.
func TestLinksLeadToKeysOfTheSite(t *testing.T) {
	site := pagestest.NewSite()
	all := site.Pages(pages.New(pagestest.PublicURL))
	there, ids := map[string]bool{}, map[string]bool{}
	for _, key := range site.Objects {
		there[key] = true
	}
	for _, p := range all {
		if there[p.Key] {
			t.Errorf("%s is written twice", p.Key)
		}
		there[p.Key] = true
		for _, n := range elements(parse(t, p)) {
			if id, ok := attr(n, "id"); ok && isHTML(p) {
				ids[p.Key+"#"+id] = true
			}
		}
	}
	links := 0
	for _, p := range all {
		if !isHTML(p) {
			continue
		}
		base := &url.URL{Scheme: "https", Host: "h", Path: "/priv/T/" + p.Key}
		base.Path = strings.TrimSuffix(base.Path, "index.html")
		for _, n := range elements(parse(t, p)) {
			for _, name := range []string{"href", "src", "data-search"} {
				link, ok := attr(n, name)
				if rel, _ := attr(n, "rel"); !ok || strings.HasPrefix(link, "https://") && rel == "nofollow noopener noreferrer" {
					continue
				}
				links++
				u, err := base.Parse(link)
				if err != nil || u.Host != "h" {
					t.Fatalf("%s: link %q: %v", p.Key, link, err)
				}
				key := strings.TrimPrefix(u.Path, "/priv/T/")
				if (key == "" || strings.HasSuffix(key, "/")) && !there[key] {
					key += "index.html"
				}
				if !there[key] {
					t.Errorf("%s: link %q: there is no %s", p.Key, link, key)
				}
				if u.Fragment != "" && !ids[key+"#"+u.Fragment] {
					t.Errorf("%s: link %q: there is no such element", p.Key, link)
				}
			}
		}
	}
	if links < 1000 {
		t.Errorf("only %d links were seen", links)
	}
}
