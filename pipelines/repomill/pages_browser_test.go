package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"repomill/testdata/browsertest"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

var (
	desktop = browsertest.View{Width: 1280}
	phone   = browsertest.View{Width: 360}
)

// awaitPage waits until a page of the site is there: pages follow packages.
func (s *site) awaitPage(t *testing.T, path string) {
	t.Helper()
	proctest.Eventually(t, path+" is there", func() bool {
		status, _ := get(t, s.url+path)
		return status == http.StatusOK
	})
}

// wants fails the test unless a page is at an address, says all of some texts, and the browser complained about nothing.
func wants(t *testing.T, p *browsertest.Page, url string, texts ...string) {
	t.Helper()
	if got := p.URL(); got != url {
		t.Fatalf("the page is %s, want %s", got, url)
	}
	text := p.Text()
	for _, want := range texts {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", url, want, text)
		}
	}
	for _, line := range p.Complaints() {
		t.Errorf("%s: %s", url, line)
	}
}

// A person who has a browser alone finds what README's quick start pushes, and the lines that install it.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	s := newSite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "hello-mill", Fields: []string{"Maintainer: me <me@example.org>", "Description: a test"}}))
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{Name: "hello-rpm"}))
	front, name, version := s.url+"/acme/tools/", s.url+"/acme/tools/p/hello-mill/", s.url+"/acme/tools/p/hello-mill/1.0/"
	for _, path := range []string{"/", "/acme/tools/", "/acme/tools/names/", "/acme/tools/p/hello-mill/", "/acme/tools/p/hello-mill/1.0/", "/acme/tools/p/hello-rpm/1.0-1/"} {
		s.awaitPage(t, path)
	}
	proctest.Eventually(t, "the first page has both packages", func() bool {
		_, body := get(t, front)
		return strings.Contains(string(body), "hello-mill") && strings.Contains(string(body), "hello-rpm")
	})
	install := []string{"sudo apt-get install hello-mill=1.0", "me <me@example.org>", "ubuntu/jammy", "hello-mill_1.0_all.deb"}

	for _, v := range []browsertest.View{desktop, phone, {Width: 360, NoScripts: true}, {Width: 1280, Dark: true, NoScripts: true}} {
		t.Run("with links, "+v.String(), func(t *testing.T) {
			p := b.Open(t, s.url+"/", v)
			wants(t, p, s.url+"/", "acme/tools")
			p.Click("acme/tools")
			wants(t, p, front, s.url+"/install/repositories/acme/tools/script.deb.sh", s.url+"/install/repositories/acme/tools/script.rpm.sh", "test signing key")
			p.Click("hello-mill")
			wants(t, p, name, "sudo apt-get install hello-mill", "a test")
			p.Click("1.0")
			wants(t, p, version, install...)
			p.Click("acme")
			wants(t, p, s.url+"/acme/", "acme/tools")
		})
	}
	t.Run("with the list of names, without scripts", func(t *testing.T) {
		p := b.Open(t, front, browsertest.View{Width: 1280, NoScripts: true})
		p.Click("All 2 package names")
		wants(t, p, s.url+"/acme/tools/names/", "hello-mill", "hello-rpm")
		p.Click("hello-rpm")
		wants(t, p, s.url+"/acme/tools/p/hello-rpm/", "sudo dnf install hello-rpm")
	})
	t.Run("with the search", func(t *testing.T) {
		p := b.Open(t, front, phone)
		p.Click("Search packages")
		p.Press("lo-mi")
		proctest.Eventually(t, "one package is found", func() bool {
			return browsertest.Eval[string](p, "[...document.querySelectorAll('[data-search] ul a')].map(a => a.textContent).join()") == "hello-mill1.0"
		})
		p.Follow()
		wants(t, p, name, "sudo apt-get install hello-mill")
	})
	t.Run("with the keyboard alone", func(t *testing.T) {
		p := b.Open(t, s.url+"/", desktop)
		p.Press(kb.Tab + kb.Enter) // the link that skips
		for _, link := range []string{"acme/tools", "hello-mill", "1.0"} {
			p.Reach(link)
			p.Follow()
		}
		wants(t, p, version, install...)
	})
	t.Run("in pictures", func(t *testing.T) {
		gallery := b.NewGallery(t)
		for _, page := range []struct{ name, url string }{{"up-root", s.url + "/"}, {"up-front", front}, {"up-name", name}, {"up-version", version}} {
			for _, line := range gallery.Page(t, page.name, page.url) {
				t.Errorf("%s: %s", page.name, line)
			}
		}
	})
	t.Run("a private repository, with a token", func(t *testing.T) { s.private(t, b) })
	t.Run("packages that are hostile", func(t *testing.T) { s.hostilePages(t, b) })
}

// private makes a private repository. Its pages open with its token, in the browser's dialog or in the address, and the others do
// not mention it.
func (s *site) private(t *testing.T, b *browsertest.Browser) {
	s.does(t, 0, "", "repo", "create", "acme/secret", "--distribution", "ubuntu/jammy", "--visibility", "private")
	token := strings.TrimSpace(s.does(t, 0, "", "token", "create", "acme/secret", "browser").Stdout)
	s.publish(t, "acme/secret/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "plans"}))
	s.awaitPage(t, "/priv/"+token+"/acme/secret/p/plans/1.0/")
	proctest.Eventually(t, "the first page has the package", func() bool {
		_, body := get(t, s.url+"/priv/"+token+"/acme/secret/")
		return strings.Contains(string(body), "plans")
	})

	status, body := get(t, s.url+"/acme/secret/")
	if status != http.StatusUnauthorized || strings.Contains(string(body), "plans") {
		t.Errorf("without a token: %d %s", status, body)
	}
	for _, path := range []string{"/", "/acme/"} {
		if _, body := get(t, s.url+path); strings.Contains(string(body), "secret") {
			t.Errorf("%s mentions the private repository:\n%s", path, body)
		}
	}
	withPassword := strings.Replace(s.url, "http://", "http://token:"+token+"@", 1)
	for _, way := range []struct{ open, base string }{{withPassword, s.url}, {s.url + "/priv/" + token, s.url + "/priv/" + token}} {
		p := b.Open(t, way.open+"/acme/secret/", desktop)
		p.Complaints() // the server first asks for the password
		p.Click("plans")
		p.Click("1.0")
		wants(t, p, way.base+"/acme/secret/p/plans/1.0/", "sudo apt-get install plans=1.0")
		if text := p.Text(); strings.Contains(text, token) {
			t.Errorf("the page says the token:\n%s", text)
		}
	}
}
