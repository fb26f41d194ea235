package html_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"

	pages "repomill/publish/pages/html"
)

// text returns the text of an element.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func all(doc *html.Node, name string) []*html.Node {
	return slices.DeleteFunc(elements(doc), func(n *html.Node) bool { return n.Data != name })
}

func inside(n *html.Node, name string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == name {
			return true
		}
	}
	return false
}

// rules are what each page keeps so that screen readers, keyboards and small screens can use it. They return what is wrong.
var rules = []struct {
	fact  string
	check func(doc *html.Node) (wrong []string)
}{
	{"the page has a language, a title, one h1 and one main", func(doc *html.Node) (wrong []string) {
		for _, name := range []string{"title", "h1", "main"} {
			if found := all(doc, name); len(found) != 1 || strings.TrimSpace(text(found[0])) == "" {
				wrong = append(wrong, "want one "+name)
			}
		}
		if lang, _ := attr(all(doc, "html")[0], "lang"); lang != "en" {
			wrong = append(wrong, "lang is "+lang)
		}
		return wrong
	}},
	{"headings leave out no level", func(doc *html.Node) (wrong []string) {
		level := byte('0')
		for _, n := range elements(doc) {
			if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
				if n.Data[1] > level+1 {
					wrong = append(wrong, n.Data+" "+text(n))
				}
				level = n.Data[1]
			}
		}
		return wrong
	}},
	{"ids are there once", func(doc *html.Node) (wrong []string) {
		seen := map[string]bool{}
		for _, n := range elements(doc) {
			if id, ok := attr(n, "id"); ok && (seen[id] || id == "" || strings.ContainsAny(id, " \t")) {
				wrong = append(wrong, id)
			} else if ok {
				seen[id] = true
			}
		}
		return wrong
	}},
	{"labels refer to elements", func(doc *html.Node) (wrong []string) {
		for _, n := range elements(doc) {
			if id, ok := attr(n, "aria-labelledby"); ok && !slices.ContainsFunc(elements(doc), func(n *html.Node) bool { got, _ := attr(n, "id"); return got == id && text(n) != "" }) {
				wrong = append(wrong, n.Data+" "+id)
			}
		}
		return wrong
	}},
	{"tables have captions and scopes, and scroll in a region that has a name and the focus", func(doc *html.Node) (wrong []string) {
		for _, table := range all(doc, "table") {
			if len(all(table, "caption")) != 1 {
				wrong = append(wrong, "no caption")
			}
			role, _ := attr(table.Parent, "role")
			index, _ := attr(table.Parent, "tabindex")
			if _, named := attr(table.Parent, "aria-labelledby"); role != "region" || index != "0" || !named {
				wrong = append(wrong, "no region")
			}
			for _, th := range all(table, "th") {
				scope, _ := attr(th, "scope")
				if want := map[bool][]string{true: {"col"}, false: {"row", "rowgroup"}}[inside(th, "thead")]; !slices.Contains(want, scope) || strings.TrimSpace(text(th)) == "" {
					wrong = append(wrong, "th "+text(th)+" has the scope "+scope)
				}
			}
		}
		return wrong
	}},
	{"landmarks of one kind have different names", func(doc *html.Node) (wrong []string) {
		seen := map[string]bool{}
		for _, n := range all(doc, "nav") {
			label, _ := attr(n, "aria-label")
			if label == "" || seen[label] {
				wrong = append(wrong, "nav "+label)
			}
			seen[label] = true
		}
		return wrong
	}},
	{"the first link skips to the content", func(doc *html.Node) (wrong []string) {
		links := slices.DeleteFunc(all(doc, "a"), func(n *html.Node) bool { return n.Data != "a" })
		href, _ := attr(links[0], "href")
		id, _ := attr(all(doc, "main")[0], "id")
		if href != "#"+id {
			wrong = append(wrong, href)
		}
		return wrong
	}},
	{"links have texts and images have alternatives", func(doc *html.Node) (wrong []string) {
		for _, n := range elements(doc) {
			href, _ := attr(n, "href")
			_, alt := attr(n, "alt")
			if n.Data == "a" && (strings.TrimSpace(text(n)) == "" || href == "") || n.Data == "img" && !alt {
				wrong = append(wrong, n.Data+" "+href)
			}
		}
		return wrong
	}},
	{"times are for machines, too", func(doc *html.Node) (wrong []string) {
		for _, n := range all(doc, "time") {
			if at, _ := attr(n, "datetime"); len(at) != len("2006-01-02T15:04:05Z") || !strings.HasPrefix(text(n), at[:10]) {
				wrong = append(wrong, at+" "+text(n))
			}
		}
		return wrong
	}},
	{"nothing is loaded but style, script and icon of the site, by a policy", func(doc *html.Node) (wrong []string) {
		policies := map[string]string{}
		for _, n := range all(doc, "meta") {
			name, _ := attr(n, "name")
			if name == "" {
				name, _ = attr(n, "http-equiv")
			}
			policies[name], _ = attr(n, "content")
		}
		if policies["Content-Security-Policy"] != "default-src 'self'" || policies["referrer"] != "no-referrer" || policies["color-scheme"] != "light dark" {
			wrong = append(wrong, "policies")
		}
		for _, n := range elements(doc) {
			if slices.Contains([]string{"style", "iframe", "object", "embed", "base", "form"}, n.Data) {
				wrong = append(wrong, n.Data)
			}
			if src, ok := attr(n, "src"); ok && !strings.Contains(src, "assets/") {
				wrong = append(wrong, src)
			}
		}
		return wrong
	}},
}

func TestPagesKeepTheRules(t *testing.T) {
	all := slices.DeleteFunc(slices.Clone(sitePages()), func(p model.Page) bool { return !isHTML(p) })
	for _, rule := range rules {
		t.Run(rule.fact, func(t *testing.T) {
			for _, p := range all {
				if wrong := rule.check(parse(t, p)); len(wrong) > 0 {
					t.Errorf("%s: %.500q", p.Key, wrong)
				}
			}
		})
	}
}

// Rules that cannot fail prove nothing.
func TestRulesCanFail(t *testing.T) {
	const bad = `<!DOCTYPE html><html><body><a href="#x"></a><img src="//x"><nav></nav><h3 id="a" aria-labelledby="b">x</h3><p id="a">
<table><tr><th>x</th></tr></table><time datetime="2026">yesterday</time><main></main>`
	for _, rule := range rules {
		if wrong := rule.check(parse(t, model.Page{Body: []byte(bad)})); len(wrong) == 0 {
			t.Errorf("a bad page passes: %s", rule.fact)
		}
	}
}

func TestAssetsAreSmallAndNamedByTheirContent(t *testing.T) {
	seen := map[string]int{}
	for _, p := range pages.New(pagestest.PublicURL).Assets() {
		_, ext, _ := strings.Cut(p.Key, ".")
		seen[ext] = len(p.Body)
	}
	if len(seen) != 3 || seen["js"] == 0 || seen["js"] >= 4096 || seen["css"] == 0 || seen["css"] >= 16<<10 || seen["svg"] == 0 || seen["svg"] >= 1024 {
		t.Errorf("sizes are %v", seen)
	}
}
