package rpm

import (
	"bytes"
	"strconv"
	"sync"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The limit of the index fragments of one package together: freeFragments and twice the size of its main header, in
// bytes, but at most maxFragments. A header within its limits can require far more, such as a long directory name
// with half a million files in it.
const (
	freeFragments = 8 << 20
	maxFragments  = 36 << 20
)

// Describe sets the index fragments of c: Primary, Filelists and Other. The caller has set the identity of c, its
// File and the time of its upload. The error is a [*catalog.Rejection] of a package whose fragments exceed their
// limit.
func (p *Package) Describe(c *catalog.Package) error {
	h := p.header
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	left := min(maxFragments, freeFragments+2*(h.end-h.start))
	for _, part := range []struct {
		fragment *[]byte
		write    func(*fragment, *catalog.Package)
		size     int // estimated bytes of its files
	}{
		{&c.Primary, h.primary, h.files.size(true)},
		{&c.Filelists, h.filelists, h.files.size(false)},
		{&c.Other, h.other, 0},
	} {
		f := fragment{remaining: left}
		f.grow(part.size, *room)
		if part.write(&f, c); f.overflow {
			return input.Reject(catalog.TooLarge, "the package needs more room in the indexes of its repository than a header of its size may ask for; split it, or shorten its paths and texts")
		}
		if *part.fragment = f.b; len(f.b) > 0 && &f.b[:1][0] == &(*room)[:1][0] {
			*part.fragment = bytes.Clone(f.b)
		}
		left -= len(f.b)
	}
	c.Needs = needsOf(c.Primary)
	return nil
}

// rooms are reused for fragments of small packages, which are copied once their size is known.
var rooms = sync.Pool{New: func() any { return new(make([]byte, 0, 32<<10)) }}

// primary writes the element of primary.xml, by which clients select a package.
func (h *header) primary(f *fragment, c *catalog.Package) {
	f.start("package", "type", "rpm")
	f.element("name", h.name)
	f.element("arch", h.arch)
	h.version(f)
	f.element("checksum", c.File.SHA256, "type", "sha256", "pkgid", "YES")
	f.element("summary", h.summary)
	f.element("description", h.description)
	f.element("packager", h.packager)
	f.element("url", h.url)
	f.empty("time", "file", decimal(c.Uploaded.Unix()), "build", decimal(h.built))
	f.empty("size", "package", decimal(c.File.Size), "installed", decimal(h.installed), "archive", decimal(h.archive))
	f.empty("location", "href", layout.RPMName(*c))
	f.start("format")
	h.format(f)
	f.end("format")
	f.end("package")
}

// format writes the content of the <format> element.
func (h *header) format(f *fragment) {
	f.element("rpm:license", h.license)
	f.element("rpm:vendor", h.vendor)
	f.element("rpm:group", h.group)
	f.element("rpm:buildhost", h.buildHost)
	f.element("rpm:sourcerpm", h.sourceRPM)
	f.empty("rpm:header-range", "start", strconv.Itoa(h.start), "end", strconv.Itoa(h.end))
	entries(f, "rpm:provides", h.provides)
	entries(f, "rpm:requires", h.requires)
	entries(f, "rpm:conflicts", h.conflicts)
	entries(f, "rpm:obsoletes", h.obsoletes)
	entries(f, "rpm:suggests", h.suggests)
	entries(f, "rpm:enhances", h.enhances)
	entries(f, "rpm:recommends", h.recommends)
	entries(f, "rpm:supplements", h.supplements)
	for file := range h.files.all() {
		if file.primary {
			f.file(file)
		}
	}
}

// entries writes the dependencies of one kind. Only requires have the attribute pre.
func entries(f *fragment, name string, deps []dependency) {
	if len(deps) == 0 {
		return
	}
	f.start(name)
	var buf [12]string
	for _, d := range deps {
		attributes := append(buf[:0], "name", d.name)
		if comparison := d.comparison(); comparison != "" {
			attributes = append(attributes, "flags", comparison)
			attributes = appendVersionAttributes(attributes, d.version)
		}
		if name == "rpm:requires" && d.isPre() {
			attributes = append(attributes, "pre", "1")
		}
		f.empty("rpm:entry", attributes...)
	}
	f.end(name)
}

func appendVersionAttributes(attributes []string, s string) []string {
	if s == "" {
		return attributes
	}
	epoch, version, release := splitVersion(s)
	attributes = append(attributes, "epoch", epoch)
	if version != "" {
		attributes = append(attributes, "ver", version)
	}
	if release != "" {
		attributes = append(attributes, "rel", release)
	}
	return attributes
}

// filelists writes the element of filelists.xml: all paths.
func (h *header) filelists(f *fragment, c *catalog.Package) {
	h.startPackage(f, c)
	for file := range h.files.all() {
		f.file(file)
	}
	f.end("package")
}

// other writes the element of other.xml: the changelog.
func (h *header) other(f *fragment, c *catalog.Package) {
	h.startPackage(f, c)
	for _, c := range h.changes {
		f.element("changelog", c.text, "author", c.author, "date", decimal(c.time))
	}
	f.end("package")
}

// startPackage opens an element of filelists.xml or other.xml.
func (h *header) startPackage(f *fragment, c *catalog.Package) {
	f.start("package", "pkgid", c.File.SHA256, "name", h.name, "arch", h.arch)
	h.version(f)
}

func (h *header) version(f *fragment) {
	f.empty("version", "epoch", decimal(h.evr.epoch), "ver", h.evr.version, "rel", h.evr.release)
}

// decimal formats n as createrepo_c does, which prints numbers of 2^63 and more as negative ones. Real packages do
// not have such numbers.
func decimal[T int64 | uint64 | uint32](n T) string { return strconv.FormatInt(int64(n), 10) }
