package repomd_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/repomd"
	"repomill/schemas/catalog"
)

var md = repomd.Repomd{
	Revision: catalog.Revision{Number: 41, Nonce: "0123456789abcdef"},
	Date:     time.Unix(1785585600, 0).UTC(),
	Data: []repomd.Data{
		{Type: "primary", SHA256: strings.Repeat("a", 64), Size: 1, OpenSHA256: strings.Repeat("b", 64), OpenSize: 2},
		{Type: "filelists", SHA256: strings.Repeat("c", 64), Size: 3, OpenSHA256: strings.Repeat("d", 64), OpenSize: 4},
	},
}

func TestRender(t *testing.T) {
	one := md
	one.Data = one.Data[:1]
	want := strings.NewReplacer("AA", strings.Repeat("a", 64), "BB", strings.Repeat("b", 64)).Replace(`<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>41</revision>
  <tags>
    <repo>repomill-nonce:0123456789abcdef</repo>
  </tags>
  <data type="primary">
    <checksum type="sha256">AA</checksum>
    <open-checksum type="sha256">BB</open-checksum>
    <location href="repodata/AA-primary.xml.gz"/>
    <timestamp>1785585600</timestamp>
    <size>1</size>
    <open-size>2</open-size>
  </data>
</repomd>
`)
	if diff := cmp.Diff(want, string(one.Render())); diff != "" {
		t.Errorf("repomd.xml (-want +got):\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	got, err := repomd.Parse(md.Render())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(md, got); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"another document", "repomd.xml", "<html>"},
		{"no XML", "<", ""},
		{"no revision", "<revision>41</revision>", ""},
		{"a revision that is no number", ">41<", ">1785585600.5<"},
		{"a timestamp that is no number", ">1785585600<", ">now<"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.ReplaceAll(string(md.Render()), tt.old, tt.new)
			if tt.old == "repomd.xml" {
				body = tt.new
			}
			if got, err := repomd.Parse([]byte(body)); err == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// What createrepo_c writes has no nonce: it is not ours.
func TestParseForeign(t *testing.T) {
	got, err := repomd.Parse([]byte(`<repomd><revision>1785585600</revision><tags><repo>cpe:/o:fedora</repo></tags></repomd>`))
	if want := (catalog.Revision{Number: 1785585600}); err != nil || got.Revision != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// Header and footer make a document that says how many packages it has.
func TestFrames(t *testing.T) {
	for _, index := range []string{"primary", "filelists", "other"} {
		var doc struct {
			XMLName  xml.Name
			Count    string     `xml:"packages,attr"`
			Packages []struct{} `xml:"package"`
		}
		text := string(repomd.Header(index, 2)) + "<package/>\n<package/>\n" + string(repomd.Footer(index))
		if err := xml.Unmarshal([]byte(text), &doc); err != nil || doc.Count != "2" || len(doc.Packages) != 2 {
			t.Errorf("%s: got %+v, %v", index, doc, err)
		}
		want := map[string]string{"primary": "common metadata", "filelists": "filelists filelists", "other": "other otherdata"}[index]
		if got := strings.TrimPrefix(doc.XMLName.Space, "http://linux.duke.edu/metadata/") + " " + doc.XMLName.Local; got != want {
			t.Errorf("%s: got root %s, want %s", index, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(md.Render()))
	f.Add("<repomd><revision>1</revision><data><timestamp>9999999999999</timestamp></data></repomd>")
	f.Fuzz(func(_ *testing.T, s string) {
		repomd.Parse([]byte(s)) //nolint:errcheck // that it returns is enough: what is rendered never comes from outside
	})
}
