package rpm

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"slices"

	"repomill/schemas/catalog"
)

// maxNeeds bounds what is kept of the requirements of one package: those behind are not looked at. maxNeedName is in bytes.
const (
	maxNeeds    = 1000
	maxNeedName = 255
)

// isa matches the end of a requirement that is of an architecture, such as "libfoo(x86-64)" (rpm, %{_isa}).
var isa = regexp.MustCompile(`\([a-z0-9]+-(32|64)\)$`)

// afterRelease follows all characters that a release may have.
const afterRelease = "\x7f"

// needsOf returns what a <package> element of primary.xml requires in an exact version: of a name, with or without an architecture.
// A requirement without a release is satisfied by each release of the version. What packages provide is not looked at.
func needsOf(primary []byte) (needs []catalog.Need) {
	const begin, end = "<rpm:requires>", "</rpm:requires>"
	_, section, ok := bytes.Cut(primary, []byte(begin))
	section, _, closed := bytes.Cut(section, []byte(end))
	if !ok || !closed || !bytes.Contains(section, []byte(`flags="EQ"`)) {
		return nil
	}
	var x struct {
		Entries []struct {
			Name  string `xml:"name,attr"`
			Flags string `xml:"flags,attr"`
			Epoch string `xml:"epoch,attr"`
			Ver   string `xml:"ver,attr"`
			Rel   string `xml:"rel,attr"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(slices.Concat([]byte(begin), section, []byte(end)), &x); err != nil {
		return nil
	}
	for _, e := range x.Entries {
		name := isa.ReplaceAllString(e.Name, "")
		if e.Flags != "EQ" || !namePattern.MatchString(name) || len(name) > maxNeedName || !versionPattern.MatchString(e.Ver) {
			continue
		}
		n := catalog.Need{Name: name, From: e.Epoch + ":" + e.Ver + "-" + e.Rel}
		if n.Until = n.From; e.Rel == "" {
			n.Until += afterRelease
		}
		if !slices.Contains(needs, n) {
			needs = append(needs, n)
		}
		if len(needs) == maxNeeds {
			break
		}
	}
	return needs
}
