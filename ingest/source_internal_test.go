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
	asked, closed *bool
}

func (s thoroughSource) VerifyWhole() { *s.asked = true }
func (s thoroughSource) Close() error { *s.closed = true; return nil }

func TestPayloadsAreVerifiedWhereSettingsSaySo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		thorough bool
		verify   catalog.VerifyPayload
		want     catalog.Checked
	}{
		{"nobody asks for it", true, "", catalog.CheckedStructure},
		{"the repository asks for it", true, catalog.VerifyAlways, catalog.CheckedWhole},
		{"a digest covers a payload that is not unpacked", false, "", catalog.CheckedStructure},
	} {
		asked, closed := false, false
		var pkg source = plainSource{}
		if tt.thorough {
			pkg = thoroughSource{asked: &asked, closed: &closed}
		}
		got, done := check(pkg, tt.verify)
		if got != tt.want || asked != (tt.verify == catalog.VerifyAlways) {
			t.Errorf("%s: %s, asked %v; want %s", tt.name, got, asked, tt.want)
		}
		if done(); closed != tt.thorough {
			t.Errorf("%s: closed %v, want %v", tt.name, closed, tt.thorough)
		}
	}
}
