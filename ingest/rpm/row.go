package rpm

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Identity returns what [Package.Identity] does of a package with this name, version
// ("[epoch:]version-release") and architecture. An error says that no package of ours has them.
func Identity(name, version, arch string) (catalog.Package, error) {
	epoch, rest, ok := strings.Cut(version, ":")
	if !ok {
		epoch, rest = "0", version
	}
	n, err := strconv.ParseUint(epoch, 10, 32)
	if err != nil {
		return catalog.Package{}, fmt.Errorf("%s is not a version with a release", input.Quote(version))
	}
	v := evr{epoch: uint32(n)}
	v.version, v.release, _ = strings.Cut(rest, "-")
	return v.of(name, arch)
}

// of returns the identity of a package of this version.
func (v evr) of(name, arch string) (catalog.Package, error) {
	switch {
	case !namePattern.MatchString(name):
		return catalog.Package{}, fmt.Errorf("%s is not a package name", input.Quote(name))
	case !versionPattern.MatchString(v.version) || !versionPattern.MatchString(v.release):
		return catalog.Package{}, fmt.Errorf("%s is not a version with a release", input.Quote(v.String()))
	case !layout.ValidArch(arch):
		return catalog.Package{}, fmt.Errorf("%s is not an architecture", input.Quote(arch))
	}
	return catalog.Package{
		Format: catalog.RPM, Name: name, Version: v.String(), Canonical: v.canonical(), Arch: arch,
		SortKey: sortKey(name, v, arch),
	}, nil
}

// Row reads a <package> element of primary.xml that [Package.Describe] made, and returns the columns of
// its row: the identity, the File and the time of the upload. The repository and the distribution are not
// in the element.
func Row(element []byte) (catalog.Package, error) {
	head, _, ok := bytes.Cut(element, []byte("\n  <format>\n")) // text has no "<"
	if !ok {
		return catalog.Package{}, errors.New("read <package>: it has no <format>")
	}
	var x struct {
		Name    string `xml:"name"`
		Arch    string `xml:"arch"`
		Version struct {
			Epoch uint32 `xml:"epoch,attr"`
			Ver   string `xml:"ver,attr"`
			Rel   string `xml:"rel,attr"`
		} `xml:"version"`
		Checksum string `xml:"checksum"`
		Time     struct {
			File int64 `xml:"file,attr"`
		} `xml:"time"`
		Size struct {
			Package int64 `xml:"package,attr"`
		} `xml:"size"`
		Location struct {
			Href string `xml:"href,attr"`
		} `xml:"location"`
	}
	if err := xml.Unmarshal(slices.Concat(head, []byte("</package>")), &x); err != nil {
		return catalog.Package{}, fmt.Errorf("read <package>: %w", err)
	}
	k, err := evr{x.Version.Epoch, x.Version.Ver, x.Version.Rel}.of(x.Name, x.Arch)
	if err != nil {
		return k, fmt.Errorf("read <package>: %w", err)
	}
	k.File, k.Uploaded = catalog.File{Size: x.Size.Package, SHA256: x.Checksum}, time.Unix(x.Time.File, 0).UTC()
	if k.File.Size <= 0 || len(k.File.SHA256) != 64 {
		return k, fmt.Errorf("read <package> %s: it has no size or digest", k.Name)
	}
	if name := layout.RPMName(k); x.Location.Href != name {
		return k, fmt.Errorf("read <package> %s: its location is %s, and not %s", k.Name, input.Quote(x.Location.Href), input.Quote(name))
	}
	return k, nil
}
