package browsertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// Layout returns what is wrong about how a page looks in its view, without axe: wider than the window, hard to read, controls that a
// finger misses. Everything that can be opened is open after it.
func (p *Page) Layout() []string {
	p.t.Helper()
	Eval[bool](p, "browsertest.open()")
	return p.problems("overflow", "contrast", "targets")
}

// Structure returns what is wrong about a page for one who does not see it: headings, names of what can be used, landmarks, tables.
func (p *Page) Structure() []string {
	p.t.Helper()
	return p.problems("document", "headings", "names", "landmarks", "tables")
}

func (p *Page) problems(checks ...string) (found []string) {
	p.t.Helper()
	for _, c := range checks {
		found = append(found, Eval[[]string](p, "browsertest."+c+"()")...)
	}
	return found
}

// Narrow returns what does not fit into a window of 320 pixels, which is one of 1280 at 400 %.
func (p *Page) Narrow() []string {
	p.t.Helper()
	return p.sized(320, "at 320 pixels: ", "overflow")
}

// Print returns what a sheet of A4 does not show.
func (p *Page) Print() []string {
	p.t.Helper()
	p.media("print")
	defer p.media("")
	const sheet = 718 // 19 cm of 96 pixels an inch
	return p.sized(sheet, "on paper: ", "overflow", "cut", "contrast")
}

func (p *Page) sized(width int, label string, checks ...string) []string {
	p.t.Helper()
	p.size(width, false)
	proctest.Eventually(p.t, "the window has another width", func() bool { return Eval[int](p, "document.documentElement.clientWidth") == width })
	found := p.problems(checks...)
	for i, line := range found {
		found[i] = label + line
	}
	p.size(p.Width, p.phone())
	return found
}

// Keyboard goes through the page with the Tab key, up to a number of steps, and returns what is wrong about that: an order other than
// that of the page, a focus that is not to be seen, and, if the end is reached, controls that were not.
func (p *Page) Keyboard(steps int) (found []string) {
	p.t.Helper()
	Eval[int](p, "browsertest.rest()")
	for range steps {
		p.Press(kb.Tab)
		wrong := Eval[[]string](p, "browsertest.focused()")
		if wrong == nil {
			return append(found, p.problems("missed")...)
		}
		found = append(found, wrong...)
	}
	return found
}

// HasAxe reports whether axe-core is there: deploy/install-test-tools has it from npm. If not, the log says what is not shown.
func HasAxe(t testing.TB) bool {
	t.Helper()
	_, err := os.Stat(axe(t))
	if err != nil {
		t.Log("NOT SHOWN: axe-core is not installed (make test installs it from npm), so that its rules are not tested, only our own")
	}
	return err == nil
}

// Axe returns what axe-core finds, which must be there. It works with the scripts of the page, which must not be off.
func (p *Page) Axe() []string {
	p.t.Helper()
	script, err := os.ReadFile(axe(p.t))
	if err != nil || p.NoScripts {
		p.t.Fatalf("axe cannot run without scripts, or without its own: %v", err)
	}
	Eval[bool](p, string(script)+";true")
	return Eval[[]string](p, "browsertest.axe()")
}

func axe(t testing.TB) string {
	return filepath.Join(deploytest.Root(t), "bin", "tools", "axe", "axe.min.js")
}
