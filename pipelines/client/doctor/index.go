package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// An index is a list of packages, as a release file names it.
type index struct {
	url  string
	name string // for people
	sum  string // SHA-256, in hexadecimal
	size int64
}

// judgeIndex fetches the list of packages that the host reads first, and compares it with the release file: a proxy or cache that
// keeps old files makes apt say "Hash Sum mismatch".
func (e *exam) judgeIndex(ctx context.Context, s source, body []byte, l *login) []Finding {
	i, found := e.aptIndex(s, string(body))
	if s.client != "apt" {
		i, found = rpmIndex(s, body)
	}
	if !found || i.size > maxBody {
		return nil
	}
	a := e.fetch(ctx, s, i.url, l)
	if !a.ok() {
		return []Finding{problem("index", fmt.Sprintf("the release file can be fetched, and %s, which it lists, cannot: %s", i.name, a.why()),
			"check that no proxy or firewall forbids such files; otherwise ask the operator of the server")}
	}
	if sum := sha256.Sum256(a.body); hex.EncodeToString(sum[:]) != i.sum {
		return []Finding{problem("index", fmt.Sprintf("%s has other bytes than the release file lists (%d of %d): apt calls that Hash Sum mismatch", i.name, len(a.body), i.size),
			"a proxy or cache between changes files or keeps old ones: clear it, or go around it")}
	}
	return []Finding{fine("index", i.name+" fetched, as the release lists it")}
}

// aptIndex returns the list of the first component and architecture that a source asks for.
func (e *exam) aptIndex(s source, text string) (i index, found bool) {
	f := releaseFields(text)
	archs := s.architectures
	if len(archs) == 0 {
		archs = e.host.Architectures
	}
	archs = filterStrings(archs, strings.Fields(f["Architectures"]))
	if len(archs) == 0 || len(s.components) == 0 {
		return i, false
	}
	dir := s.components[0] + "/binary-" + archs[0]
	_, section, _ := strings.Cut(text, "\nSHA256:")
	for line := range strings.Lines(section) {
		w := strings.Fields(line)
		if len(w) == 3 && w[2] == dir+"/Packages.gz" {
			i = index{name: w[2], sum: w[0]}
			i.size, _ = strconv.ParseInt(w[1], 10, 64) //nolint:errcheck // it is shown only
			i.url = path.Dir(w[2]) + "/by-hash/SHA256/" + w[0]
			if f["Acquire-By-Hash"] != "yes" {
				i.url = w[2]
			}
			i.url = strings.TrimSuffix(s.pointer(), "InRelease") + i.url
			return i, true
		}
		if line[0] != ' ' && strings.TrimSpace(line) != "" {
			break // another field
		}
	}
	return i, false
}

// rpmIndex returns the primary list of a repomd.xml.
func rpmIndex(s source, body []byte) (i index, found bool) {
	var md struct {
		Data []struct {
			Type     string `xml:"type,attr"`
			Checksum struct {
				Type  string `xml:"type,attr"`
				Value string `xml:",chardata"`
			} `xml:"checksum"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
			Size int64 `xml:"size"`
		} `xml:"data"`
	}
	if xml.Unmarshal(body, &md) != nil {
		return i, false
	}
	for _, d := range md.Data {
		if d.Type == "primary" && d.Checksum.Type == "sha256" {
			base := strings.TrimSuffix(s.pointer(), "repodata/repomd.xml")
			return index{base + d.Location.Href, path.Base(d.Location.Href), strings.TrimSpace(d.Checksum.Value), d.Size}, true
		}
	}
	return i, false
}
