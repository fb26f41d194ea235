package check

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
)

// indexes reads every index that a client of any listed architecture reads.
func (a *aptRun) indexes(ctx context.Context) {
	for _, c := range a.components {
		if _, ok := a.entries[c+"/source/Sources.gz"]; !ok {
			a.add(a.pointer, "does not list %.100q: clients with deb-src would warn", c+"/source/Sources.gz")
		} else {
			a.index(ctx, c+"/source/Sources", func(stanza) error { return nil })
		}
		all := a.packages(ctx, c, "all", nil)
		for _, arch := range a.archs {
			if arch != "all" {
				a.packages(ctx, c, arch, all)
			}
		}
	}
}

// packages reads one Packages index and returns the digests of its stanzas of architecture "all", by name and
// version; nil if the index cannot be read. all is the result for the component's binary-all, whose stanzas must
// be in this index, too.
func (a *aptRun) packages(ctx context.Context, component, arch string, all map[string]digest) map[string]digest {
	name := component + "/binary-" + arch + "/Packages"
	index := a.dist + "/" + name
	if _, ok := a.entries[name]; !ok {
		a.add(a.pointer, "does not list %.200q: apt would skip the index", name)
	}
	seen, mine := map[string]bool{}, map[string]digest{}
	ok := a.index(ctx, name, func(s stanza) error {
		p, err := parsePackage(s, arch)
		if err != nil {
			return err
		}
		id := p.name + " " + canonicalVersion(p.version) + " " + p.arch
		if seen[id] {
			return fmt.Errorf("lists %s %s %s twice", p.name, p.version, p.arch)
		}
		seen[id] = true
		if p.arch == "all" {
			mine[p.name+" "+p.version] = s.digest
		}
		a.want(index, p.filename, p.wanted)
		return nil
	})
	if !ok {
		return nil
	}
	if all != nil && !maps.Equal(mine, all) {
		a.compareAll(index, mine, all)
	}
	return mine
}

// compareAll reports how the stanzas of architecture "all" in an index differ from those in binary-all.
func (a *aptRun) compareAll(index string, mine, all map[string]digest) {
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if got, ok := mine[id]; !ok {
			a.add(index, "lacks %.200q of binary-all", id)
		} else if got != all[id] {
			a.add(index, "has another stanza of %.200q than binary-all", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(mine)) {
		if _, ok := all[id]; !ok {
			a.add(index, "has %.200q, which is not in binary-all", id)
		}
	}
}

// index calls each for every stanza of an index, and checks that all its listed forms have the same bytes. An error of
// each is a problem. index reports whether the index could be read to its end.
func (a *aptRun) index(ctx context.Context, name string, each func(stanza) error) bool {
	done, found := false, false
	for _, ext := range forms {
		if _, ok := a.entries[name+ext]; !ok {
			continue
		}
		found = true
		key, ok := a.good[name+ext]
		if !ok {
			continue // absent, or reported
		}
		visit := each
		if done {
			visit = nil
		}
		if err := a.form(ctx, key, name, ext, visit); err != nil {
			a.add(a.dist+"/"+name+ext, "%v", err)
			continue
		}
		done = true
	}
	if !found {
		a.add(a.pointer, "lists no form of %.200q", name)
	}
	return done
}

// maxUnlisted bounds the decompressed bytes of an index without a listed size.
const maxUnlisted = 1 << 32

// form reads one form of an index from key. If each is nil, only its digest is checked.
func (a *aptRun) form(ctx context.Context, key, name, ext string, each func(stanza) error) error {
	body, err := a.tree.Open(ctx, key)
	if err != nil {
		return unreadable(err)
	}
	defer body.Close()
	in, err := unpack(name+ext, body)
	if err != nil {
		return fmt.Errorf("cannot be decompressed: %w", err)
	}
	defer in.Close()
	want, listed := a.entries[name]
	if !listed {
		return a.stanzas(io.LimitReader(in, maxUnlisted), name+ext, each)
	}
	h := sha256.New()
	counted := &counter{in: io.TeeReader(io.LimitReader(in, want.size+1), h)}
	if err := a.stanzas(counted, name+ext, each); err != nil {
		return err
	}
	if err := differs(counted.n, h, want); err != nil {
		return fmt.Errorf("decompressed, it %w as %s", err, name)
	}
	return nil
}

// stanzas reads in to its end.
func (a *aptRun) stanzas(in io.Reader, name string, each func(stanza) error) error {
	if each == nil {
		_, err := io.Copy(io.Discard, in)
		return err
	}
	for r := newStanzaReader(in); ; {
		s, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(s); err != nil {
			a.add(a.dist+"/"+name, "stanza before line %d: %v", r.line, err)
		}
	}
}

// A counter counts the bytes that are read.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// A debPackage has the fields of a stanza that a client needs.
type debPackage struct {
	name, version, arch string
	filename            string // below the base
	wanted
}

// parsePackage reads a stanza of the index of architecture arch.
func parsePackage(s stanza, arch string) (debPackage, error) {
	f := s.fields
	p := debPackage{name: f["package"], version: f["version"], arch: f["architecture"], filename: f["filename"]}
	p.md5 = f["md5sum"]
	for _, field := range []string{"package", "version", "architecture", "filename", "size", "sha256"} {
		if f[field] == "" {
			return p, fmt.Errorf("package %.100q has no field %s", p.name, field)
		}
	}
	if p.arch != arch && p.arch != "all" {
		return p, fmt.Errorf("package %.100q is of architecture %.40q", p.name, p.arch)
	}
	if err := checkName(p.filename); err != nil {
		return p, fmt.Errorf("package %.100q: Filename %.200q %w", p.name, p.filename, err)
	}
	var err error
	if p.size, err = parseSize(f["size"]); err != nil {
		return p, fmt.Errorf("package %.100q %w", p.name, err)
	}
	var ok bool
	if p.sum, ok = parseDigest(f["sha256"]); !ok {
		return p, fmt.Errorf("package %.100q has no SHA-256 in lower-case hexadecimal", p.name)
	}
	return p, nil
}
