package facts_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/publish/pages/facts"
	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// run writes a package to a file, and returns what a program prints of it.
func run(t *testing.T, file []byte, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is missing: facts are not compared with it", program)
	}
	path := filepath.Join(t.TempDir(), "package")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "FILE", path)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, stderr.Bytes())
	}
	return string(out)
}

func debs(t *testing.T) map[string][]byte {
	all := map[string][]byte{
		"all fields": debtest.Build(t, debtest.Spec{Name: "full", Version: "1:2-3", Arch: "amd64", Fields: []string{
			"Source: src (1.0)", "Maintainer: Jo Döe <jo@example.org>", "Installed-Size: 7", "Section: contrib/utils", "Homepage: https://example.org/?a=<b>&c",
			"Pre-Depends: dpkg (>= 1.17)", "Depends: a | b:any (>= 1), c (<< 2), d (= 1:3-4)", "Recommends: r", "Suggests: s, t (= 1)", "Enhances: e", "Breaks: f (<< 1~)", "Conflicts: g", "Replaces: h", "Provides: i (= 1), j",
			"Description: a <summary> & more",
		}}),
		"few fields": debtest.Build(t, debtest.Spec{}),
	}
	for i := range 5 {
		name, file := (corpus.Corpus{Seed: 7}).Deb(i)
		all[name] = file
	}
	return all
}

// DEB finds what dpkg-deb prints of the package file.
func TestDEBAgreesWithDpkg(t *testing.T) {
	for name, file := range debs(t) {
		t.Run(name, func(t *testing.T) {
			p, err := deb.Peek(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			k := p.Identity()
			k.Distribution, k.Component, k.File = catalog.Distribution{OS: "debian", Version: "trixie"}, "main", catalog.File{Size: int64(len(file)), SHA256: strings.Repeat("0", 64)}
			if err := p.Describe(&k); err != nil {
				t.Fatal(err)
			}
			f := facts.DEB(k.Stanza)
			got := map[string]string{"Homepage": f.Homepage, "Maintainer": f.Maintainer, "Section": f.Section, "Source": f.Source, "Description": f.Summary}
			if f.Installed > 0 {
				got["Installed-Size"] = fmt.Sprint(f.Installed >> 10)
			}
			for _, r := range f.Relations {
				got[r.Kind] = strings.Join(r.Items, ", ")
			}
			fields := []string{"Homepage", "Maintainer", "Section", "Source", "Installed-Size", "Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks", "Replaces", "Provides", "Description"}
			want := map[string]string{}
			for i, value := range strings.Split(run(t, file, "dpkg-deb", "-W", "--showformat=${"+strings.Join(fields, "}\n${")+"}", "FILE"), "\n")[:len(fields)] {
				if _, had := got[fields[i]]; value != "" || had {
					want[fields[i]] = value
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-dpkg-deb +got):\n%s", diff)
			}
		})
	}
}

func rpms(t *testing.T) map[string][]byte {
	all := map[string][]byte{
		"all fields": rpmtest.Build(t, rpmtest.Spec{Epoch: 3, Summary: `A "mill" & <grinder>`, License: `MIT & "X"`, Vendor: "Acme <x>", Packager: "Jo Döe <jo@example.org>", URL: "https://example.org/?a=1&b=2", Group: "Development/Tools",
			Provides: []string{"p = 1.0-1"}, Requires: []string{"bash >= 4.0", "libc.so.6(GLIBC_2.4)(64bit)", "/bin/sh", "x < 2"}, Conflicts: []string{"c < 2"}, Obsoletes: []string{"o <= 3-1"}, Suggests: []string{"s"}, Recommends: []string{"r > 1"},
			Changes: []rpmtest.Change{{Time: *at(2024, 1, 2, 12), Author: "Jo <jo@example.org> - 1.0-1", Text: "- newer & <b>"}, {Time: *at(2024, 1, 1, 12), Author: "A <a@example.org> - 0.9-1", Text: "- older"}}}),
		"few fields": rpmtest.Build(t, rpmtest.Spec{}),
	}
	for i := range 5 {
		name, file := (corpus.Corpus{Seed: 7}).RPM(t, i)
		all[name] = file
	}
	return all
}

func describeRPM(t testing.TB, file []byte) catalog.Package {
	t.Helper()
	p, err := rpm.Peek(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	k := p.Identity()
	k.File = catalog.File{Size: int64(len(file)), SHA256: strings.Repeat("0", 64)}
	if err := p.Describe(&k); err != nil {
		t.Fatal(err)
	}
	return k
}

// RPM finds what rpm prints of the package file.
func TestRPMAgreesWithRpm(t *testing.T) {
	const format = `Summary=%{SUMMARY}\nHomepage=%{URL}\nLicense=%{LICENSE}\nMaintainer=%{PACKAGER}\nSection=%{GROUP}\nBuilt=%{BUILDTIME}\nInstalled=%{SIZE}\n` +
		`[Change=%{CHANGELOGTIME} %{CHANGELOGNAME} %{CHANGELOGTEXT}\n]`
	for name, file := range rpms(t) {
		t.Run(name, func(t *testing.T) {
			k := describeRPM(t, file)
			f, err := facts.RPM(k.Primary, k.Other)
			if err != nil {
				t.Fatal(err)
			}
			db := t.TempDir()
			got := []string{"Summary=" + f.Summary, "Homepage=" + f.Homepage, "License=" + f.License, "Maintainer=" + f.Maintainer, "Section=" + f.Section,
				fmt.Sprintf("Built=%d", f.Built.Unix()), fmt.Sprintf("Installed=%d", f.Installed)}
			for _, e := range f.Changelog {
				got = append(got, fmt.Sprintf("Change=%d %s %s", e.At.Unix(), e.Author, e.Text))
			}
			want := strings.ReplaceAll(run(t, file, "rpm", "--dbpath", db, "-qp", "--nosignature", "--nodigest", "--qf", format, "FILE"), "(none)", "")
			if diff := cmp.Diff(strings.Split(strings.TrimSpace(want), "\n"), got); diff != "" {
				t.Errorf("(-rpm +got):\n%s", diff)
			}
			for _, kind := range []string{"Requires", "Recommends", "Suggests", "Conflicts", "Obsoletes", "Provides"} {
				var got, want []string
				for _, r := range f.Relations {
					if r.Kind == kind {
						got = slices.Sorted(slices.Values(r.Items))
					}
				}
				for l := range strings.Lines(run(t, file, "rpm", "--dbpath", db, "-qp", "--nosignature", "--nodigest", "--"+strings.ToLower(kind), "FILE")) {
					if !strings.HasPrefix(l, "rpmlib(") {
						want = append(want, strings.TrimSpace(l))
					}
				}
				slices.Sort(want)
				if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
					t.Errorf("%s (-rpm +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// nastyTexts are texts that a careless reader of XML gets wrong.
var nastyTexts = []string{
	"plain", `"double" 'single' & <a href="x">&amp;&lt;&#0;&#x1;&nbsp;</a>`, "]]>", "<![CDATA[x]]>", "<!-- x --> -- >", "</summary></package><package type=\"rpm\">", "a > b \"> c", "&", "&;", "&#;", "&#x;", "&#65", "&amp", "<file>",
	"é ß Ж 日本 \U0001F4E6", "a\u0301 \u200d \u202e txt \u2066 \ufeff", "\ue000\ufffd\U0010ffff", "a=\"b\" name=\"c\"",
}

// RPM finds what encoding/xml does, in all texts.
func TestRPMAgreesWithAnXMLParser(t *testing.T) {
	for _, text := range nastyTexts {
		k := describeRPM(t, rpmtest.Build(t, rpmtest.Spec{Summary: text, License: text, URL: text, Group: text, Packager: text, Description: text, Changes: []rpmtest.Change{{Time: *at(2024, 1, 1, 0), Author: text, Text: text}}}))
		got, err := facts.RPM(k.Primary, k.Other)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var want struct {
			Summary     string `xml:"summary"`
			Description string `xml:"description"`
			URL         string `xml:"url"`
			Packager    string `xml:"packager"`
			License     string `xml:"format>license"`
			Group       string `xml:"format>group"`
		}
		var changes struct {
			Changelog struct {
				Author string `xml:"author,attr"`
				Text   string `xml:",chardata"`
			} `xml:"changelog"`
		}
		if err := xml.Unmarshal(k.Primary, &want); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if err := xml.Unmarshal(k.Other, &changes); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if diff := cmp.Diff([]string{want.Summary, want.Description, want.URL, want.Packager, want.License, want.Group, changes.Changelog.Author, changes.Changelog.Text},
			[]string{got.Summary, got.Description, got.Homepage, got.Maintainer, got.License, got.Section, got.Changelog[0].Author, got.Changelog[0].Text}); diff != "" {
			t.Errorf("%q (-encoding/xml +got):\n%s", text, diff)
		}
	}
}
