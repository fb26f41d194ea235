package check

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"repomill/schemas/layout"
)

// A listKind is one of the three indexes that every RPM repository has.
type listKind struct {
	dataType string
	root     xml.Name
	each     func(*rpmRun, *listing, *xml.Decoder, *xml.StartElement) error
}

var lists = []listKind{
	{"primary", xml.Name{Space: "http://linux.duke.edu/metadata/common", Local: "metadata"}, (*rpmRun).primary},
	{"filelists", xml.Name{Space: "http://linux.duke.edu/metadata/filelists", Local: "filelists"}, (*rpmRun).secondary},
	{"other", xml.Name{Space: "http://linux.duke.edu/metadata/other", Local: "otherdata"}, (*rpmRun).secondary},
}

// A listing is the packages of one index.
type listing struct {
	key    string            // of its file
	ids    map[digest]string // pkgid to NEVRA
	nevras map[string]bool
}

// list reads one index to its end and reports problems of its packages. The error is of its form. Primary must be read
// first: the others are compared with it.
func (r *rpmRun) list(key string, kind listKind, in io.Reader) error {
	l := &listing{key: key, ids: map[digest]string{}, nevras: map[string]bool{}}
	dec := xml.NewDecoder(in)
	declared, n, err := packages(dec, kind.root, func(e *xml.StartElement) error { return kind.each(r, l, dec, e) })
	if err != nil {
		return err
	}
	if declared != n {
		r.add(key, `says packages="%d" but has %d`, declared, n)
	}
	if kind.dataType == "primary" {
		r.packages = l.ids
		return nil
	}
	if r.packages != nil && !maps.Equal(l.ids, r.packages) {
		r.compareList(l)
	}
	return nil
}

// compareList reports how the packages in filelists or other differ from those in primary.
func (r *rpmRun) compareList(l *listing) {
	for id, nevra := range r.packages {
		if got, ok := l.ids[id]; !ok {
			r.add(l.key, "lacks package %.200q of primary", nevra)
		} else if got != nevra {
			r.add(l.key, "has package %.200q where primary has %.200q, pkgid %s", got, nevra, id)
		}
	}
	for id, nevra := range l.ids {
		if _, ok := r.packages[id]; !ok {
			r.add(l.key, "has package %.200q, pkgid %s, which is not in primary", nevra, id)
		}
	}
}

// packages calls each for every package element below root, and returns the declared and the actual number of them.
func packages(dec *xml.Decoder, root xml.Name, each func(*xml.StartElement) error) (declared, n int, err error) {
	for depth := 0; ; {
		t, err := dec.Token()
		if err == io.EOF {
			return 0, 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, 0, err
		}
		switch t := t.(type) {
		case xml.Directive:
			return 0, 0, errors.New("has a DOCTYPE or another directive")
		case xml.StartElement:
			if depth == 0 {
				if declared, err = rootCount(t, root); err != nil {
					return 0, 0, err
				}
				depth++
				continue
			}
			if t.Name.Local != "package" || t.Name.Space != root.Space {
				return 0, 0, fmt.Errorf("has an element %.100q where packages should be", t.Name.Local)
			}
			n++
			if err := each(&t); err != nil {
				return 0, 0, fmt.Errorf("package %d: %w", n, err)
			}
		case xml.EndElement:
			return declared, n, atEnd(dec)
		}
	}
}

// rootCount returns the number in the packages attribute of the root element.
func rootCount(e xml.StartElement, root xml.Name) (int, error) {
	if e.Name != root {
		return 0, fmt.Errorf("its root element is %.100q, not %q", e.Name.Local, root.Local)
	}
	i := slices.IndexFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == "packages" })
	if i < 0 {
		return 0, errors.New("its root element has no packages attribute")
	}
	n, err := strconv.ParseUint(e.Attr[i].Value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("its root element says packages=%.40q", e.Attr[i].Value)
	}
	return int(n), nil
}

// evr is a version element.
type evr struct {
	Epoch string `xml:"epoch,attr"`
	Ver   string `xml:"ver,attr"`
	Rel   string `xml:"rel,attr"`
}

// nevra names a package. Epoch 0 and no epoch are equal.
func nevra(name string, v evr, arch string) string {
	epoch := strings.TrimLeft(v.Epoch, "0")
	if epoch != "" {
		epoch += ":"
	}
	return name + "-" + epoch + v.Ver + "-" + v.Rel + "." + arch
}

// note adds a package to a listing. A package that is already in it is a problem.
func (r *rpmRun) note(l *listing, id digest, name string) {
	if _, ok := l.ids[id]; ok {
		r.add(l.key, "lists pkgid %s twice (%.200q)", id, name)
	} else if l.nevras[name] {
		r.add(l.key, "lists %.200q twice, with different files", name)
	}
	l.ids[id], l.nevras[name] = name, true
}

// primary reads one package element of primary.
func (r *rpmRun) primary(l *listing, dec *xml.Decoder, e *xml.StartElement) error {
	var p struct {
		Type     string `xml:"type,attr"`
		Name     string `xml:"name"`
		Arch     string `xml:"arch"`
		Version  evr    `xml:"version"`
		Checksum struct {
			checksum
			Pkgid string `xml:"pkgid,attr"`
		} `xml:"checksum"`
		Size struct {
			Package string `xml:"package,attr"`
		} `xml:"size"`
		Location location `xml:"location"`
	}
	if err := dec.DecodeElement(&p, e); err != nil {
		return err
	}
	name := nevra(p.Name, p.Version, p.Arch)
	if p.Type != "rpm" || p.Name == "" || p.Arch == "" || p.Version.Ver == "" || p.Version.Rel == "" {
		return fmt.Errorf("%.200q lacks its type, name, version, release or architecture", name)
	}
	f, err := newFact(p.Checksum.checksum, p.Size.Package)
	if err != nil || p.Checksum.Pkgid != "YES" {
		return fmt.Errorf("%.200q has no pkgid of type sha256, or no size", name)
	}
	r.note(l, f.sum, name)
	if r.base != "" && !fits(p.Arch, path.Base(r.base)) {
		r.add(l.key, "package %.200q does not belong into folder %q", name, path.Base(r.base))
	}
	if err := p.Location.check(); err != nil {
		r.add(l.key, "package %.200q: location %.200q %v", name, p.Location.Href, err)
		return nil
	}
	r.want(l.key, p.Location.Href, wanted{fact: f})
	return nil
}

// fits reports whether packages of architecture arch belong into folder.
func fits(arch, folder string) bool {
	if arch == layout.Noarch {
		return folder != layout.SRPMS
	}
	own := layout.RPMDirOf(arch)
	return own == folder || own == layout.I386 && folder == layout.X86 // of which some systems install both
}

// secondary reads one package element of filelists or other.
func (r *rpmRun) secondary(l *listing, dec *xml.Decoder, e *xml.StartElement) error {
	var p struct {
		Pkgid   string `xml:"pkgid,attr"`
		Name    string `xml:"name,attr"`
		Arch    string `xml:"arch,attr"`
		Version evr    `xml:"version"`
	}
	if err := dec.DecodeElement(&p, e); err != nil {
		return err
	}
	id, ok := parseDigest(p.Pkgid)
	if !ok {
		return fmt.Errorf("%.200q has no pkgid of type sha256", p.Name)
	}
	r.note(l, id, nevra(p.Name, p.Version, p.Arch))
	return nil
}
