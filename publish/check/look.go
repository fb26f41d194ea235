package check

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// A Sought package is one that a client looks for in a release.
type Sought struct {
	Component string // DEB only
	Name      string
	Version   string // DEB: as in the control file. RPM: [epoch:]version-release, without an epoch of 0
	Arch      string
}

// A Look is what a client sees of a package.
type Look struct {
	Listed bool   // in the index that the client reads
	SHA256 string // as the index says, lower-case hexadecimal
	Size   int64  // as the index says, in bytes
	Key    string // of its file, below the tree's root
	Fault  error  // why the client cannot get the file; nil if its size is as listed. Its first byte is read, unless the tree knows sizes
}

// ErrRefused is the error of a release that clients do not accept.
var ErrRefused = errors.New("clients refuse it")

// LookFor reads the pointer of a release with its signature and the index of each sought package, as a client does, and asks for
// the files of those that are listed. It returns the revision of the pointer and what is seen of each package, in their order.
// The error wraps [ErrRefused] if the release is damaged or signed by none of the keys; others say that it could not be read.
//
// A release that is refused is read again once, after opt.Settle: a publish may be between the pointer and its signature.
func LookFor(ctx context.Context, t Tree, f Found, k sign.Keyring, sought []Sought, opt Options) (catalog.Revision, []Look, error) {
	for again := false; ; again = true {
		l := &looker{run: newRun(t, f.Base, k, opt), sought: sought, looks: make([]Look, len(sought))}
		err := l.read(ctx, f)
		if err == nil {
			return l.release.Revision, l.looks, ctx.Err()
		}
		if again || !errors.Is(err, ErrRefused) || l.settle(ctx) != nil {
			return l.release.Revision, nil, err
		}
	}
}

// A looker looks for packages in one release.
type looker struct {
	*run
	sought []Sought
	looks  []Look
}

func (l *looker) read(ctx context.Context, f Found) error {
	read := l.rpm
	if f.Format == catalog.DEB {
		read = l.apt
	}
	if err := read(ctx, f); err != nil {
		return err
	}
	for i := range l.looks {
		if l.looks[i].Listed {
			l.looks[i].Fault = l.file(ctx, l.looks[i])
		}
	}
	return nil
}

// refused returns the error of a damaged object.
func refused(key string, err error) error {
	return fmt.Errorf("%s: %w, %w", printable(key), err, ErrRefused)
}

// pointer reads a pointer or a signature.
func (l *looker) pointer(ctx context.Context, key string) ([]byte, error) {
	body, err := readSmall(ctx, l.tree, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", printable(key), err)
	}
	return body, nil
}

// indexed calls read, which reads an index at key. What is wrong with its content is refused; a fault of the store is none of it.
func (l *looker) indexed(key string, read func() error) error {
	w := &watched{Tree: l.tree}
	l.tree = w
	err := read()
	l.tree = w.Tree
	switch {
	case w.err != nil && outcomeOf(w.err) == Unreachable:
		return fmt.Errorf("%s: %w", printable(key), w.err)
	case err != nil:
		return refused(key, err)
	}
	if found := l.sorted(); len(found) > 0 {
		return refused(found[0].Path, errors.New(found[0].Detail))
	}
	return nil
}

// apt reads InRelease and the indexes that a client of each architecture reads.
func (l *looker) apt(ctx context.Context, f Found) error {
	dist := path.Join(f.Base, "dists", f.Codename)
	a := &aptRun{run: l.run, codename: f.Codename, dist: dist, pointer: dist + "/InRelease", entries: map[string]fact{}, good: map[string]string{}}
	signed, err := l.pointer(ctx, a.pointer)
	if err != nil {
		return err
	}
	body, err := l.keys.VerifyClear(signed)
	if err != nil {
		return refused(a.pointer, err)
	}
	if err := l.indexed(a.pointer, func() error { a.parseRelease(body); return nil }); err != nil {
		return err
	}
	for name, wanted := range l.byIndex(a.archs) {
		for _, ext := range forms {
			entry, listed := a.entries[name+ext]
			if !listed {
				continue
			}
			key := dist + "/" + path.Join(path.Dir(name), "by-hash", "SHA256", entry.sum.String())
			arch := strings.TrimPrefix(path.Base(path.Dir(name)), "binary-")
			err := l.indexed(key, func() error {
				return a.form(ctx, key, name, ext, func(s stanza) error { return l.stanza(s, arch, wanted) })
			})
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// byIndex returns which packages are sought in which Packages index. One for all architectures is sought where a client of the
// first architecture finds it.
func (l *looker) byIndex(archs []string) map[string][]int {
	all := map[string][]int{}
	for i, s := range l.sought {
		arch := s.Arch
		if at := slices.IndexFunc(archs, func(a string) bool { return a != "all" }); arch == "all" && at >= 0 {
			arch = archs[at]
		}
		name := s.Component + "/binary-" + arch + "/Packages"
		all[name] = append(all[name], i)
	}
	return all
}

func (l *looker) stanza(s stanza, arch string, wanted []int) error {
	for _, i := range wanted {
		w := l.sought[i]
		if s.fields["package"] != w.Name || s.fields["version"] != w.Version || s.fields["architecture"] != w.Arch {
			continue
		}
		p, err := parsePackage(s, arch)
		if err != nil {
			return err
		}
		l.looks[i] = Look{Listed: true, SHA256: p.sum.String(), Size: p.size, Key: l.key(p.filename)}
	}
	return nil
}

// rpm reads repomd.xml, its signature and primary.
func (l *looker) rpm(ctx context.Context, f Found) error {
	r := &rpmRun{run: l.run, pointer: path.Join(f.Base, "repodata/repomd.xml")}
	body, err := l.pointer(ctx, r.pointer)
	if err != nil {
		return err
	}
	sig, err := l.pointer(ctx, r.pointer+".asc")
	if err != nil {
		return err
	}
	if err := l.keys.VerifyDetached(body, sig); err != nil {
		return refused(r.pointer, err)
	}
	var md repomd
	if err := xml.NewDecoder(bytes.NewReader(body)).Decode(&md); err != nil {
		return refused(r.pointer, err)
	}
	l.release.Revision = parseRevision(strings.TrimSpace(md.Revision) + " " + strings.Join(md.Tags, " "))
	at := slices.IndexFunc(md.Data, func(d data) bool { return d.Type == "primary" })
	if at < 0 {
		return refused(r.pointer, errors.New("lists no primary"))
	}
	primary := md.Data[at]
	_, open, err := primary.facts()
	if err != nil {
		return refused(r.pointer, err)
	}
	key := r.key(primary.Location.Href)
	return l.indexed(key, func() error { return r.unpacked(ctx, key, open, l.primary) })
}

// primary reads the packages of primary.
func (l *looker) primary(in io.Reader) error {
	wanted := map[string][]int{}
	for i, s := range l.sought {
		name := s.Name + "-" + s.Version + "." + s.Arch
		wanted[name] = append(wanted[name], i)
	}
	dec := xml.NewDecoder(in)
	_, _, err := packages(dec, lists[0].root, func(e *xml.StartElement) error {
		var p struct {
			Name     string   `xml:"name"`
			Arch     string   `xml:"arch"`
			Version  evr      `xml:"version"`
			Checksum checksum `xml:"checksum"`
			Size     struct {
				Package string `xml:"package,attr"`
			} `xml:"size"`
			Location location `xml:"location"`
		}
		if err := dec.DecodeElement(&p, e); err != nil {
			return err
		}
		for _, i := range wanted[nevra(p.Name, p.Version, p.Arch)] {
			f, err := newFact(p.Checksum, p.Size.Package)
			if err == nil {
				err = p.Location.check()
			}
			if err != nil {
				return err
			}
			l.looks[i] = Look{Listed: true, SHA256: f.sum.String(), Size: f.size, Key: l.key(p.Location.Href)}
		}
		return nil
	})
	return err
}

// file asks for a package file.
func (l *looker) file(ctx context.Context, seen Look) error {
	t, ok := l.tree.(sizer)
	if !ok {
		body, err := l.tree.Open(ctx, seen.Key)
		if err != nil {
			return unreadable(err)
		}
		return body.Close()
	}
	switch n, err := t.size(ctx, seen.Key); {
	case err != nil:
		return unreadable(err)
	case n >= 0 && n != seen.Size:
		return fmt.Errorf("has %d bytes, listed with %d", n, seen.Size)
	}
	return nil
}
