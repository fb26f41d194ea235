package apt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/apt"
	"repomill/schemas/catalog"
)

var release = apt.Release{
	Origin: "acme/tools", Label: "tools", Codename: "jammy",
	Date:          time.Date(2026, 8, 1, 9, 5, 6, 0, time.UTC),
	Revision:      catalog.Revision{Number: 41, Nonce: "0123456789abcdef"},
	Architectures: []string{"all", "amd64"}, Components: []string{"contrib", "main"},
	Files: []apt.File{
		{Path: "main/binary-all/Packages", Size: 0, SHA256: strings.Repeat("0", 64)},
		{Path: "main/binary-all/Packages.gz", Size: 20, SHA256: strings.Repeat("f", 64)},
	},
}

var body = `Origin: acme/tools
Label: tools
Suite: jammy
Codename: jammy
Date: Sat, 01 Aug 2026 09:05:06 UTC
Repomill-Revision: 41 0123456789abcdef
Architectures: all amd64
Components: contrib main
Acquire-By-Hash: yes
SHA256:
 ` + strings.Repeat("0", 64) + ` 0 main/binary-all/Packages
 ` + strings.Repeat("f", 64) + ` 20 main/binary-all/Packages.gz
`

func TestRender(t *testing.T) {
	if diff := cmp.Diff(body, string(release.Render())); diff != "" {
		t.Errorf("Release (-want +got):\n%s", diff)
	}
	east := release
	east.Date = east.Date.In(time.FixedZone("CEST", 7200))
	if got := string(east.Render()); got != body {
		t.Errorf("Date is not in UTC: %s", got)
	}
}

func TestParse(t *testing.T) {
	got, err := apt.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(release, got); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"a line without a colon", "Suite: jammy", "Suite jammy", `line "Suite jammy" has no colon`},
		{"an empty line", "Suite: jammy", "", `line "" has no colon`},
		{"a date of another kind", "01 Aug", "1. August", "field Date"},
		{"a revision that is no number", " 41 ", " x ", "field Repomill-Revision"},
		{"a file without a size", " 20 main", " main", "file line"},
		{"a file whose size is no number", " 20 main", " 2x main", "invalid syntax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := apt.Parse([]byte(strings.Replace(body, tt.old, tt.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A Release of another tool has no revision.
func TestParseForeign(t *testing.T) {
	got, err := apt.Parse([]byte("Origin: Debian\nVersion: 12.5\nSHA256:\n"))
	if err != nil || got.Revision != (catalog.Revision{}) || !got.Date.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(body)
	f.Add("SHA256:\n  \n")
	f.Add(":")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := apt.Parse([]byte(s))
		if err != nil {
			return
		}
		again, err := apt.Parse(r.Render())
		if err != nil || again.Revision.Number != r.Revision.Number || len(again.Files) != len(r.Files) {
			t.Errorf("%q is %+v, then %+v, %v", s, r, again, err)
		}
	})
}
