package browsertest_test

import (
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"repomill/testdata/browsertest"
)

// whole is a page about which nothing is wrong.
const whole = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Good page</title>
<link rel="icon" href="data:,"><style>
:root { color-scheme: light dark; --text: #222; --paper: #fff; --link: #00c; }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --paper: #181818; --link: #9bf; } }
body { font: 16px/1.5 sans-serif; color: var(--text); background: var(--paper); margin: 1rem; }
a, ::placeholder { color: var(--link); } :focus-visible { outline: 3px solid var(--link); }
.skip:not(:focus) { position: absolute; left: 0; top: -9rem; }
input, button { font: inherit; min-height: 2rem; border: 1px solid currentColor; color: inherit; background: inherit; }
.wide { overflow-x: auto; } @media print { .wide { overflow: visible; } }
</style></head><body>
<a class="skip" href="#main">Skip to content</a>
<header><nav aria-label="Site"><a href="/">Home</a></nav></header>
<main id="main"><h1>Good page</h1><p>Some text with <a href="/other">a link</a> in it.</p>
<h2>Table</h2><div class="wide" role="region" aria-label="Table" tabindex="0"><table><caption>Numbers</caption>
<thead><tr><th scope="col">One</th><th scope="col">Two</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>
<h2>Form</h2><form action="/"><label for="q">Search</label> <input id="q" name="q" placeholder="a name"> <button>Go</button></form>
<details><summary>More</summary><p>Hidden at first.</p></details></main>
<footer><p>The end.</p></footer></body></html>`

// serve answers every path but those below /missing with a page.
func serve(t *testing.T, body string, headers ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if strings.HasPrefix(r.URL.Path, "/missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, body) //nolint:errcheck // the browser went away
	}))
	t.Cleanup(s.Close)
	return s.URL
}

var (
	phone   = browsertest.View{Width: 360}
	desktop = browsertest.View{Width: 1280}
	night   = browsertest.View{Width: 1280, Dark: true}
)

// all runs every check but axe, and returns what each finds.
func all(p *browsertest.Page) iter.Seq[string] {
	return func(yield func(string) bool) {
		keyboard := func() []string { return p.Keyboard(50) }
		for _, check := range []func() []string{p.Complaints, p.Layout, p.Structure, p.Narrow, p.Print, keyboard, p.Complaints} {
			for _, line := range check() {
				if !yield(line) {
					return
				}
			}
		}
	}
}

func TestNothingIsFoundOnAGoodPage(t *testing.T) {
	b := browsertest.New(t)
	url := serve(t, whole, "Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'; img-src data:")
	for _, v := range []browsertest.View{phone, desktop, night, {Width: 360, Dark: true}, {Width: 360, NoScripts: true}} {
		t.Run(v.String(), func(t *testing.T) {
			p := b.Open(t, url, v)
			for line := range all(p) {
				t.Error(line)
			}
			if v.NoScripts || !browsertest.HasAxe(t) {
				return
			}
			for _, line := range p.Axe() {
				t.Error(line)
			}
		})
	}
}

func TestChecksFindWhatIsWrong(t *testing.T) {
	b := browsertest.New(t)
	opened := b.Tab(t, desktop)
	for _, test := range []struct {
		name     string
		view     browsertest.View
		old, new string // of the good page
		want     string // in one of the lines
	}{
		{"wide content", phone, `<p>Some`, `<p style="width: 500px">Some`, "pixels wider than the window: <p>"},
		{"content that is too wide at 320 pixels alone", phone, `<p>Some`, `<p style="width: 330px">Some`, "pixels wider than the window: <p>"},
		{"pale text", desktop, `#222`, `#999`, "contrast 2.85 is less than 4.5: <p>"},
		{"pale text in the dark alone", night, `#ddd`, `#555`, "is less than 4.5: <p>"},
		{"a heading that is pale, but large", desktop, `<h1>`, `<h1 style="color: #999; font-size: 40px">`, "contrast 2.85 is less than 3: <h1>"},
		{"text that fades", desktop, `<p>The end`, `<p style="opacity: .4">The end`, "is less than 4.5: <p>"},
		{"text on a picture", desktop, `<p>The end`, `<p style="background: linear-gradient(#000, #fff)">The end`, "the contrast of <p> \"The end.\" cannot be computed"},
		{"a pale placeholder", desktop, `a, ::placeholder { color`, `::placeholder { color: #bbb } a { color`, "the placeholder of <input#q>"},
		{"an input without an edge", desktop, `1px solid currentColor`, `1px solid #eee`, "the edge of <input#q>"},
		{"pale text in what is closed at first", desktop, `<p>Hidden`, `<p style="color: #aaa">Hidden`, "is less than 4.5: <p> \"Hidden"},
		{"no h1", desktop, `<h1>Good page</h1>`, ``, "0 h1 on the page"},
		{"two h1", desktop, `<h2>Form`, `<h1>Form</h1><h2>`, "2 h1 on the page"},
		{"a heading of a level that is left out", desktop, `<h2>Form</h2>`, `<h4>Form</h4>`, `after h2 comes <h4> "Form"`},
		{"an input without a label", desktop, `<label for="q">`, `<label>`, `no name: <input id="q"`},
		{"a button without a name", desktop, `<button>Go`, `<button>`, "no name: <button>"},
		{"a link without a name", desktop, `>a link<`, `><`, `no name: <a href="/other">`},
		{"a picture without a text", desktop, `<p>The end.`, `<p>The end.<img src="data:,">`, "no alt: <img>"},
		{"a page without a language", desktop, ` lang="en"`, ``, "the page has no lang"},
		{"a page without a title", desktop, `<title>Good page</title>`, ``, "the page has no title"},
		{"a page without a doctype", desktop, `<!DOCTYPE html>`, ``, "the page has no doctype"},
		{"a page without a viewport", desktop, `name="viewport"`, `name="other"`, "the page has no viewport"},
		{"a page that cannot be enlarged", desktop, `initial-scale=1`, `maximum-scale=1`, "cannot enlarge"},
		{"an ID that is there twice", desktop, `<h1>`, `<h1 id="q">`, "two elements have the ID q"},
		{"no main", desktop, `<main id="main">`, `<div id="main">`, "0 main on the page"},
		{"no header", desktop, `<header>`, `<div>`, "no header on the page"},
		{"no link that skips", desktop, `href="#main"`, `href="#other"`, "the first link does not lead to main"},
		{"a table without a caption", desktop, `<caption>Numbers</caption>`, ``, "no caption: <table>"},
		{"a table header without a scope", desktop, `<th scope="col">Two`, `<th>Two`, `no scope: <th> "Two"`},
		{"a small button", phone, `min-height: 2rem`, `height: 20px; line-height: 1; padding: 0`, `x 20 pixels: <button> "Go"`},
		{"links that are too close", phone, `<p>The end.`, `<p style="line-height: 1"><a href="/1">One</a><br><a href="/2">Two</a>`, `a finger that means <a> "One" hits <a> "Two"`},
		{"a focus that cannot be seen", desktop, `outline: 3px solid var(--link)`, `outline: none`, "nothing shows the focus on <a>"},
		{"a pale ring around the focus", desktop, `outline: 3px solid var(--link)`, `outline: 3px solid #ddd`, "the ring around <a>"},
		{"a focus that is out of sight", desktop, `.skip:not(:focus)`, `.skip`, "the focus is out of sight on <a.skip>"},
		{"a focus that is covered", desktop, `<p>The end.`, `<div style="position: fixed; inset: 0"></div><p>`, "something covers the focus on <a>"},
		{"an order of its own", desktop, `<a href="/">Home`, `<a href="/" tabindex="2">Home`, "the focus goes back from"},
		{"what a screen scrolls, on paper", desktop, `<td>2</td>`, `<td style="min-width: 900px">2</td>`, "pixels wider than the window: <td>"},
		{"what a screen scrolls and paper does not", desktop, `.wide { overflow: visible; }`, `td { min-width: 900px; }`, "the end is cut off: <div.wide>"},
		{"a script that fails", desktop, `</main>`, `<script>nowhere.at.all()</script></main>`, "a script failed: ReferenceError"},
		{"a script that writes to the console", desktop, `</main>`, `<script>console.warn("careful")</script></main>`, `the console (warning): "careful"`},
		{"a file that is missing", desktop, `</main>`, `<script src="/missing.js"></script></main>`, "/missing.js is answered with 404"},
		{"a dialog", desktop, `</main>`, `<script>alert("look")</script></main>`, `a dialog says "look"`},
		{"a server that is elsewhere", desktop, `</main>`, `<img alt="x" src="http://packages.example/x.png"></main>`, "did not load: net::ERR_NAME_NOT_RESOLVED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := strings.Replace(whole, test.old, test.new, 1)
			if body == whole {
				t.Fatalf("the good page has no %q", test.old)
			}
			var found []string
			tab := opened.In(t)
			tab.Look(test.view)
			tab.Go(serve(t, body))
			defer tab.Complaints() // of which the next page knows nothing
			for line := range all(tab) {
				if strings.Contains(line, test.want) {
					return
				}
				found = append(found, line)
			}
			t.Errorf("got\n%s\nwant %q", strings.Join(found, "\n"), test.want)
		})
	}
}

func TestAxeFindsWhatIsWrong(t *testing.T) {
	b := browsertest.New(t)
	if !browsertest.HasAxe(t) {
		t.Skip("axe-core is not installed (make test installs it from npm): nothing shows here that the tests would hear what it finds")
	}
	p := b.Open(t, serve(t, strings.Replace(whole, "<button>", `<button role="heading">`, 1)), desktop)
	found := strings.Join(p.Axe(), "\n")
	if !strings.Contains(found, "aria-allowed-role") {
		t.Errorf("got %q, want axe's complaint about the role", found)
	}
}

func TestWhatThePolicyForbidsIsReported(t *testing.T) {
	b := browsertest.New(t)
	url := serve(t, strings.Replace(whole, "</main>", "<script>window.pwned = 1</script></main>", 1), "Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'; img-src data:")
	p := b.Open(t, url, desktop)
	if found := strings.Join(p.Complaints(), "\n"); !strings.Contains(found, "Content Security Policy") || !strings.Contains(found, "script-src") {
		t.Errorf("got %s, want the policy's complaint about the script", found)
	}
	if browsertest.Eval[bool](p, "'pwned' in window") {
		t.Error("the script ran")
	}
}

func TestScriptsAreOff(t *testing.T) {
	b := browsertest.New(t)
	url := serve(t, strings.Replace(whole, "</main>", `<script>document.title = "changed"</script></main>`, 1))
	for _, off := range []bool{false, true} {
		want := map[bool]string{false: "changed", true: "Good page"}[off]
		if got := browsertest.Eval[string](b.Open(t, url, browsertest.View{Width: 1280, NoScripts: off}), "document.title"); got != want {
			t.Errorf("without scripts %t: the title is %q, want %q", off, got, want)
		}
	}
}

func TestAPersonUsesAPage(t *testing.T) {
	b := browsertest.New(t)
	url := serve(t, whole)
	for _, v := range []browsertest.View{phone, {Width: 1280, NoScripts: true}} {
		t.Run(v.String(), func(t *testing.T) {
			p := b.Open(t, url, v)
			p.Click("More")
			if !strings.Contains(p.Text(), "Hidden at first.") {
				t.Errorf("what was clicked on is not open:\n%s", p.Text())
			}
			p.Click("Search")
			p.Press("hello")
			if got := browsertest.Eval[string](p, "document.querySelector('input').value"); got != "hello" {
				t.Errorf("the input has %q", got)
			}
			p.Click("a link")
			if got := p.URL(); got != url+"/other" {
				t.Errorf("a click leads to %s", got)
			}
			p.Reach("Home")
			p.Follow()
			if got := p.URL(); got != url+"/" {
				t.Errorf("the Enter key leads to %s", got)
			}
		})
	}
}
