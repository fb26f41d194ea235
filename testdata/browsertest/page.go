package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A View is how a person looks at a page.
type View struct {
	Width     int // of the window, in CSS pixels; below 600 it is a phone
	Dark      bool
	NoScripts bool
}

// height returns that of the window.
func (v View) height() int {
	if v.phone() {
		return 740
	}
	return 900
}

func (v View) phone() bool { return v.Width < 600 }

// A Page is a tab of the browser.
type Page struct {
	View
	t     testing.TB
	ctx   context.Context
	watch *watch
}

// Tab opens an empty tab, which shares nothing with others. It is closed when the test ends.
func (b *Browser) Tab(t testing.TB, v View) *Page {
	t.Helper()
	p := &Page{View: v, t: t, watch: new(watch)}
	var closeTab context.CancelFunc
	p.ctx, closeTab = chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	if err := chromedp.Do(p.ctx); err != nil {
		t.Fatalf("the browser opens no tab: %v\n%s", err, b.out)
	}
	p.watch.begin(p)
	Call(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.Look(v)
	return p
}

// In returns the tab as part of another test, such as a subtest of that which opened it.
func (p *Page) In(t testing.TB) *Page {
	same := *p
	same.t = t
	return &same
}

// Look changes the view of the tab. Scripts that run go on until another page is opened.
func (p *Page) Look(v View) {
	p.t.Helper()
	p.View = v
	p.size(v.Width, v.phone())
	Call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScripts})
	p.media("")
}

func (p *Page) size(width int, phone bool) {
	p.t.Helper()
	Call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(width), Height: int64(p.height()), DeviceScaleFactor: 1, Mobile: phone})
}

// media is "print", or empty for the screen.
func (p *Page) media(media string) {
	p.t.Helper()
	scheme := "light"
	if p.Dark {
		scheme = "dark"
	}
	Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// Open opens a page in a tab of its own and waits until all of it is loaded.
func (b *Browser) Open(t testing.TB, url string, v View) *Page {
	t.Helper()
	p := b.Tab(t, v)
	p.Go(url)
	return p
}

// Go opens another page in the tab.
func (p *Page) Go(url string) {
	p.t.Helper()
	Do(p, "open "+url, chromedp.Navigate(url))
}

// Click clicks on the one link, button, summary or input that has a name, and waits for the page that a link leads to.
func (p *Page) Click(text string) {
	p.t.Helper()
	at := Eval[[]float64](p, "browsertest.place("+quote(text)+")")
	if len(at) != 2 {
		p.t.Fatalf("%s: there is not one thing to click on that says %q:\n%s", p.URL(), text, p.Text())
	}
	click := chromedp.MouseClickXY(at[0], at[1])
	if Eval[bool](p, "browsertest.leads("+quote(text)+")") {
		p.awaiting("click on "+text, click)
		return
	}
	Do(p, "click on "+text, click)
}

// Press presses keys, one after another: characters, or those of package kb.
func (p *Page) Press(keys string) {
	p.t.Helper()
	Do(p, "press keys", chromedp.KeyEvent(keys))
}

// Reach presses Tab until the element that has a name has the focus.
func (p *Page) Reach(name string) {
	p.t.Helper()
	for range 100 {
		p.Press(kb.Tab)
		if Eval[string](p, "browsertest.name(document.activeElement)") == name {
			return
		}
	}
	p.t.Fatalf("%s: the Tab key does not reach %q", p.URL(), name)
}

// Follow presses Enter on the link that has the focus, and waits for the page that it leads to.
func (p *Page) Follow() {
	p.t.Helper()
	p.awaiting("press Enter", chromedp.KeyEvent(kb.Enter))
}

func (p *Page) awaiting(what string, step chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		p.t.Fatalf("%s: %s: no page follows: %v", p.URL(), what, err)
	}
}

// URL returns the address of the page.
func (p *Page) URL() string { return Do(p, "ask for the address", chromedp.Location()) }

// Text returns what a person reads on the page.
func (p *Page) Text() string { return Eval[string](p, "document.body.innerText") }

// Screenshot writes a picture of the page, or of the first 3,000 pixels of it, into a folder: NAME.png.
func (p *Page) Screenshot(dir, name string) {
	p.t.Helper()
	size := Eval[[]float64](p, "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
	yes := true
	shot := Call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &yes, OptimizeForSpeed: &yes,
		Clip: &page.Viewport{Width: size[0], Height: min(size[1], 3000), Scale: 1}})
	file := filepath.Join(dir, name+".png")
	if err := os.WriteFile(file, shot.Data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
