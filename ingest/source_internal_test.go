package ingest

import (
	"io"
	"testing"

	"repomill/schemas/catalog"
)

// A plain source has no way to verify its payload; a thorough one has.
type plainSource struct{}

func (plainSource) Identity() catalog.Package       { return catalog.Package{} }
func (plainSource) Body() io.Reader                 { return nil }
func (plainSource) Describe(*catalog.Package) error { return nil }

type thoroughSource struct {
	plainSource
	asked *bool
}

func (s thoroughSource) VerifyWhole() { *s.asked = true }

func TestPayloadsAreVerifiedWhereSettingsSaySo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		thorough bool
		verify   catalog.VerifyPayload
		want     catalog.Checked
	}{
		{"nobody asks for it", true, "", catalog.CheckedStructure},
		{"the repository asks for it", true, catalog.VerifyAlways, catalog.CheckedWhole},
		{"the format cannot", false, catalog.VerifyAlways, catalog.CheckedStructure},
	} {
		asked := false
		var pkg source = plainSource{}
		if tt.thorough {
			pkg = thoroughSource{asked: &asked}
		}
		if got := check(pkg, tt.verify); got != tt.want || asked != (tt.want == catalog.CheckedWhole) {
			t.Errorf("%s: %s, asked %v; want %s", tt.name, got, asked, tt.want)
		}
	}
}
