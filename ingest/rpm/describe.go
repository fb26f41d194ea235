package rpm

import (
	"strconv"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Describe sets the index fragments of c: Primary, Filelists and Other. The identity of c, its File
// and the time of its upload are set already. An error is a [*catalog.Rejection]: the package would
// make an index too large.
func (p *Package) Describe(c *catalog.Package) error {
	var err error
	if c.Primary, err = render(p.header.primary, c); err != nil {
		return err
	}
	if c.Filelists, err = render(p.header.filelists, c); err != nil {
		return err
	}
	c.Other, err = render(p.header.other, c)
	return err
}

func render(write func(*fragment, *catalog.Package), c *catalog.Package) ([]byte, error) {
	var f fragment
	if write(&f, c); f.over {
		return nil, reject(catalog.TooLarge, "the package needs more than %d bytes in an index of its repository; split it", maxFragment)
	}
	return f.b, nil
}

// primary writes the element of primary.xml: everything by which clients choose a package.
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

// format writes what the element of that name has.
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
	for _, file := range h.files {
		if path := file.path(); primary(path) {
			writeFile(f, path, file.kind)
		}
	}
}

// entries writes one kind of dependencies. Only requires can be a "pre".
func entries(f *fragment, name string, deps []dependency) {
	if len(deps) == 0 {
		return
	}
	f.start(name)
	for _, d := range deps {
		attributes := []string{"name", d.name}
		if comparison := d.comparison(); comparison != "" {
			attributes = append(attributes, "flags", comparison)
			attributes = append(attributes, versionAttributes(d.version)...)
		}
		if name == "rpm:requires" && d.pre() {
			attributes = append(attributes, "pre", "1")
		}
		f.empty("rpm:entry", attributes...)
	}
	f.end(name)
}

func versionAttributes(s string) []string {
	if s == "" {
		return nil
	}
	epoch, version, release := splitVersion(s)
	attributes := []string{"epoch", epoch}
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
	for _, file := range h.files {
		writeFile(f, file.path(), file.kind)
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

func writeFile(f *fragment, path, kind string) {
	if kind == "" {
		f.element("file", path)
	} else {
		f.element("file", path, "type", kind)
	}
}

// decimal writes numbers of 2^63 and more, which no honest package has, as createrepo_c does: negative.
func decimal[T int64 | uint64 | uint32](n T) string { return strconv.FormatInt(int64(n), 10) }
