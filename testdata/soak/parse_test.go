package soak_test

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// parsePointer reads InRelease or repomd.xml.
func parsePointer(release catalog.Release, body []byte) (pointer, error) {
	if release.Arch == "" {
		return parseInRelease(layout.DebDir(release), string(body))
	}
	return parseRepomd(baseOf(release), body)
}

var (
	revisionLine = regexp.MustCompile(`(?m)^Repomill-Revision: (\d+) [0-9a-f]{16}$`)
	dateLine     = regexp.MustCompile(`(?m)^Date: (.+)$`)
	fileLine     = regexp.MustCompile(`(?m)^ ([0-9a-f]{64}) +(\d+) (\S+)$`)
)

// parseInRelease reads an InRelease in a folder. The plain form of an index is listed and not stored.
func parseInRelease(dir, text string) (p pointer, err error) {
	p.indexes = map[string]fact{}
	revision, date := revisionLine.FindStringSubmatch(text), dateLine.FindStringSubmatch(text)
	if revision == nil || date == nil {
		return p, errors.New("it has no revision, or no Date")
	}
	if p.revision, err = strconv.ParseInt(revision[1], 10, 64); err != nil {
		return p, err
	}
	if p.date, err = time.Parse("Mon, 02 Jan 2006 15:04:05 MST", date[1]); err != nil {
		return p, err
	}
	for _, m := range fileLine.FindAllStringSubmatch(text, -1) {
		size, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return p, err
		}
		if path.Ext(m[3]) == "" {
			continue
		}
		key := layout.ByHashKey(dir+"/"+m[3], m[1])
		p.indexes[key] = fact{size, m[1]}
		if path.Base(m[3]) == "Packages.gz" {
			p.listings = append(p.listings, key)
		}
	}
	if len(p.listings) == 0 {
		return p, errors.New("it lists no Packages.gz")
	}
	return p, nil
}

// parseRepomd reads a repomd.xml. Its indexes have one timestamp: that of the pointer.
func parseRepomd(base string, body []byte) (p pointer, err error) {
	var md struct {
		Revision string `xml:"revision"`
		Data     []struct {
			Type      string `xml:"type,attr"`
			Checksum  string `xml:"checksum"`
			Timestamp int64  `xml:"timestamp"`
			Size      int64  `xml:"size"`
			Location  struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"data"`
	}
	if err := xml.Unmarshal(body, &md); err != nil {
		return p, err
	}
	p.indexes = map[string]fact{}
	if p.revision, err = strconv.ParseInt(md.Revision, 10, 64); err != nil {
		return p, err
	}
	for _, d := range md.Data {
		key := base + "/" + d.Location.Href
		p.indexes[key] = fact{d.Size, d.Checksum}
		if d.Type == "primary" {
			p.listings = append(p.listings, key)
		}
	}
	if len(p.listings) != 1 || len(p.indexes) != 3 {
		return p, fmt.Errorf("it lists %d indexes, %d of them primary", len(p.indexes), len(p.listings))
	}
	p.date = time.Unix(md.Data[0].Timestamp, 0).UTC()
	for _, d := range md.Data {
		if d.Timestamp <= 0 || d.Timestamp != md.Data[0].Timestamp {
			return p, fmt.Errorf("%s has the timestamp %d, %s has %d", d.Type, d.Timestamp, md.Data[0].Type, md.Data[0].Timestamp)
		}
	}
	return p, nil
}

// parseListing reads Packages.gz or primary.xml.gz.
func parseListing(release catalog.Release, index []byte) ([]listed, error) {
	z, err := gzip.NewReader(bytes.NewReader(index))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxObject))
	if err != nil {
		return nil, err
	}
	if release.Arch == "" {
		return parsePackages(baseOf(release), string(text))
	}
	return parsePrimary(baseOf(release), text)
}

func parsePackages(base, text string) (all []listed, err error) {
	for stanza := range strings.SplitSeq(text, "\n\n") {
		if strings.TrimSpace(stanza) == "" {
			continue
		}
		fields := map[string]string{}
		for line := range strings.Lines(stanza) {
			if name, value, ok := strings.Cut(line, ": "); ok && name != "" && name[0] != ' ' {
				fields[name] = strings.TrimSpace(value)
			}
		}
		k := listed{row: row{fields["Package"], fields["Version"], fields["Architecture"], fields["SHA256"]}, key: base + "/" + fields["Filename"]}
		if k.size, err = strconv.ParseInt(fields["Size"], 10, 64); err != nil {
			return nil, fmt.Errorf("stanza of %s: %w", k.name, err)
		}
		all = append(all, k)
	}
	return all, nil
}

func parsePrimary(base string, text []byte) (all []listed, err error) {
	var md struct {
		Count    int `xml:"packages,attr"`
		Packages []struct {
			Name    string `xml:"name"`
			Arch    string `xml:"arch"`
			Version struct {
				Ver string `xml:"ver,attr"`
				Rel string `xml:"rel,attr"`
			} `xml:"version"`
			Checksum string `xml:"checksum"`
			Size     struct {
				Package int64 `xml:"package,attr"`
			} `xml:"size"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"package"`
	}
	if err := xml.Unmarshal(text, &md); err != nil {
		return nil, err
	}
	if md.Count != len(md.Packages) {
		return nil, fmt.Errorf("it says %d packages and has %d", md.Count, len(md.Packages))
	}
	for _, k := range md.Packages {
		all = append(all, listed{row{k.Name, k.Version.Ver + "-" + k.Version.Rel, k.Arch, k.Checksum}, base + "/" + k.Location.Href, k.Size.Package})
	}
	return all, nil
}
