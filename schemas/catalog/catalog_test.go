package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

func TestParseRelease(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       catalog.Release
		ok         bool
	}{
		{"a DEB release has no architecture", "acme/tools/ubuntu/jammy", jammy, true},
		{"an RPM release is an architecture", "acme/tools/el/9/x86_64", el9, true},
		{"empty", "", catalog.Release{}, false},
		{"a distribution", "ubuntu/jammy", catalog.Release{}, false},
		{"no version", "acme/tools/ubuntu", catalog.Release{}, false},
		{"too long", "acme/tools/el/9/x86_64/repodata", catalog.Release{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := catalog.ParseRelease(tt.text)
			if got != tt.want || (err == nil) != tt.ok {
				t.Fatalf("got %+v, %v; want %+v", got, err, tt.want)
			}
			if tt.ok && got.String() != tt.text {
				t.Errorf("String is %q, want %q", got.String(), tt.text)
			}
		})
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add("acme/tools/ubuntu/jammy")
	f.Add("acme/tools/el/9/x86_64")
	f.Add("////")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := catalog.ParseRelease(s)
		if err != nil {
			return
		}
		again, err := catalog.ParseRelease(r.String())
		if err != nil || again != r {
			t.Errorf("%q is %+v, then %+v, %v", s, r, again, err)
		}
	})
}

func TestString(t *testing.T) {
	for want, s := range map[string]fmt.Stringer{
		"acme/tools":             tools,
		"ubuntu/jammy":           jammy.Distribution,
		"7 0123456789abcdef":     catalog.Revision{Number: 7, Nonce: "0123456789abcdef"},
		"acme/tools/x/1/f.deb#g": catalog.Upload{Bucket: "staging", Object: "acme/tools/x/1/f.deb", Generation: "g", Size: 3},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFinalStates(t *testing.T) {
	for state, want := range map[catalog.UploadState]bool{
		catalog.Received: false, catalog.Stored: false, catalog.Published: true, catalog.Duplicate: true, catalog.Rejected: true, "": false,
	} {
		if got := state.Final(); got != want {
			t.Errorf("%q is final: %v, want %v", state, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	want := catalog.DistributionSettings{Distribution: jammy.Distribution, Components: []string{"main"}, Architectures: []string{"amd64"}}
	s := catalog.Settings{Repository: tools, Distributions: []catalog.DistributionSettings{{Distribution: el9.Distribution}, want}}
	if got, ok := s.Find(jammy.Distribution); !ok || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, ok, want)
	}
	if got, ok := s.Find(catalog.Distribution{OS: "ubuntu", Version: "noble"}); ok {
		t.Errorf("got %+v for a distribution that is not there", got)
	}
}

// Published settings have no field for the format, so that those of every version of the program read alike.
func TestJSONOfADistributionHasItsFormat(t *testing.T) {
	for format, text := range map[catalog.Format]string{
		catalog.DEB: `{"distribution":{"os":"ubuntu","version":"jammy"},"components":["main"],"architectures":["amd64"]}`,
		catalog.RPM: `{"distribution":{"os":"el","version":"9"},"architectures":["x86_64"]}`,
	} {
		var ds catalog.DistributionSettings
		if err := json.Unmarshal([]byte(text), &ds); err != nil || ds.Format != format {
			t.Errorf("%s: got format %q, %v; want %q", text, ds.Format, err, format)
		}
		if again, err := json.Marshal(ds); err != nil || string(again) != text {
			t.Errorf("got %s, %v; want %s", again, err, text)
		}
	}
	var ds catalog.DistributionSettings
	if err := json.Unmarshal([]byte(`{"components":"main"}`), &ds); err == nil {
		t.Errorf("got %+v of a text that is not a list; want an error", ds)
	}
}

// A rejection is found through the faults that wrap it.
func TestRejectionIsAnError(t *testing.T) {
	err := fmt.Errorf("claim hello: %w", &catalog.Rejection{Reason: catalog.Conflict, Detail: "other bytes"})
	var rej *catalog.Rejection
	if !errors.As(err, &rej) || rej.Reason != catalog.Conflict {
		t.Errorf("got %v in %v", rej, err)
	}
	if got, want := rej.Error(), "conflict: other bytes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Scripts read these names: they never change.
func TestJSONOfAVerdict(t *testing.T) {
	finished := time.Date(2026, 8, 1, 12, 0, 1, 0, time.UTC)
	v := catalog.Verdict{
		Object: "acme/tools/ubuntu/jammy/hello.deb", Generation: "7", State: catalog.Published, SHA256: "ab", Size: 3, Package: "hello 1.0 amd64",
		Key: "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb", Received: finished.Add(-time.Second), Finished: &finished,
		Releases: []catalog.VerdictRelease{{Release: jammy.String(), Revision: 4, Pointer: "https://example.org/InRelease"}},
	}
	const want = `{"object":"acme/tools/ubuntu/jammy/hello.deb","generation":"7","state":"published","sha256":"ab","size":3,` +
		`"package":"hello 1.0 amd64","key":"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb",` +
		`"releases":[{"release":"acme/tools/ubuntu/jammy","revision":4,"pointer":"https://example.org/InRelease"}],` +
		`"received":"2026-08-01T12:00:00Z","finished":"2026-08-01T12:00:01Z"}`
	got, err := json.Marshal(v)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	got, err = json.Marshal(catalog.Verdict{State: catalog.Rejected, Reason: catalog.Empty, Detail: "no bytes"})
	if err != nil || !strings.Contains(string(got), `"state":"rejected","reason":"empty","detail":"no bytes"`) || strings.Contains(string(got), "finished") {
		t.Errorf("got %s, %v", got, err)
	}
}
