package browsertest

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// screenshots is the environment variable with the folder for pictures, in which each test has its own folders. make screenshots sets it.
const screenshots = "REPOMILL_SCREENSHOTS"

// A Gallery opens pages in every view, checks them and keeps pictures of them.
type Gallery struct {
	tab    *Page
	dir    string
	axe    bool
	titles map[string]string // title -> page
}

// NewGallery returns an empty gallery. Its pictures are in a temporary folder, unless the environment names one; the log says where.
func (b *Browser) NewGallery(t testing.TB) *Gallery {
	t.Helper()
	dir := os.Getenv(screenshots)
	if dir == "" {
		dir = t.TempDir()
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Logf("screenshots: %s (make screenshots keeps them)", dir)
	return &Gallery{tab: b.Tab(t, View{Width: 1280}), dir: dir, axe: HasAxe(t), titles: map[string]string{}}
}

// Page looks at a page on a phone and a desktop, in light and dark, with scripts and without, and returns all that is wrong.
func (g *Gallery) Page(t testing.TB, name, url string) (found []string) {
	t.Helper()
	tab := g.tab.In(t)
	for _, v := range views() {
		tab.Look(v)
		tab.Go(url)
		view := v.String()
		tab.Screenshot(g.dir, name+"-"+view)
		wrong := slices.Concat(tab.Layout(), tab.Complaints())
		if !v.NoScripts && v.Dark == v.phone() { // what takes longer: on a phone in the dark, and on a desktop in the light
			if g.axe {
				wrong = append(wrong, tab.Axe()...)
			}
			wrong = slices.Concat(wrong, tab.Structure(), tab.Narrow(), tab.Print(), tab.Keyboard(tabs))
		}
		if more := len(wrong) - most; more > 0 {
			wrong = append(wrong[:most], fmt.Sprintf("and %d more", more))
		}
		for _, line := range wrong {
			found = append(found, view+": "+line)
		}
	}
	title := Eval[string](tab, "document.title")
	if other, taken := g.titles[title]; taken {
		found = append(found, fmt.Sprintf("has the title of %s: %s", other, title))
	}
	g.titles[title] = name
	return found
}

const (
	tabs = 100 // how far the keyboard goes through a page
	most = 20  // lines for a view: a color that is wrong is wrong in a thousand places
)

// views returns those of a gallery. Without scripts, pages differ by what scripts add: two views show that.
func views() []View {
	return []View{{360, false, false}, {1280, false, false}, {360, true, false}, {1280, true, false}, {360, false, true}, {1280, true, true}}
}

// String returns a view as it is in the names of pictures.
func (v View) String() string {
	name := fmt.Sprintf("%d-%s", v.Width, map[bool]string{false: "light", true: "dark"}[v.Dark])
	if v.NoScripts {
		name += "-noscript"
	}
	return name
}
