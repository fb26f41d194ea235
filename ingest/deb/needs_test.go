package deb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

func TestNeedsAreOfExactVersions(t *testing.T) {
	exactly := func(name, version string) catalog.Need {
		return catalog.Need{Name: name, From: version, Until: version}
	}
	for _, tt := range []struct {
		fact, fields string
		want         []catalog.Need
	}{
		{"a version", "Depends: libfoo (= 1.0-3), libbar (>= 2), libbaz\n", []catalog.Need{exactly("libfoo", "1.0-3")}},
		{"a version before the package is unpacked", "Pre-Depends: libfoo (= 1:2.00-0)\n", []catalog.Need{exactly("libfoo", "1:2.0")}},
		{"alternatives, architectures and line ends", "Depends: a (=1) | b:any (= 2),\n c:amd64 ( = 3 ) [amd64]\n", []catalog.Need{exactly("a", "1"), exactly("b", "2"), exactly("c", "3")}},
		{"once", "Pre-Depends: a (= 1)\nDepends: a (= 1.), a (= 1), a (= 2)\n", []catalog.Need{exactly("a", "1"), exactly("a", "1.0"), exactly("a", "2")}},
		{"no other relation", "Depends: a (<< 1), b (>= 1), c (<= 1), d (>> 1)\nRecommends: e (= 1)\nSuggests: f (= 1)\n", nil},
		{"not itself, and no version that cannot be", "Depends: app (= 1), a (= ${binary:Version}), b (= x)\n", nil},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			fs, err := cutFields("Package: app\n" + tt.fields)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, fs.needs()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var many strings.Builder
	for i := range 3 * maxNeeds {
		fmt.Fprintf(&many, "a%d (= 1), ", i)
	}
	fs, err := cutFields("Package: app\nDepends: " + many.String() + "b\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(fs.needs()); got != maxNeeds {
		t.Errorf("got %d needs, want %d", got, maxNeeds)
	}
}
