package html

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

type namePage struct {
	head
	Package    string
	Repository string
	Summary    string
	Homepage   string
	HomeLink   string // the homepage, if that is a link
	Setup      string // where the front page sets hosts up
	Commands   []command
	Versions   []versionLine
	Page       int
	Pages      int
	Newer      string
	Older      string
}

// A command installs a package on systems of some distributions.
type command struct{ Program, In, Line string }

// A versionLine is a version in the table of all.
type versionLine struct {
	Version   string
	Link      string
	First     time.Time
	In        string
	Archs     string
	Size      string
	SHA256    string // of the one package
	Count     int    // of different files, if there are several
	Copy      string
	Withdrawn string // "withdrawn", or how many of its packages
	Gone      bool   // all of them
}

// Name returns a page of the versions of a package.
func (r *Renderer) Name(n model.Name) []model.Page {
	newest := n.Page >= n.Pages
	key, twin := layout.NamePageKey(n.Name, n.Package), layout.NameTwinKey(n.Name, n.Package)
	if !newest {
		key, twin = layout.OlderPageKey(n.Name, n.Package, n.Page), layout.OlderTwinKey(n.Name, n.Package, n.Page)
	}
	d := r.draw(key)
	title, crumbs := n.Package, []crumb{{Text: n.Package}}
	if !newest {
		here := "page " + strconv.Itoa(n.Page) + " of " + strconv.Itoa(n.Pages)
		title, crumbs = n.Package+" · "+here, []crumb{{n.Package, d.to(layout.NamePageKey(n.Name, n.Package))}, {Text: here}}
	}
	p := namePage{head: d.headOf(n.Repository, title+" · "+n.Name.String(), crumbs...), Package: n.Package, Repository: n.Name.String(), Summary: n.Summary, Homepage: shortened(n.Homepage, 200),
		HomeLink: outside(n.Homepage), Setup: d.to(layout.FrontPageKey(n.Name)) + "#install", Page: n.Page, Pages: n.Pages}
	p.AsOf = n.AsOf
	p.Twin, p.Feed = d.to(twin), d.to(layout.NameFeedKey(n.Name, n.Package))
	if newest {
		var all []model.Package
		for _, v := range n.Versions {
			all = append(all, v.Packages...)
		}
		p.Commands = commands(all, false)
	}
	for _, v := range n.Versions {
		p.Versions = append(p.Versions, d.versionLine(n, v))
	}
	if n.Page > 1 {
		p.Older = d.to(layout.OlderPageKey(n.Name, n.Package, n.Page-1))
	}
	if n.Page == n.Pages-1 {
		p.Newer = d.to(layout.NamePageKey(n.Name, n.Package))
	} else if !newest {
		p.Newer = d.to(layout.OlderPageKey(n.Name, n.Package, n.Page+1))
	}
	return []model.Page{d.page("name", p)}
}

func (d drawing) versionLine(n model.Name, v model.Version) versionLine {
	v.Packages = model.Current(v.Packages)
	l := versionLine{Version: v.Version, Link: d.to(layout.VersionPageKey(n.Name, n.Package, v.Version)), First: v.First,
		In:    where(distinct(v.Packages, distribution)),
		Archs: strings.Join(distinct(v.Packages, func(k model.Package) string { return k.Arch }), ", "), Withdrawn: withdrawn(v.Packages)}
	l.Gone = l.Withdrawn == allWithdrawn
	if len(v.Packages) == 0 {
		return l
	}
	sizes := distinct(v.Packages, func(k model.Package) int64 { return k.File.Size })
	l.Size = sizeRange(sizes[0], sizes[len(sizes)-1])
	files := distinct(v.Packages, func(k model.Package) string { return k.File.SHA256 })
	if l.SHA256 = files[0]; len(files) > 1 {
		l.SHA256, l.Count = "", len(files)
	}
	if !l.Gone {
		l.Copy = exact(v.Packages[0], clientFor(v.Packages[0].Distribution, v.Packages[0].Format), "")
	}
	return l
}

func distribution(k model.Package) string { return k.Distribution.String() }

// withdrawn says whether packages were withdrawn, all or some; empty if none was.
func withdrawn(packages []model.Package) string {
	n := 0
	for _, k := range packages {
		if k.State == catalog.Yanked {
			n++
		}
	}
	switch n {
	case 0:
		return ""
	case len(packages):
		return allWithdrawn
	}
	return strconv.Itoa(n) + " of " + strconv.Itoa(len(packages)) + " withdrawn"
}

const allWithdrawn = "withdrawn"

// commands returns the commands that install packages of one name: each with the distributions for which it is. With exactly, they
// name the version. Source packages and withdrawn ones are not installed.
func commands(packages []model.Package, exactly bool) (all []command) {
	type group struct {
		client layout.Client
		in     []string
	}
	groups, order := map[string]*group{}, []string{}
	foreign := foreignArchs(packages, exactly)
	for _, k := range packages {
		if k.State == catalog.Yanked || k.Arch == "src" || k.Arch == "nosrc" {
			continue
		}
		client := clientFor(k.Distribution, k.Format)
		arch := ""
		if k.Format == catalog.DEB {
			arch = foreign[installable(k, exactly)]
		}
		words := word(k.Name)
		switch {
		case exactly:
			words = exact(k, client, arch)
		case arch != "":
			words = word(k.Name + ":" + arch)
		}
		line := install(client, words)
		g, ok := groups[line]
		if !ok {
			g = &group{client: client}
			groups[line], order = g, append(order, line)
		}
		if at, found := slices.BinarySearch(g.in, k.Distribution.String()); !found {
			g.in = slices.Insert(g.in, at, k.Distribution.String())
		}
	}
	for _, line := range order {
		all = append(all, command{string(programOf(groups[line].client)), where(groups[line].in), line})
	}
	return all
}

// installable returns what the packages have in common of which a command installs one: the distribution and, if the command names it, the
// version.
func installable(k model.Package, exactly bool) string {
	if exactly {
		return k.Distribution.String() + " " + k.Package.Version
	}
	return k.Distribution.String()
}

// foreignArchs returns, for what a command installs ([installable]), the architecture that apt needs behind the name ([setup.Qualified]).
func foreignArchs(packages []model.Package, exactly bool) map[string]string {
	archs := map[string][]string{}
	for _, k := range packages {
		if k.Format == catalog.DEB && k.State != catalog.Yanked {
			id := installable(k, exactly)
			archs[id] = append(archs[id], k.Arch)
		}
	}
	foreign := map[string]string{}
	for d, all := range archs {
		_, foreign[d], _ = strings.Cut(setup.Qualified("x", catalog.DEB, all...), ":")
	}
	return foreign
}
