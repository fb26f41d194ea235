package facts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/facts"
)

func at(year int, month time.Month, day, hour int) *time.Time {
	t := time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
	return &t
}

const stanza = `Package: hello
Source: hello-src (2.10-1)
Version: 2.10-1+b1
Installed-Size: 280
Maintainer: Jo Döe <jo@example.org>
Architecture: amd64
Pre-Depends: dpkg (>= 1.17)
Depends: libc6 (>= 2.34), a | b,
 c (<< 2),
	d:any
Recommends: e
Suggests: f, g
Enhances: h
Breaks: i (<< 1)
Replaces: j
Conflicts: k
Provides: l (= 1)
Section: utils
Homepage: https://example.org/
Description: example package
 The first paragraph has
 two lines, and the list
 follows:
  * one
  * two
 .
 The second.
 - item that
 goes on
 - another
SHA256: 00
`

func TestDEB(t *testing.T) {
	got := facts.DEB([]byte(stanza))
	want := &facts.Facts{
		Summary:     "example package",
		Description: "The first paragraph has two lines, and the list follows:\n * one\n * two\n\nThe second.\n- item that goes on\n- another",
		Homepage:    "https://example.org/", Maintainer: "Jo Döe <jo@example.org>", Section: "utils", Source: "hello-src (2.10-1)", Installed: 280 << 10,
		Relations: []facts.Relation{
			{Kind: "Pre-Depends", Items: []string{"dpkg (>= 1.17)"}},
			{Kind: "Depends", Items: []string{"libc6 (>= 2.34)", "a | b", "c (<< 2)", "d:any"}},
			{Kind: "Recommends", Items: []string{"e"}},
			{Kind: "Suggests", Items: []string{"f", "g"}},
			{Kind: "Enhances", Items: []string{"h"}},
			{Kind: "Conflicts", Items: []string{"k"}},
			{Kind: "Breaks", Items: []string{"i (<< 1)"}},
			{Kind: "Replaces", Items: []string{"j"}},
			{Kind: "Provides", Items: []string{"l (= 1)"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const primary = `<package type="rpm">
  <name>mill</name>
  <arch>x86_64</arch>
  <version epoch="3" ver="1.2" rel="4.el9"/>
  <checksum type="sha256" pkgid="YES">00</checksum>
  <summary>A "mill" &amp; &lt;grinder&gt;&#13;</summary>
  <description>This text was wrapped by hand, at a width of seventy-two or so, and this
is where it goes on.
Short lines
stay.
  Indented   lines, too.


The second paragraph &amp;amp; its end.
</description>
  <packager>Jo Döe &lt;jo@example.org&gt;</packager>
  <url>https://example.org/?a=1&amp;b=2</url>
  <time file="1700000000" build="1704067200"/>
  <size package="6000" installed="123456" archive="130000"/>
  <location href="Packages/m/mill-1.2-4.el9.x86_64.rpm"/>
  <format>
    <rpm:license>MIT &amp; "X"</rpm:license>
    <rpm:vendor>Acme</rpm:vendor>
    <rpm:group>Development/Tools</rpm:group>
    <rpm:buildhost>build.example.org</rpm:buildhost>
    <rpm:sourcerpm>mill-1.2-4.el9.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="100" end="200"/>
    <rpm:provides>
      <rpm:entry name="mill" flags="EQ" epoch="3" ver="1.2" rel="4.el9"/>
    </rpm:provides>
    <rpm:requires>
      <rpm:entry name="/bin/sh" pre="1"/>
      <rpm:entry name="ranged" flags="GE" epoch="1" ver="2.0" rel="3"/>
      <rpm:entry name="ranged" flags="LT" epoch="0" ver="5"/>
      <rpm:entry name="(alpha or beta &gt;= 2.0)"/>
      <rpm:entry name="rpmlib(PayloadIsZstd)" flags="LE" epoch="0" ver="5.4.18" rel="1"/>
      <rpm:entry name="quoted&quot;&gt;&#xFC;"/>
    </rpm:requires>
    <rpm:conflicts>
      <rpm:entry name="conf" flags="LT" epoch="0" ver="2"/>
    </rpm:conflicts>
    <rpm:obsoletes>
      <rpm:entry name="obs" flags="LE" epoch="0" ver="3" rel="1"/>
    </rpm:obsoletes>
    <rpm:suggests>
      <rpm:entry name="sug"/>
    </rpm:suggests>
    <rpm:enhances>
      <rpm:entry name="enh" flags="GT" epoch="0" ver="0"/>
    </rpm:enhances>
    <rpm:recommends>
      <rpm:entry name="rec" flags="EQ" epoch="0" ver="1"/>
    </rpm:recommends>
    <rpm:supplements>
      <rpm:entry name="(lang and mill)"/>
    </rpm:supplements>
    <file>/usr/bin/mill</file>
    <file type="dir">/etc/mill.d</file>
  </format>
</package>
`

const other = `<package pkgid="00" name="mill" arch="x86_64">
  <version epoch="3" ver="1.2" rel="4.el9"/>
  <changelog author="Jo &lt;jo@example.org&gt; - 1.1-1" date="1704067200">- older</changelog>
  <changelog author="Jo &lt;jo@example.org&gt; - 1.2-4" date="1704153600">- newer &amp; better
- and more</changelog>
</package>
`

func TestRPM(t *testing.T) {
	got, err := facts.RPM([]byte(primary), []byte(other))
	if err != nil {
		t.Fatal(err)
	}
	want := &facts.Facts{
		Summary: `A "mill" & <grinder>`,
		Description: "This text was wrapped by hand, at a width of seventy-two or so, and this is where it goes on.\nShort lines\nstay.\n  Indented   lines, too." +
			"\n\nThe second paragraph &amp; its end.",
		Homepage: "https://example.org/?a=1&b=2", License: `MIT & "X"`, Maintainer: "Jo Döe <jo@example.org>", Section: "Development/Tools",
		Source: "mill-1.2-4.el9.src.rpm", Built: at(2024, 1, 1, 0), Installed: 123456,
		Relations: []facts.Relation{
			{Kind: "Requires(pre)", Items: []string{"/bin/sh"}},
			{Kind: "Requires", Items: []string{"ranged >= 1:2.0-3", "ranged < 5", "(alpha or beta >= 2.0)", `quoted">ü`}},
			{Kind: "Recommends", Items: []string{"rec = 1"}},
			{Kind: "Suggests", Items: []string{"sug"}},
			{Kind: "Supplements", Items: []string{"(lang and mill)"}},
			{Kind: "Enhances", Items: []string{"enh > 0"}},
			{Kind: "Conflicts", Items: []string{"conf < 2"}},
			{Kind: "Obsoletes", Items: []string{"obs <= 3-1"}},
			{Kind: "Provides", Items: []string{"mill = 3:1.2-4.el9"}},
		},
		Changelog: []facts.Entry{
			{At: at(2024, 1, 2, 0), Author: "Jo <jo@example.org> - 1.2-4", Text: "- newer & better\n- and more"},
			{At: at(2024, 1, 1, 0), Author: "Jo <jo@example.org> - 1.1-1", Text: "- older"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRPMReportsWhatIsNotXML(t *testing.T) {
	for name, broken := range map[string]string{
		"a tag without end":   `<package><summary>s</summary><a b="c`,
		"a value without end": `<package><summary>s</summary><a b="c></a>`,
		"an unknown entity":   `<package><summary>s</summary><url>&x;</url></package>`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := facts.RPM([]byte(broken), nil); err == nil || got.Summary != "s" {
				t.Errorf("got %+v, %v, want the summary and an error", got, err)
			}
			if _, err := facts.RPM([]byte(primary), []byte(broken)); err == nil {
				t.Error("it was accepted as other.xml")
			}
		})
	}
}

func TestRPMReadsBytesThatAreNotUTF8(t *testing.T) {
	if got, err := facts.RPM([]byte("<package><summary>J\xf6</summary></package>"), nil); err != nil || got.Summary != "J\uFFFD" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// rpm stores the newest entry first, and other.xml has it last.
func TestRPMChangelogHasTheNewestFirst(t *testing.T) {
	for name, c := range map[string]struct {
		dates []string // in the order of other.xml
		want  string
	}{
		"in order":     {[]string{"1", "2", "3"}, "cba"},
		"at one time":  {[]string{"1", "1", "1"}, "cba"},
		"out of order": {[]string{"2", "3", "1"}, "bac"},
		"without time": {[]string{"0", "2", "x"}, "bca"},
	} {
		t.Run(name, func(t *testing.T) {
			var other, got strings.Builder
			for i, date := range c.dates {
				other.WriteString(`<changelog author="x" date="` + date + `">` + string(rune('a'+i)) + "</changelog>")
			}
			f, err := facts.RPM(nil, []byte(other.String()))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range f.Changelog {
				got.WriteString(e.Text)
			}
			if got.String() != c.want {
				t.Errorf("got %s, want %s", got.String(), c.want)
			}
		})
	}
}

func TestFactsAreBounded(t *testing.T) {
	long := strings.Repeat("é", facts.MaxText)
	deb := facts.DEB([]byte("Homepage: x" + long + "\nDepends: " + strings.Repeat("a, ", facts.MaxItems+5) + long + "\nDescription: x" + long + "\n " + long + "\n"))
	rpm, err := facts.RPM([]byte("<package><summary>"+long+"</summary><description>"+long+"</description><url>x"+long+"</url><rpm:requires>"+
		strings.Repeat(`<rpm:entry name="a"/>`, facts.MaxItems+6)+"</rpm:requires></package>"), []byte(strings.Repeat(`<changelog author="x`+long+`" date="1">`+long+"</changelog>", 12)))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*facts.Facts{"DEB": deb, "RPM": rpm} {
		t.Run(name, func(t *testing.T) {
			for what, s := range map[string]string{"summary": f.Summary, "homepage": f.Homepage} {
				if len(s) > facts.MaxLine || len(s) < facts.MaxLine-4 || !strings.HasSuffix(s, "é…") {
					t.Errorf("%s has %d bytes, and ends in %q", what, len(s), s[len(s)-10:])
				}
			}
			if n := len(f.Description); n > facts.MaxText || n < facts.MaxText-4 {
				t.Errorf("description has %d bytes", n)
			}
			if r := f.Relations[0]; len(r.Items) != facts.MaxItems || r.More != 6 {
				t.Errorf("%d members, and %d more", len(r.Items), r.More)
			}
		})
	}
	if n := len(rpm.Changelog); n != facts.MaxEntries || len(rpm.Changelog[0].Text) > facts.MaxText || len(rpm.Changelog[0].Author) > facts.MaxLine {
		t.Errorf("%d entries", n)
	}
}
