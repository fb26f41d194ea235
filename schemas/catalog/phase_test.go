package catalog_test

import (
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

const phased = "Package: libhello1\nSource: hello (1.0-1)\nVersion: 1.0-1+b1\nphased-update-percentage: 20\nDescription: x\n Phased-Update-Percentage: 7\nSize: 3\n"

func TestWithPhase(t *testing.T) {
	plain := strings.Replace(phased, "phased-update-percentage: 20\n", "", 1)
	for _, tt := range []struct {
		fact    string
		stanza  string
		percent int
		want    string
	}{
		{"a package's own field is replaced", phased, 10, plain + "Phased-Update-Percentage: 10\n"},
		{"everyone is no field", phased, 100, plain},
		{"0 is a field", plain, 0, plain + "Phased-Update-Percentage: 0\n"},
		{"a repeat changes nothing", plain + "Phased-Update-Percentage: 10\n", 10, plain + "Phased-Update-Percentage: 10\n"},
		{"without a field, everyone changes nothing", plain, 100, plain},
		{"a field in a description is text", plain, 100, plain},
		{"a field of several lines goes whole", "Package: a\nPhased-Update-Percentage:\n 5\nSize: 3\n", 100, "Package: a\nSize: 3\n"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			before := tt.stanza
			got := catalog.WithPhase([]byte(tt.stanza), tt.percent)
			if string(got) != tt.want || tt.stanza != before {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if percent, is := catalog.PhaseOf(got); percent != tt.percent || is != (tt.percent < 100) {
				t.Errorf("the phase of the result is %d, %t", percent, is)
			}
		})
	}
}

func TestPhaseOf(t *testing.T) {
	for value, want := range map[string]int{"20": 20, "0": 0, "100": 100, "250": 100, "": 100, "half": 100, "-1": 100, "10 %": 100} {
		if got, is := catalog.PhaseOf([]byte("Package: a\nPhased-Update-Percentage: " + value + "\n")); got != want || is != (want < 100) {
			t.Errorf("%q is %d, %t; want %d", value, got, is, want)
		}
	}
}

func TestSourceOf(t *testing.T) {
	const own = "Package: libhello1\nVersion: 1.0-1+b1\n"
	for source, want := range map[string]string{
		"":                         "libhello1 1.0-1+b1",
		"Source: hello\n":          "hello 1.0-1+b1",
		"Source: hello (1.0-1)\n":  "hello 1.0-1",
		"Source: hello  ( 1.0-1\n": "hello 1.0-1+b1",
		"Source: hello (1 2)\n":    "hello 1.0-1+b1",
		"Source:\n":                "libhello1 1.0-1+b1",
		"source: hello ()\n":       "hello 1.0-1+b1",
		"Source: " + strings.Repeat("h", 256) + " (2)\n": "libhello1 2",
	} {
		got := catalog.SourceOf([]byte(source + own))
		if got.String() != want || catalog.ParseSource(want) != got {
			t.Errorf("%q is of %q, want %q", source, got, want)
		}
	}
}

func TestParsePhase(t *testing.T) {
	for s, want := range map[string]int{"10%": 10, "10": 10, "pause": 0, "0%": 0, "100%": 100} {
		if got, err := catalog.ParsePhase(s); err != nil || got != want {
			t.Errorf("%q is %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "%", "101%", "-1", "1.5%", "ten", "10%%", "Pause", "99999999999999999999"} {
		if got, err := catalog.ParsePhase(s); err == nil {
			t.Errorf("%q is %d", s, got)
		}
	}
}

func TestPhasingCheck(t *testing.T) {
	for _, tt := range []struct {
		p    catalog.Phasing
		text string
		says string
	}{
		{catalog.Phasing{Percent: 10}, "10%", ""},
		{catalog.Phasing{Percent: 10, Steps: []int{50, 100}, Every: 24 * time.Hour}, "10%, then 50%,100%, one every 24h", ""},
		{catalog.Phasing{Percent: 10, Steps: []int{50}, Every: 90 * time.Minute}, "10%, then 50%, one every 1h30m", ""},
		{catalog.Phasing{Percent: 10, Steps: []int{10}, Every: time.Hour}, "", "greater than the one before"},
		{catalog.Phasing{Percent: 50, Steps: []int{10}, Every: time.Hour}, "", "greater than the one before"},
		{catalog.Phasing{Percent: 10, Steps: []int{50}}, "", "use a period from"},
		{catalog.Phasing{Percent: 10, Steps: []int{50}, Every: 9000 * time.Hour}, "", "use a period from"},
		{catalog.Phasing{Percent: 10, Steps: []int{110}, Every: time.Hour}, "", "from 0% to 100%"},
	} {
		err := tt.p.Check()
		if tt.says == "" && (err != nil || tt.p.String() != tt.text) || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%+v is %q: %v", tt.p, tt.p, err)
		}
	}
}
