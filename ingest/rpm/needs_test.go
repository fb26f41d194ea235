package rpm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

func TestNeedsAreOfExactVersions(t *testing.T) {
	for _, tt := range []struct {
		fact, requires string
		want           []catalog.Need
	}{
		{"a version with a release", `<rpm:entry name="libfoo" flags="EQ" epoch="0" ver="1.0" rel="3"/>`, []catalog.Need{{Name: "libfoo", From: "0:1.0-3", Until: "0:1.0-3"}}},
		{"an architecture", `<rpm:entry name="libfoo(x86-64)" flags="EQ" epoch="1" ver="1.0" rel="3" pre="1"/>`, []catalog.Need{{Name: "libfoo", From: "1:1.0-3", Until: "1:1.0-3"}}},
		{"a version without a release", `<rpm:entry name="libfoo" flags="EQ" epoch="0" ver="1.0"/>`, []catalog.Need{{Name: "libfoo", From: "0:1.0-", Until: "0:1.0-\x7f"}}},
		{"once", `<rpm:entry name="a" flags="EQ" epoch="0" ver="1" rel="1"/><rpm:entry name="a(aarch-64)" flags="EQ" epoch="0" ver="1" rel="1"/>`, []catalog.Need{{Name: "a", From: "0:1-1", Until: "0:1-1"}}},
		{"no other relation, and no name of another kind", `<rpm:entry name="a" flags="GE" epoch="0" ver="1" rel="1"/><rpm:entry name="b"/><rpm:entry name="(c = 1 or d)"/><rpm:entry name="font(:lang=x)" flags="EQ" epoch="0" ver="1"/>`, nil},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			primary := "<package>\n  <format>\n    <rpm:provides>\n<rpm:entry name=\"x\" flags=\"EQ\" epoch=\"0\" ver=\"1\" rel=\"1\"/>\n</rpm:provides>\n<rpm:requires>\n" + tt.requires + "\n</rpm:requires>\n  </format>\n</package>\n"
			if diff := cmp.Diff(tt.want, needsOf([]byte(primary))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
