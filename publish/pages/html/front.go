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
	Keys        []keyView
	PackageKeys []keyView
	Keyring     []string
	Changes     []changeView
	Programs    []program
	Deleted     *model.Deleted
	Keeps       []keepsView // how long versions stay
	Snapshots   *frontSnapshots
}

// frontSnapshots is what the front page says of snapshots.
type frontSnapshots struct {
	Rule         string // empty if no rule takes them
	Kept         int
	List         string // empty if there was none yet
	Newest, Link string // empty if there is none
}

// A scriptLine sets up any host that has packages of one format. Then, for example, one of the commands installs one.
type scriptLine struct {
	Systems, Line string
	Then          []string
}

// A program is a file for programs, and what it has.
type program struct{ Text, Link, What string }

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

// maxChanges is the number of changes on a front page; its feed has more.
const maxChanges = 20

// Front returns the page of a repository.
func (r *Renderer) Front(f model.Front) []model.Page {
	d := r.draw(layout.FrontPageKey(f.Name))
	p := frontPage{head: d.headOf(f.Repository, f.Name.String()), Name: f.Name, Description: f.Description, Packages: f.Packages, Names: f.Names,
		Search: d.to(layout.NamesTwinKey(f.Name, -1, "")), List: d.to(layout.NamesPageKey(f.Name, -1, "")),
		SetUps: d.setUps(f)}
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
		p.Keyring = keyrings(f)
	}
	for _, c := range f.Changes[:min(len(f.Changes), maxChanges)] {
		p.Changes = append(p.Changes, changeView{Change: c, Link: d.to(layout.VersionPageKey(f.Name, c.Name, c.Version)),
			NameLink: d.to(layout.NamePageKey(f.Name, c.Name)), In: where(c.Distributions)})
	}
	p.Programs = []program{{"index.json", p.Twin, "this page"}, {"names/index.json", p.Search, "all names of packages"}, {"feed.atom", p.Feed, "changes"},
		{"status.json", d.to(layout.StatusKey(f.Name)), "revisions, for mirrors"}, {"status/", "status/", "for people, with a token"}}
	p.Deleted, p.Snapshots = f.Deleted, d.frontSnapshots(f)
	if f.Deleted == nil { // until it is brought back, no rule does anything
		p.Keeps = keeps(f)
	}
	if f.Snapshots {
		p.Programs = append(p.Programs, program{"snapshots/index.json", d.to(layout.SnapshotsTwinKey(f.Name)), "snapshots"})
	}
	return []model.Page{d.page("front", p)}
}

// frontSnapshots returns what the front page says of snapshots; nil if there was none, and no rule takes any.
func (d drawing) frontSnapshots(f model.Front) *frontSnapshots {
	rule := f.SnapshotRule
	if f.Deleted != nil {
		rule = nil
	}
	if !f.Snapshots && rule == nil {
		return nil
	}
	s := frontSnapshots{Rule: taken(rule), Kept: f.Kept, Newest: f.Newest}
	if f.Snapshots {
		s.List = d.to(layout.SnapshotsPageKey(f.Name))
	}
	if f.Newest != "" {
		s.Link = d.to(layout.SnapshotPageKey(f.Name, f.Newest))
	}
	return &s
}

// keyID returns the 16 last digits of a fingerprint, by which package keys are known.
func keyID(fingerprint string) string {
	return fingerprint[max(0, len(fingerprint)-16):]
}

// scripts returns the line that sets any host up, for each format of the distributions.
func (d drawing) scripts(f model.Front) (lines []scriptLine) {
	for _, format := range []catalog.Format{catalog.DEB, catalog.RPM} {
		var systems, then []string
		var programs []layout.Client
		for _, dist := range f.Distributions {
			distro := withClient(dist)
			if distro.Format != format {
				continue
			}
			systems = append(systems, distro.Distribution.String())
			if program := programOf(distro.Client); dist.Package != "" && !slices.Contains(programs, program) {
				programs, then = append(programs, program), append(then, install(distro.Client, dist.Package))
			}
		}
		if len(systems) > 0 {
			lines = append(lines, scriptLine{where(systems), d.scriptLine(f.Repository, format), then})
		}
	}
	return lines
}

// keyrings returns the names of the packages that keep keys up to date.
func keyrings(f model.Front) (names []string) {
	for _, dist := range f.Distributions {
		if name := layout.KeyringName(f.Name, withClient(dist).Format); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// maxWhere is the number of distributions that are named in a line.
const maxWhere = 10

// maxSystems is the number of operating systems that are named in a line.
const maxSystems = 7

// where returns distributions in a short form: "debian bookworm, trixie · el 8, 9", or "debian, ubuntu (21 distributions)".
func where(distributions []string) string {
	if len(distributions) > maxWhere {
		return manySystems(distributions)
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

func manySystems(distributions []string) string {
	var systems []string
	for _, d := range distributions {
		if os, _, _ := strings.Cut(d, "/"); !slices.Contains(systems, os) {
			systems = append(systems, os)
		}
	}
	counted := layout.Counted(len(distributions), "distribution")
	if len(systems) > maxSystems {
		return counted
	}
	return strings.Join(systems, ", ") + " (" + counted + ")"
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
