package html

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

type frontPage struct {
	head
	Name        catalog.Repository
	Description string
	Packages    int
	Names       int
	Expires     *time.Time // of the key that expires first
	Search      string     // the twin of the list of names
	List        string
	Scripts     []scriptLine
	SetUps      []setUp
	Open        bool // the lines of the one distribution are shown
	Keys        []keyView
	PackageKeys []keyView
	Keyring     string
	Changes     []changeView
	Programs    []link
}

type scriptLine struct{ Systems, Line string }

// A keyView is a public key. Its file has all of the signing keys, or one package key.
type keyView struct {
	model.Key
	File string
}

// A changeView is a version that came, or went.
type changeView struct {
	model.Change
	Link, NameLink string
	In             string
}

// Front returns the page of a repository.
func (r *Renderer) Front(f model.Front) []model.Page {
	d := r.draw(layout.FrontPageKey(f.Name))
	p := frontPage{head: d.headOf(f.Repository, f.Name.String()), Name: f.Name, Description: f.Description, Packages: f.Packages, Names: f.Names,
		Search: d.to(layout.NamesTwinKey(f.Name, -1, "")), List: d.to(layout.NamesPageKey(f.Name, -1, "")),
		SetUps: d.setUps(f), Open: len(f.Distributions) == 1}
	p.AsOf = f.AsOf
	p.Feed, p.Twin = d.to(layout.FeedKey(f.Name)), d.to(layout.FrontTwinKey(f.Name))
	p.Scripts = d.scripts(f)
	for _, k := range f.Keys {
		p.Keys = append(p.Keys, keyView{k, d.to(layout.GPGKeyKey(f.Name))})
		if k.Expires != nil && (p.Expires == nil || k.Expires.Before(*p.Expires)) {
			p.Expires = k.Expires
		}
	}
	for _, k := range f.PackageKeys {
		p.PackageKeys = append(p.PackageKeys, keyView{k, d.to(layout.PackageKeyKey(f.Name, keyID(k.Fingerprint)))})
	}
	if f.Keyring {
		p.Keyring = strings.Join(d.keyrings(f), ", ")
	}
	for _, c := range f.Changes {
		p.Changes = append(p.Changes, changeView{Change: c, Link: d.to(layout.VersionPageKey(f.Name, c.Name, c.Version)),
			NameLink: d.to(layout.NamePageKey(f.Name, c.Name)), In: where(c.Distributions)})
	}
	p.Programs = []link{{"index.json", p.Twin}, {"status.json", d.to(layout.StatusKey(f.Name))}, {"names/index.json", p.Search}, {"feed.atom", p.Feed}}
	return []model.Page{d.page("front", p)}
}

// keyID returns the 16 last digits of a fingerprint, by which package keys are known.
func keyID(fingerprint string) string {
	return fingerprint[max(0, len(fingerprint)-16):]
}

// scripts returns the line that sets any host up, for each format of the distributions.
func (d drawing) scripts(f model.Front) (lines []scriptLine) {
	for _, format := range []catalog.Format{catalog.DEB, catalog.RPM} {
		var systems []string
		for _, dist := range f.Distributions {
			if withClient(dist).Format == format {
				systems = append(systems, withClient(dist).Distribution.String())
			}
		}
		if len(systems) > 0 {
			lines = append(lines, scriptLine{where(systems), d.scriptLine(f.Repository, format)})
		}
	}
	return lines
}

// keyrings returns the names of the packages that keep keys up to date.
func (d drawing) keyrings(f model.Front) (names []string) {
	for _, dist := range f.Distributions {
		if name := layout.KeyringName(f.Name, withClient(dist).Format); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// maxWhere is the number of distributions that are named in a line.
const maxWhere = 12

// where returns distributions in a short form: "debian bookworm, trixie · el 8, 9".
func where(distributions []string) string {
	if len(distributions) > maxWhere {
		return layout.Counted(len(distributions), "distribution")
	}
	var parts []string
	before := ""
	for _, d := range distributions {
		os, version, _ := strings.Cut(d, "/")
		if os == before {
			parts[len(parts)-1] += ", " + version
			continue
		}
		parts, before = append(parts, os+" "+version), os
	}
	return strings.Join(parts, " · ")
}

// distinct returns the values of packages in order, without repeats.
func distinct[T cmp.Ordered](packages []model.Package, of func(model.Package) T) []T {
	all := make([]T, 0, len(packages))
	for _, k := range packages {
		all = append(all, of(k))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
