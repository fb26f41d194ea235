package catalog_test

import (
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

func TestCheckDescription(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"none", "", ""},
		{"words", "Compilers and linkers of the build farm", ""},
		{"marks and letters of all scripts", `<b>"größer" & 日本語</b> 🛠`, ""},
		{"300 characters of several bytes", strings.Repeat("日", 300), ""},
		{"301 characters", strings.Repeat("x", 301), "it has 301 characters; use at most 300"},
		{"two lines", "one\ntwo", "one line of printable UTF-8"},
		{"a tab", "one\ttwo", "one line of printable UTF-8"},
		{"an escape sequence", "\x1b[31mred", "one line of printable UTF-8"},
		{"a mark that turns the direction of text", "abc\u202edef", "one line of printable UTF-8"},
		{"bytes of another encoding", "gr\xf6\xdfer", "one line of printable UTF-8"},
		{"space at the end", "tools ", "remove the space"},
		{"only space", " ", "remove the space"},
	} {
		err := catalog.CheckDescription(tt.text)
		if got := err == nil; got != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
