package deb_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// What a stanza says is what the intake put into the row.
func TestRowIsWhatIngestMade(t *testing.T) {
	many := make([]string, 195)
	for i := range many {
		many[i] = "X-Field-" + strings.Repeat("x", i+1) + ": y"
	}
	for name, s := range map[string]debtest.Spec{
		"the usual fields":                   {Fields: fields, Arch: "amd64"},
		"an epoch":                           {Name: "libhello1", Version: "1:2.00-1", Arch: "arm64"},
		"an epoch of 0":                      {Version: "0:1.0-0"},
		"colons and tildes in the version":   {Version: "2:1:0~rc1+b-1.2~"},
		"as many fields as a package has":    {Fields: many},
		"an empty field before dropped ones": {Fields: []string{"X-Empty:", "Filename: x"}},
	} {
		want := describe(t, debtest.Build(t, s))
		got, err := deb.Row(want.Stanza)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.Distribution.OS, got.Stanza = want.Distribution.OS, want.Stanza
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRowRefuses(t *testing.T) {
	good := string(describe(t, debtest.Build(t, debtest.Spec{Arch: "amd64"})).Stanza)
	for name, stanza := range map[string]string{
		"nothing":              "",
		"a line without colon": "Package\n" + good,
		"no end":               strings.TrimSuffix(good, "\n"),
		"another name":         strings.Replace(good, "Package: hello", "Package: ../x", 1),
		"another version":      strings.Replace(good, "Version: 1.0", "Version: 1.1", 1),
		"no version":           strings.Replace(good, "Version: 1.0\n", "", 1),
		"no architecture":      strings.Replace(good, "Architecture: amd64", "Architecture: any", 1),
		"another place":        strings.Replace(good, "pool/jammy/main/h/", "pool/jammy/main/x/", 1),
		"a short place":        strings.Replace(good, "pool/jammy/main/h/hello/", "pool/", 1),
		"another digest":       strings.Replace(good, "_amd64.deb", "_amd64."+strings.Repeat("0", 32)+".deb", 1),
		"no size":              strings.Replace(good, "\nSize: ", "\nX-Size: ", 1),
		"no digest":            strings.Replace(good, "\nSHA256: ", "\nSHA1: ", 1),
	} {
		if got, err := deb.Row([]byte(stanza)); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add([]byte("Package: a1\nVersion: 1\nArchitecture: all\nFilename: pool/x/main/a/a1/a1_1_all.deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n"))
	f.Add([]byte("A:\n \n:"))
	f.Fuzz(func(t *testing.T, stanza []byte) {
		k, err := deb.Row(stanza)
		if err != nil {
			return
		}
		again, err := deb.Identity(k.Name, k.Version, k.Arch)
		if err != nil {
			t.Fatal(err)
		}
		want := catalog.Package{Format: k.Format, Name: k.Name, Version: k.Version, Canonical: k.Canonical, Arch: k.Arch, SortKey: k.SortKey}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("identity (-row +again):\n%s", diff)
		}
	})
}
