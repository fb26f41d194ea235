package check

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"path"
	"slices"
	"strings"
)

// apt reads InRelease. packages is nil if it says nothing, which is noted.
func (s *sampler) apt(ctx context.Context) (pointer string, indexes []named, packages func(context.Context, int) []named) {
	dist := path.Join(s.found.Base, "dists", s.found.Codename)
	a := &aptRun{run: s.run, codename: s.found.Codename, dist: dist, pointer: dist + "/InRelease", entries: map[string]fact{}, good: map[string]string{}}
	signed, ok := s.small(ctx, a.pointer)
	if !ok {
		return "", nil, nil
	}
	pointer = string(signed)
	body, err := s.keys.VerifyClear(signed)
	if err != nil {
		s.note(a.pointer, Differs, "signature: %v", err)
		return pointer, nil, nil
	}
	sound := a.parseRelease(body)
	if s.problemsOf(a.pointer) || !sound {
		return pointer, nil, nil
	}
	s.note(a.pointer, Good, "")
	var lists []string // of packages, that are not empty
	for name, f := range a.entries {
		if a.optional(name) {
			continue
		}
		byHash := dist + "/" + path.Join(path.Dir(name), "by-hash", "SHA256", f.sum.String())
		indexes = append(indexes, named{f, dist + "/" + name, a.pointer}, named{f, byHash, a.pointer})
		if plain, ok := strings.CutSuffix(name, ".gz"); ok && path.Base(plain) == "Packages" && a.entries[plain].size > 0 {
			a.good[name] = byHash
			lists = append(lists, plain)
		}
	}
	slices.Sort(lists)
	return pointer, byKey(indexes), func(ctx context.Context, n int) []named {
		if len(lists) == 0 {
			return nil
		}
		name := lists[s.random.IntN(len(lists))]
		d := &drawn{random: s.random, n: n}
		key := a.good[name+".gz"]
		if !s.afford(ctx, named{a.entries[name+".gz"], key, a.pointer}) {
			return nil
		}
		s.list(ctx, key, func() error {
			return a.form(ctx, key, name, ".gz", func(st stanza) error {
				p, err := parsePackage(st, strings.TrimPrefix(path.Base(path.Dir(name)), "binary-"))
				if err == nil {
					d.offer(named{p.fact, s.key(p.filename), key})
				}
				return err
			})
		})
		return d.list
	}
}

// rpm is apt for repomd.xml and its signature.
func (s *sampler) rpm(ctx context.Context) (pointer string, indexes []named, packages func(context.Context, int) []named) {
	r := &rpmRun{run: s.run, pointer: path.Join(s.found.Base, "repodata/repomd.xml")}
	body, ok := s.small(ctx, r.pointer)
	if !ok {
		return "", nil, nil
	}
	pointer = string(body)
	sig, ok := s.small(ctx, r.pointer+".asc")
	if !ok {
		return pointer, nil, nil
	}
	if err := s.keys.VerifyDetached(body, sig); err != nil {
		s.note(r.pointer+".asc", Differs, "bad GPG signature of repomd.xml: %v", err)
		return pointer, nil, nil
	}
	var md repomd
	if err := xml.NewDecoder(bytes.NewReader(body)).Decode(&md); err != nil {
		s.note(r.pointer, Differs, "is malformed: %v", err)
		return pointer, nil, nil
	}
	s.note(r.pointer, Good, "")
	s.note(r.pointer+".asc", Good, "")
	var primary data
	for _, d := range md.Data {
		file, _, err := d.facts()
		if err != nil {
			s.note(r.pointer, Differs, "%.100q: %v", d.Type, err)
			continue
		}
		indexes = append(indexes, named{file, r.key(d.Location.Href), r.pointer})
		if d.Type == "primary" {
			primary = d
		}
	}
	return pointer, byKey(indexes), func(ctx context.Context, n int) []named {
		file, open, err := primary.facts()
		if err != nil {
			return nil // noted
		}
		d := &drawn{random: s.random, n: n}
		key := r.key(primary.Location.Href)
		if !s.afford(ctx, named{file, key, r.pointer}) {
			return nil
		}
		s.list(ctx, key, func() error {
			return r.unpacked(ctx, key, open, func(in io.Reader) error { return r.offer(in, d, key) })
		})
		return d.list
	}
}

// offer offers the packages of primary to a sample.
func (r *rpmRun) offer(in io.Reader, d *drawn, key string) error {
	dec := xml.NewDecoder(in)
	_, _, err := packages(dec, lists[0].root, func(e *xml.StartElement) error {
		var p struct {
			Checksum checksum `xml:"checksum"`
			Size     struct {
				Package string `xml:"package,attr"`
			} `xml:"size"`
			Location location `xml:"location"`
		}
		if err := dec.DecodeElement(&p, e); err != nil {
			return err
		}
		f, err := newFact(p.Checksum, p.Size.Package)
		if err == nil {
			err = p.Location.check()
		}
		if err == nil {
			d.offer(named{f, r.key(p.Location.Href), key})
		}
		return err
	})
	return err
}

// list reads an index of packages, which is at key, and notes what it is.
func (s *sampler) list(ctx context.Context, key string, read func() error) {
	t := &watched{Tree: s.tree}
	s.tree = t
	err := read()
	s.tree = t.Tree
	switch {
	case t.err != nil:
		s.note(key, outcomeOf(t.err), "%v", unreadable(t.err))
	case err != nil:
		s.note(key, Differs, "%v", err)
	case !s.problemsOf(key):
		s.note(key, Good, "")
	}
}

// A watched tree remembers the error of an Open, and of a Read: they are none of the object's content.
type watched struct {
	Tree
	err error
}

func (w *watched) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	body, err := w.Tree.Open(ctx, name)
	if err != nil {
		w.err = err
		return nil, err
	}
	return &watchedBody{body, w}, nil
}

type watchedBody struct {
	io.ReadCloser
	w *watched
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // by the contract of io.Reader
		b.w.err = err
	}
	return n, err
}
