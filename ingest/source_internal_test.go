package ingest

import (
	"io"
	"testing"

	"repomill/schemas/catalog"
)

// A thoroughSource remembers what it was asked for.
type thoroughSource struct{ asked, closed *bool }

func (thoroughSource) Identity() catalog.Package       { return catalog.Package{} }
func (thoroughSource) Body() io.Reader                 { return nil }
func (thoroughSource) Describe(*catalog.Package) error { return nil }
func (s thoroughSource) VerifyWhole()                  { *s.asked = true }
func (s thoroughSource) Close() error                  { *s.closed = true; return nil }

func TestPayloadsAreVerifiedWhereSettingsSaySo(t *testing.T) {
	for _, tt := range []struct {
		verify catalog.VerifyPayload
		want   catalog.Checked
	}{
		{"", catalog.CheckedStructure},
		{catalog.VerifyAlways, catalog.CheckedWhole},
	} {
		asked, closed := false, false
		got, done := startVerification(thoroughSource{&asked, &closed}, tt.verify)
		if got != tt.want || asked != (tt.verify == catalog.VerifyAlways) || closed {
			t.Errorf("%q: %s, asked %v, closed %v; want %s", tt.verify, got, asked, closed, tt.want)
		}
		if done(); !closed {
			t.Errorf("%q: it is not closed", tt.verify)
		}
	}
}
