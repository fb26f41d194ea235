package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// parsePlace reads a target of promote: a place, or a repository alone. The component may be empty.
func parsePlace(s string) (p catalog.Place, err error) {
	target := strings.Trim(s, "/")
	part := strings.Split(target, "/")
	if len(part) != 2 && len(part) != 4 && len(part) != 5 {
		return p, command.Usage("target %q: use owner/name/os/version[/component], or owner/name", s)
	}
	if err := client.CheckTarget(target); err != nil {
		return p, err
	}
	p.Repository = catalog.Repository{Owner: part[0], Name: part[1]}
	if len(part) > 2 {
		p.Distribution = catalog.Distribution{OS: part[2], Version: part[3]}
	}
	if len(part) > 4 {
		p.Component = part[4]
		if rej := layout.CheckComponent(p.Component); rej != nil {
			return p, command.Usage("target %q: %s", s, rej.Detail)
		}
	}
	return p, nil
}

func (c *promoteCmd) parse() (from, to catalog.Place, patterns []pattern, err error) {
	if from, err = parsePlace(c.From); err == nil {
		to, err = parsePlace(c.To)
	}
	none := catalog.Distribution{}
	switch {
	case err != nil:
		return from, to, nil, err
	case from == to:
		return from, to, nil, command.Usage("%s is where the packages are: name another target", c.To)
	case from.Distribution == none && to.Distribution != none:
		return from, to, nil, command.Usage("%s has several distributions: name the one whose packages go to %s", c.From, c.To)
	}
	for _, s := range c.Packages {
		p, err := parsePattern(s)
		if err != nil {
			return from, to, nil, err
		}
		patterns = append(patterns, p)
	}
	return from, to, patterns, nil
}

// A pattern selects packages by what people call them.
type pattern struct {
	text, name, rest string // rest is VERSION or VERSION:ARCH; empty for all
}

func parsePattern(s string) (pattern, error) {
	name, rest, versioned := strings.Cut(s, "=")
	_, badName := path.Match(name, "")
	_, badRest := path.Match(rest, "")
	if name == "" || versioned && rest == "" || badName != nil || badRest != nil {
		return pattern{}, command.Usage("package %q: use NAME, NAME=VERSION or NAME=VERSION:ARCH; NAME and VERSION may have * and ?", s)
	}
	return pattern{s, name, rest}, nil
}

// matches reports whether a pattern selects a package. What follows the last colon may be an architecture, or end the version.
func (p pattern) matches(k catalog.Package) bool {
	if !globbed(p.name, k.Name) {
		return false
	}
	if p.rest == "" || globbed(p.rest, k.Version) {
		return true
	}
	i := strings.LastIndexByte(p.rest, ':')
	return i >= 0 && p.rest[i+1:] == k.Arch && globbed(p.rest[:i], k.Version)
}

func globbed(pattern, s string) bool {
	ok, _ := path.Match(pattern, s) // checked when it was read
	return ok
}

// query returns what to ask the catalog for.
func (p pattern) query() (name string) {
	if strings.ContainsAny(p.name, `*?[\`) {
		return ""
	}
	return p.name
}

// listPage is how many packages are asked for at a time.
const listPage = 2000

// A search looks for the packages of a place that patterns select.
type search struct {
	from  catalog.Place
	set   catalog.Settings // of its repository
	moved string           // reason of the withdrawals that are no loss: an earlier run of the command made them; empty for none
	seen  map[string]bool
	found []catalog.Package
}

// selected returns the active packages of a place that patterns select, without the keyring package of its repository.
// With the name of a place, it returns those, too, that were moved there.
func selected(ctx context.Context, db *catalogdb.DB, from catalog.Place, set catalog.Settings, patterns []pattern, moved string) ([]catalog.Package, error) {
	if from.Distribution != (catalog.Distribution{}) {
		if _, has := set.Find(from.Distribution); !has {
			return nil, nothingThere(ctx, db, from, patterns[0])
		}
	}
	s := search{from: from, set: set, moved: moved, seen: map[string]bool{}}
	for _, p := range patterns {
		some, err := s.find(ctx, db, p)
		if err == nil && !some && moved != "" {
			some, err = s.findMoved(ctx, db, p)
		}
		if err == nil && !some {
			err = nothingThere(ctx, db, from, p)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// find adds the packages that a pattern selects, and reports whether there are some.
func (s *search) find(ctx context.Context, db *catalogdb.DB, p pattern) (some bool, err error) {
	q := catalog.PackageQuery{Repository: s.from.Repository, OS: s.from.Distribution.OS, OSVersion: s.from.Distribution.Version, Name: p.query(), Limit: listPage}
	for {
		page, err := db.ListPackages(ctx, q)
		if err != nil {
			return some, command.Fault(err)
		}
		for _, k := range page.Packages {
			if !s.selects(p, k.Package) {
				continue
			}
			if s.set.Keyring != nil && k.Name == layout.KeyringName(s.set.Repository, k.Format) {
				if p.query() != "" {
					return some, fmt.Errorf("%s has the keys of %s: it is made for that repository alone, and is of no use in another one", k.Name, s.set.Repository)
				}
				continue
			}
			some = true
			s.take(k.Package)
		}
		if q.Offset += listPage; q.Offset >= page.Total {
			return some, nil
		}
	}
}

func (s *search) selects(p pattern, k catalog.Package) bool {
	return (s.from.Distribution == catalog.Distribution{} || k.Distribution == s.from.Distribution) &&
		(s.from.Component == "" || k.Component == s.from.Component) && p.matches(k)
}

func (s *search) take(k catalog.Package) {
	if id := k.Place().String() + " " + nameOf(k); !s.seen[id] {
		s.seen[id] = true
		s.found = append(s.found, k)
	}
}

// findMoved is find for the packages that an earlier run of the command has withdrawn. It knows names, and no globs.
func (s *search) findMoved(ctx context.Context, db *catalogdb.DB, p pattern) (some bool, err error) {
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		all, err := db.PackagesNamed(ctx, s.from.Repository, f, p.query())
		if err != nil {
			return some, command.Fault(err)
		}
		for _, k := range all {
			if s.selects(p, k) && k.State == catalog.Yanked && k.Yank != nil && strings.HasPrefix(k.Yank.Reason+"/", movedTo+s.moved+"/") {
				some = true
				s.take(k)
			}
		}
	}
	return some, nil
}

// nothingThere returns an error that names what exists in place of what a pattern selects.
func nothingThere(ctx context.Context, db *catalogdb.DB, from catalog.Place, p pattern) error {
	target := strings.TrimSuffix(from.String(), "/"+from.Component)
	if from.Distribution == (catalog.Distribution{}) {
		target = from.Repository.String()
	} else if err := client.WhyNothing(ctx, db, target); err != nil {
		return err
	}
	if name := p.query(); name != "" {
		version := p.rest
		if i := strings.LastIndexByte(version, ':'); i >= 0 && strings.Trim(version[i:], ":0123456789") != "" && !strings.ContainsAny(version[i+1:i+2], "0123456789") {
			version = version[:i] // of what has an epoch, the version begins with a digit
		}
		if strings.ContainsAny(version, `*?[\`) {
			version = ""
		}
		if err := (client.Listing{Target: target, Name: name, Version: version}).Show(ctx, db, func(catalog.Package) {}); err != nil {
			return err
		}
	}
	if from.Component != "" {
		target += "/" + from.Component
	}
	return fmt.Errorf("there is no %s in %s; repomill ls lists what is", p.text, target)
}
