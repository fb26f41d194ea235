package html_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"repomill/publish/pages/pagestest"

	pages "repomill/publish/pages/html"
)

var property = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]+)`)

// colours returns the custom properties of a part of the style sheet.
func colours(css string) map[string]string {
	all := map[string]string{}
	for _, m := range property.FindAllStringSubmatch(css, -1) {
		all[m[1]] = m[2]
	}
	return all
}

// luminance returns the relative luminance of a colour, as WCAG 2 defines it.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 24)
	if err != nil || len(hex) != 6 {
		t.Fatalf("colour %q: %v", colour, err)
	}
	linear := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Text has a contrast of 4.5 and borders of fields of 3 (WCAG 2.2, 1.4.3 and 1.4.11), in both schemes.
func TestContrast(t *testing.T) {
	if got := contrast(t, "#777", "#fff"); math.Abs(got-4.48) > 0.005 {
		t.Fatalf("grey on white has the contrast %f, want 4.48", got)
	}
	css := string(pages.New(pagestest.PublicURL).Assets()[0].Body)
	light, rest, _ := strings.Cut(css, "@media (prefers-color-scheme: dark) {")
	dark, _, found := strings.Cut(rest, "\n}\n")
	if !found {
		t.Fatal("the style has no dark scheme")
	}
	for scheme, of := range map[string]map[string]string{"light": colours(light), "dark": colours(dark)} {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "back", 7}, {"text", "raised", 4.5}, {"text", "bad-back", 4.5}, {"text", "button", 4.5}, {"soft", "back", 4.5}, {"soft", "raised", 4.5},
			{"link", "back", 4.5}, {"link", "raised", 4.5}, {"link", "bad-back", 4.5}, {"bad", "bad-back", 4.5}, {"focus", "back", 3}, {"focus", "raised", 3},
		} {
			if got := contrast(t, of[pair.front], of[pair.back]); got < pair.least {
				t.Errorf("%s: %s on %s has the contrast %.2f, want %.1f", scheme, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

// Each class of the pages and of the script has a style, and each class of the style is used: they change together.
func TestStyleAndPagesHaveTheSameClasses(t *testing.T) {
	site := pagestest.NewSite()
	r := pages.New(pagestest.PublicURL)
	css, js := string(r.Assets()[0].Body), string(r.Assets()[1].Body)
	used := map[string]bool{}
	for _, p := range site.Pages(r) {
		if !isHTML(p) {
			continue
		}
		for _, n := range elements(parse(t, p)) {
			classes, _ := attr(n, "class")
			for _, c := range strings.Fields(classes) {
				used[c] = true
			}
		}
	}
	for _, m := range regexp.MustCompile(`className: "([a-z]+)"`).FindAllStringSubmatch(js, -1) {
		used[m[1]] = true
	}
	styled := map[string]bool{"copy": true, "ago": true} // for the script
	for _, m := range regexp.MustCompile(`\.([a-z]+)\b[^{}();]*[{,]`).FindAllStringSubmatch(css, -1) {
		for _, c := range regexp.MustCompile(`\.([a-z]+)`).FindAllStringSubmatch(m[0], -1) {
			styled[c[1]] = true
		}
	}
	for c := range used {
		if !styled[c] {
			t.Errorf("class %s has no style", c)
		}
	}
	for c := range styled {
		if !used[c] {
			t.Errorf("class %s of the style is on no page", c)
		}
	}
}
