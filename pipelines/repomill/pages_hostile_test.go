package main_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/browsertest"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// hostileTexts are what a package says instead of text. Each line would do something if it were markup.
var hostileTexts = []string{
	`<script>window.pwned = 1</script>`,
	`<img src=x onerror="window.pwned = 2; alert(2)">`,
	`"><svg onload="window.pwned = 3">`,
	`'-alert(4)-'`,
	`</title></textarea></style></pre></code><iframe srcdoc="<script>parent.pwned = 5</script>"></iframe>`,
	`{{.}} ${window.pwned = 6} <!-- -->`,
	`<base href="https://evil.example/"><meta http-equiv="refresh" content="0; url=https://evil.example/">`,
	`<form action="https://evil.example/"><button>Copy</button></form>`,
	`<a href="javascript:window.pwned = 7">click here</a>`,
}

// hostileDEB and hostileRPM say markup wherever their formats let them.
func hostileDEB() debtest.Spec {
	fields := []string{"Maintainer: " + hostileTexts[0] + " <me@example.org>", "Homepage: javascript:window.pwned=8", "Section: " + hostileTexts[2], "Source: hostile-src", "Description: " + hostileTexts[1]}
	for _, m := range hostileTexts {
		fields = append(fields, " "+m)
	}
	return debtest.Spec{Name: "libhostile++2.0", Version: "1:2.0+really~1.9-1", Fields: fields,
		Files: map[string]string{"usr/share/hostile/" + hostileTexts[1]: "x", "usr/share/hostile/" + hostileTexts[2]: "y"}}
}

func hostileRPM() rpmtest.Spec {
	return rpmtest.Spec{Name: "Hostile_RPM+plus", Version: "2.0~rc1^git1", Summary: hostileTexts[1], Description: strings.Join(hostileTexts, "\n"), License: hostileTexts[2], Vendor: hostileTexts[0],
		Packager: hostileTexts[0], URL: "javascript:window.pwned=9", Group: hostileTexts[3], BuildHost: hostileTexts[4], Provides: []string{"hostile(x)"},
		Files:   map[string]string{"/usr/share/hostile/" + hostileTexts[1]: "x"},
		Changes: []rpmtest.Change{{Author: hostileTexts[0] + " - 2.0", Text: strings.Join(hostileTexts, "\n")}}}
}

// hostilePages opens all pages that can be reached from the repository's: nothing that packages say does anything.
func (s *site) hostilePages(t *testing.T, b *browsertest.Browser) {
	s.publish(t, "acme/hostile/ubuntu/jammy", newDEB(t, hostileDEB()))
	s.publish(t, "acme/hostile/el/9", newRPM(t, hostileRPM()))
	deb, rpm := "/acme/hostile/p/libhostile++2.0/2.0+really~1.9-1/", "/acme/hostile/p/Hostile_RPM+plus/2.0~rc1%5Egit1-1/"
	for _, path := range []string{deb, rpm, "/acme/hostile/names/"} {
		s.awaitPage(t, path)
	}
	tab := b.Tab(t, desktop)
	seen, all := map[string]bool{}, []string{s.url + "/acme/hostile/"}
	for len(all) > 0 {
		url := all[0]
		all = all[1:]
		if seen[url] {
			continue
		}
		seen[url] = true
		if !isPage(t, url) {
			continue
		}
		tab.Go(url)
		wants(t, tab, url)
		harmless(t, tab)
		for _, link := range browsertest.Eval[[]string](tab, "browsertest.links()") {
			if strings.HasPrefix(link, s.url+"/acme/hostile/") && !strings.HasSuffix(link, "/acme/hostile/status/") {
				all = append(all, link)
			}
		}
	}
	tab.Go(s.url + deb)
	text := tab.Text()
	for i, m := range hostileTexts {
		if i != 7 && !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(m), " ")) {
			t.Errorf("the page does not say %s as text:\n%s", m, text)
		}
	}
	files := func(url string) bool { return strings.Contains(url, "/_files/") }
	if links := slices.Collect(maps.Keys(seen)); len(links) < 8 || !slices.ContainsFunc(links, files) {
		t.Errorf("no page of files among %q", links)
	}
}

// isPage reports whether an address is that of a page. What links lead to has to be there.
func isPage(t *testing.T, url string) bool {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a link leads to %s, which is answered with %d", url, resp.StatusCode)
		return false
	}
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
}

// harmless fails the test if what a package says did something, is markup, or leads where no link may.
func harmless(t *testing.T, p *browsertest.Page) {
	t.Helper()
	if got := browsertest.Eval[string](p, "String(window.pwned)"); got != "undefined" {
		t.Errorf("%s: a script ran: %s", p.URL(), got)
	}
	wrong := browsertest.Eval[[]string](p, `[...document.querySelectorAll("*")].filter(e => e.matches("body script, iframe, svg, base, object, embed, meta[http-equiv=refresh], form[action], img[src=x]")
		|| [...e.attributes].some(a => /^on|^style$|^srcdoc$/.test(a.name))).map(e => e.outerHTML.slice(0, 200))`)
	wrong = slices.Concat(wrong, browsertest.Eval[[]string](p, `[...document.querySelectorAll("a[href]")].filter(a => !/^https?:$/.test(a.protocol) || a.host !== location.host
		&& a.rel !== "nofollow noopener noreferrer").map(a => a.outerHTML.slice(0, 200))`))
	for _, line := range wrong {
		t.Errorf("%s has %s", p.URL(), line)
	}
}
