package rpm

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The characters of names and versions, by the rules of rpmbuild (build/parsePreamble.c: rpmCharCheck). rpmbuild also
// allows '%', '{' and '}'. They are refused here: they are left of a macro that was not defined, and '%' begins an
// escape in a URL. A '-' would end a version or a release.
var (
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*$`)
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9._+~^]+$`)
)

// maxFileName is the longest file name, in bytes, that file systems accept.
const maxFileName = 255

// checkIdentity checks the parts of a file name, which is part of a URL.
func (t *tagReader) checkIdentity(h *header) {
	if t.err != nil {
		return
	}
	const use = "use letters, digits, '.', '_', '+', and %s"
	switch {
	case !namePattern.MatchString(h.name):
		t.fail(input.Reject(catalog.BadField, "the name %s cannot be published, because a file name and a URL are made of it: "+use, input.Quote(h.name), "'-', starting with a letter, digit or '_'"))
	case !versionPattern.MatchString(h.evr.version):
		t.fail(input.Reject(catalog.BadField, "the version %s cannot be published, because a file name and a URL are made of it: "+use, input.Quote(h.evr.version), "'~', '^'"))
	case !versionPattern.MatchString(h.evr.release):
		t.fail(input.Reject(catalog.BadField, "the release %s cannot be published, because a file name and a URL are made of it: "+use, input.Quote(h.evr.release), "'~', '^'"))
	case !layout.ValidArch(h.arch):
		t.fail(input.Reject(catalog.BadField, "the architecture %s cannot be published, because a folder is named after it: use up to 32 letters, digits, '_' and '-'", input.Quote(h.arch)))
	case len(layout.RPMName(catalog.Package{Name: h.name, Version: h.evr.version + "-" + h.evr.release, Arch: h.arch})) > maxFileName:
		t.fail(input.Reject(catalog.BadField, "name, version, release and architecture make a file name of more than %d bytes", maxFileName))
	}
}

// Identity returns the [Package.Identity] of a package with this name, version ("[epoch:]version-release") and
// architecture. The error is not a rejection; it explains why no package is accepted with them.
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
	return v.identity(name, arch)
}

// identity returns the identity of a package of this version, or an error as [Identity].
func (v evr) identity(name, arch string) (catalog.Package, error) {
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

// Row reads a <package> element of primary.xml that [Package.Describe] made, and returns the columns of its row: the
// identity, the File, the Needs and the time of the upload. An element does not have the repository and the distribution.
func Row(element []byte) (catalog.Package, error) {
	head, _, ok := bytes.Cut(element, []byte("\n  <format>\n")) // "<" is escaped in texts
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
	k, err := evr{x.Version.Epoch, x.Version.Ver, x.Version.Rel}.identity(x.Name, x.Arch)
	if err != nil {
		return k, fmt.Errorf("read <package>: %w", err)
	}
	k.Needs = needsOf(element)
	k.File, k.Uploaded = catalog.File{Size: x.Size.Package, SHA256: x.Checksum}, time.Unix(x.Time.File, 0).UTC()
	if k.File.Size <= 0 || len(k.File.SHA256) != 64 {
		return k, fmt.Errorf("read <package> %s: it has no size or digest", k.Name)
	}
	_, k.Variant = layout.CutVariant(x.Location.Href)
	if k.Variant != "" && k.Variant != layout.VariantOf(k.File.SHA256) {
		return k, fmt.Errorf("read <package> %s: location %s is not of a file with SHA-256 %s", k.Name, input.Quote(x.Location.Href), k.File.SHA256)
	}
	if name := layout.RPMName(k); x.Location.Href != name {
		return k, fmt.Errorf("read <package> %s: its location is %s, and not %s", k.Name, input.Quote(x.Location.Href), input.Quote(name))
	}
	return k, nil
}
