// Package pagestest has a site to draw in tests: public and private repositories with packages of both formats, of many distributions
// and of none, with withdrawn versions and long lists.
package pagestest

import (
	"time"

	"repomill/publish/pages/html"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// PublicURL is where clients reach the site.
const PublicURL = "https://packages.example.org"

// Now is when the site was published last.
var Now = time.Date(2026, 11, 29, 21, 58, 7, 0, time.UTC)

// A Site is what pages say, and the keys of other objects that they link.
type Site struct {
	Roots    []model.Root
	Fronts   []model.Front
	Names    []model.Name
	Versions []model.VersionPage
	Files    []model.Files
	Lists    []model.Names
	Objects  []string

	Snapshots     []model.SnapshotPage
	SnapshotLists []model.Snapshots
}

// Pages returns the site as a renderer draws it, with what pages load.
func (s Site) Pages(r *html.Renderer) []model.Page {
	pages := append([]model.Page{}, r.Assets()...)
	for _, v := range s.Roots {
		pages = append(pages, r.Root(v)...)
	}
	for _, v := range s.Fronts {
		pages = append(pages, r.Front(v)...)
	}
	for _, v := range s.Names {
		pages = append(pages, r.Name(v)...)
	}
	for _, v := range s.Versions {
		pages = append(pages, r.VersionPage(v)...)
	}
	for _, v := range s.Files {
		pages = append(pages, r.Files(v)...)
	}
	for _, v := range s.Lists {
		pages = append(pages, r.Names(v)...)
	}
	for _, v := range s.Snapshots {
		pages = append(pages, r.SnapshotPage(v)...)
	}
	for _, v := range s.SnapshotLists {
		pages = append(pages, r.Snapshots(v)...)
	}
	return pages
}

// The repositories of the site.
var (
	Tools  = catalog.Repository{Owner: "acme", Name: "tools"}  // DEB and RPM, with a keyring package and package keys
	Secret = catalog.Repository{Owner: "acme", Name: "secret"} // private
	Wide   = catalog.Repository{Owner: "acme", Name: "wide"}   // one package of all distributions
	New    = catalog.Repository{Owner: "acme", Name: "new"}    // empty
	Big    = catalog.Repository{Owner: "globex", Name: "big"}  // a list of names in parts
)

// NewSite returns the site. All calls return equal values.
func NewSite() Site {
	var s Site
	s.tools()
	s.secret()
	s.wide()
	s.empty()
	s.big()
	entries := []model.RootEntry{
		{Name: New}, {Name: Tools, Description: "Command-line tools of Acme for servers and desktops", Formats: []catalog.Format{catalog.DEB, catalog.RPM}},
		{Name: Wide, Description: "The agent, for all systems", Formats: []catalog.Format{catalog.DEB, catalog.RPM}}}
	s.Roots = []model.Root{{Entries: append(entries[:3:3], model.RootEntry{Name: Big, Formats: []catalog.Format{catalog.DEB}})},
		{Owner: "acme", Entries: entries}, {Owner: "globex", Entries: []model.RootEntry{{Name: Big, Formats: []catalog.Format{catalog.DEB}}}}}
	return s
}

// distribution returns an entry of the built-in table as a repository has it.
func distribution(os, version, pkg string) model.Distribution {
	d := catalog.Distribution{OS: os, Version: version}
	distro, rej := layout.DefaultTable().Lookup(d)
	if rej != nil {
		panic(rej.Detail)
	}
	ds := catalog.DistributionSettings{Distribution: d, Format: distro.Format, Architectures: distro.Architectures}
	if distro.Format == catalog.DEB {
		ds.Components = []string{layout.DefaultComponent}
	}
	return model.Distribution{Distro: distro, Settings: ds, Package: pkg}
}

// objects notes the keys that the pages of a repository link besides pages.
func (s *Site) objects(f model.Front) {
	r := f.Name
	s.Objects = append(s.Objects, layout.FeedKey(r), layout.FrontTwinKey(r), layout.StatusKey(r), layout.NamesTwinKey(r, -1, ""), layout.GPGKeyKey(r), r.String()+"/status/")
	for _, k := range f.PackageKeys {
		s.Objects = append(s.Objects, layout.PackageKeyKey(r, k.Fingerprint[len(k.Fingerprint)-16:]))
	}
	for _, d := range f.Distributions {
		s.Objects = append(s.Objects, layout.SourcesKey(r, d.Distribution), layout.RepoKey(r, d.Distribution))
	}
}

func at(days, hours int) time.Time {
	return Now.AddDate(0, 0, -days).Add(-time.Duration(hours) * time.Hour)
}

func ptr[T any](v T) *T { return &v }
