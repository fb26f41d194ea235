package browsertest_test

import (
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/browsertest"
)

func TestGallery(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("REPOMILL_SCREENSHOTS", dir)
	g := browsertest.New(t).NewGallery(t)
	if found := g.Page(t, "good", serve(t, whole)); found != nil {
		t.Errorf("a good page: got\n%s", strings.Join(found, "\n"))
	}
	broken := strings.Replace(whole, "<p>The end.", `<p style="width: 500px">The end.`, 1)
	found := g.Page(t, "broken", serve(t, broken))
	for _, want := range []string{"360-light: the page is", "360-dark: the page is", "360-light-noscript: the page is", "1280-light: at 320 pixels: the page is", "has the title of good: Good page"} {
		if !slices.ContainsFunc(found, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("a broken page: got\n%s\nwant %q", strings.Join(found, "\n"), want)
		}
	}
	if slices.ContainsFunc(found, func(line string) bool {
		return strings.HasPrefix(line, "1280-light: the page is") || strings.HasPrefix(line, "1280-dark: ")
	}) {
		t.Errorf("a page that is too wide for a phone alone: got\n%s", strings.Join(found, "\n"))
	}

	for _, view := range []string{"360-light", "360-dark", "1280-light", "1280-dark", "360-light-noscript", "1280-dark-noscript"} {
		f, err := os.Open(filepath.Join(dir, "good-"+view+".png"))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		width := map[bool]int{true: 360, false: 1280}[strings.HasPrefix(view, "360")]
		red, _, _, _ := picture.At(1, 1).RGBA()
		if dark := red < 0x8000; picture.Bounds().Dx() != width || dark != strings.Contains(view, "dark") {
			t.Errorf("%s: the picture is %d pixels wide, dark %t", view, picture.Bounds().Dx(), dark)
		}
	}
}
