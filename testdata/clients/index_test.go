package clients_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/xml"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// An indexFile is an index file that the release's pointer names.
type indexFile struct {
	name   string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	path   string // of the file, which is compressed
	sha256 string // of the text
}

// indexes returns the index files of the release that have packages.
func (s *site) indexes(t *testing.T) []indexFile {
	t.Helper()
	body, err := os.ReadFile(s.path(layout.PointerKey(s.release)))
	if err != nil {
		t.Fatal(err)
	}
	if s.release.Arch == "" {
		return s.debIndexes(t, string(body))
	}
	return s.rpmIndexes(t, body)
}

func (s *site) debIndexes(t *testing.T, release string) (all []indexFile) {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(release) {
		if f := strings.Fields(line); len(f) == 3 && len(f[0]) == sha256.Size*2 {
			sums[f[2]] = f[0]
		}
	}
	for _, arch := range []string{"amd64", "arm64", "all"} {
		name := "main/binary-" + arch + "/Packages"
		packed := layout.ByHashKey(layout.DebDir(s.release)+"/"+name+".gz", sums[name+".gz"])
		all = append(all, indexFile{name, s.path(packed), sums[name]})
	}
	return all
}

func (s *site) rpmIndexes(t *testing.T, repomd []byte) (all []indexFile) {
	t.Helper()
	var md struct {
		Data []struct {
			Type     string `xml:"type,attr"`
			Open     string `xml:"open-checksum"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"data"`
	}
	if err := xml.Unmarshal(repomd, &md); err != nil {
		t.Fatal(err)
	}
	for _, d := range md.Data {
		all = append(all, indexFile{d.Type, s.path(path.Join(layout.RPMDir(s.release), d.Location.Href)), d.Open})
	}
	return all
}

// index returns one index file.
func (s *site) index(t *testing.T, name string) indexFile {
	t.Helper()
	for _, x := range s.indexes(t) {
		if x.name == name {
			return x
		}
	}
	t.Fatalf("no index %s", name)
	return indexFile{}
}

// A gzipMember is a part of an index file.
type gzipMember struct {
	sha256 string // of the compressed bytes
	text   string
}

// members takes an index file apart.
func (x indexFile) members(t *testing.T) (all []gzipMember) {
	t.Helper()
	file, err := os.ReadFile(x.path)
	if err != nil {
		t.Fatal(err)
	}
	r, z := bytes.NewReader(file), new(gzip.Reader)
	for r.Len() > 0 {
		begin := len(file) - r.Len()
		if err := z.Reset(r); err != nil {
			t.Fatalf("%s, byte %d: %v", x.name, begin, err)
		}
		z.Multistream(false)
		var text strings.Builder
		if _, err := io.Copy(&text, z); err != nil {
			t.Fatalf("%s, member at byte %d: %v", x.name, begin, err)
		}
		all = append(all, gzipMember{sha256Of(string(file[begin : len(file)-r.Len()])), text.String()})
	}
	return all
}

// text returns all of an index.
func (x indexFile) text(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, m := range x.members(t) {
		all.WriteString(m.text)
	}
	return all.String()
}

// names returns the names of the packages in a part of Packages or primary.xml.
func names(f catalog.Format, text string) (all []string) {
	before, after := "Package: ", "\n"
	if f == catalog.RPM {
		before, after = "  <name>", "</name>\n"
	}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, before); ok {
			all = append(all, strings.TrimSuffix(name, after))
		}
	}
	return all
}
