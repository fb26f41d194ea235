package html

import (
	"path"
	"strings"
	"time"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

type versionPage struct {
	head
	Package    string
	Version    string
	Repository string
	NameLink   string
	Setup      string
	KeysLink   string
	Snapshots  string // link to the list of snapshots; empty if the repository has none
	First      time.Time
	Facts      *facts.Facts
	Homepage   string // a link, or empty
	HomeText   string
	Paragraphs []string
	Notices    []notice
	Gone       bool // all of it was withdrawn
	Commands   []command
	Components bool // the table has them
	Epochs     bool // the table has versions, which differ
	Groups     []rowGroup
	Rows       int
	Relations  []relationGroup
	Signers    []signer
	Unsigned   bool // a package names no signer
	Changelog  []facts.Entry
}

// A notice says why packages were withdrawn.
type notice struct {
	Reason string
	At     time.Time // of the first of them
	In     string    // empty: everywhere
}

// A rowGroup is the packages of one distribution.
type rowGroup struct {
	Distribution string
	Rows         []row
}

// A row is a package in the table of a version.
type row struct {
	Component string
	Version   string
	Arch      string
	Size      string
	SHA256    string
	Since     *time.Time
	From      *time.Time // of one that was withdrawn at Since
	File      link
	Places    string // directories, if there are several
	Files     string // link to its files
	NoFiles   string // why there is no such link
	Withdrawn bool
	Replaced  bool   // by other bytes of the version
	Phase     string // the part of the hosts that upgrade; empty for all
}

// A signer is a key that packages name as their signer.
type signer struct{ Key, In string }

// VersionPage returns the page of one version of a package.
func (r *Renderer) VersionPage(v model.VersionPage) []model.Page {
	d := r.draw(layout.VersionPageKey(v.Name, v.Package, v.Version.Version))
	version := v.Version.Version
	p := versionPage{Package: v.Package, Version: version, Repository: v.Name.String(), First: v.First, Rows: len(v.Packages)}
	p.NameLink = d.to(layout.NamePageKey(v.Name, v.Package))
	p.head = d.headOf(v.Repository, v.Package+" "+version+" · "+v.Name.String(), crumb{v.Package, p.NameLink}, crumb{Text: version})
	p.Setup = d.to(layout.FrontPageKey(v.Name)) + "#install"
	p.KeysLink = d.to(layout.FrontPageKey(v.Name)) + "#keys"
	if v.Snapshots {
		p.Snapshots = d.to(layout.SnapshotsPageKey(v.Name))
	}
	p.Twin, p.Feed = d.to(layout.NameTwinKey(v.Name, v.Package)), d.to(layout.NameFeedKey(v.Name, v.Package))
	if p.Facts = factsOf(model.Current(v.Packages)); p.Facts != nil {
		p.Homepage, p.HomeText = outside(p.Facts.Homepage), shortened(p.Facts.Homepage, 200)
		p.Paragraphs = paragraphs(p.Facts)
		p.Changelog = p.Facts.Changelog
	}
	p.Notices, p.Gone = notices(model.Current(v.Packages))
	p.Commands = commands(v.Packages, true)
	p.Components, p.Epochs = hasComponents(v.Packages), len(distinct(v.Packages, func(k model.Package) string { return k.Package.Version })) > 1
	p.Groups = d.rows(v.Packages)
	p.Relations = relations(model.Current(v.Packages))
	p.Signers, p.Unsigned = signers(model.Current(v.Packages))
	return []model.Page{d.page("version", p)}
}

// factsOf returns what the first package that says something says of itself.
func factsOf(packages []model.Package) *facts.Facts {
	var found *facts.Facts
	for _, k := range packages {
		if k.Facts != nil && (found == nil || len(found.Changelog) == 0 && len(k.Facts.Changelog) > 0) {
			found = k.Facts
		}
	}
	return found
}

// paragraphs returns those of a description, without a first one that repeats the summary.
func paragraphs(f *facts.Facts) []string {
	var all []string
	left := maxText
	for s := range strings.SplitSeq(f.Description, "\n\n") {
		if s = strings.Trim(s, "\n"); s == "" || s == f.Summary {
			continue
		}
		all = append(all, shortened(s, left))
		if left -= len(s); left <= 0 {
			break
		}
	}
	return all
}

// maxText is the number of characters of a description on a page.
const maxText = 20_000

// hasComponents reports whether a DEB package lies in another component than main.
func hasComponents(packages []model.Package) bool {
	for _, k := range packages {
		if k.Component != "" && k.Component != layout.DefaultComponent {
			return true
		}
	}
	return false
}

// notices returns the reasons for which packages were withdrawn, and whether all were. Those of one reason and one day are one. Who
// withdrew a package is for the audit log to say, and not for everybody to read.
func notices(packages []model.Package) (all []notice, gone bool) {
	type why struct{ reason, day string }
	at, in := map[why]int{}, map[why][]string{} // index in all; distributions and architectures
	n := 0
	for _, k := range packages {
		if k.State != catalog.Yanked {
			continue
		}
		n++
		var note notice
		if k.Yank != nil {
			note.Reason, note.At = k.Yank.Reason, k.Yank.At.UTC()
		}
		y := why{note.Reason, note.At.Format(time.DateOnly)}
		if _, ok := in[y]; !ok {
			at[y], all = len(all), append(all, note)
		}
		in[y] = append(in[y], k.Distribution.String()+" "+k.Arch)
	}
	for y, places := range in {
		if len(places) < len(packages) {
			all[at[y]].In = listed(places)
		}
	}
	return all, n > 0 && n == len(packages)
}

// rows returns packages by distribution, in their order.
func (d drawing) rows(packages []model.Package) (groups []rowGroup) {
	for _, k := range packages {
		name := k.Distribution.String()
		if len(groups) == 0 || groups[len(groups)-1].Distribution != name {
			groups = append(groups, rowGroup{Distribution: name})
		}
		g := &groups[len(groups)-1]
		g.Rows = append(g.Rows, d.row(k))
	}
	return groups
}

func (d drawing) row(k model.Package) row {
	r := row{Component: k.Component, Version: k.Version, Arch: k.Arch, Size: size(k.File.Size), SHA256: k.File.SHA256, Withdrawn: k.State == catalog.Yanked, Replaced: k.Replaced()}
	key := k.Key
	var places []string
	for _, in := range k.In {
		if in.Since != nil && (r.Since == nil || in.Since.Before(*r.Since)) {
			r.Since = in.Since
		}
		if in.From != nil && (r.From == nil || in.From.Before(*r.From)) {
			r.From = in.From
		}
		if in.Release.Arch != "" {
			places = append(places, in.Release.Arch)
		}
	}
	if key == "" && len(k.In) > 0 {
		key = k.In[0].Key
	}
	if key != "" {
		r.File.Text = path.Base(key)
	}
	if key != "" && !r.Withdrawn { // it is not to be installed, and its file does not stay
		r.File.Link = d.to(key)
	}
	if len(places) > 1 {
		r.Places = strings.Join(places, ", ")
	}
	r.NoFiles = k.NoFiles
	if k.Phase != nil && !r.Withdrawn {
		r.Phase = catalog.PhaseText(*k.Phase)
	}
	if k.Files != "" {
		r.Files = d.to(k.Files)
	}
	return r
}

// signers returns the keys that packages name as their signers, and whether a package names none.
func signers(packages []model.Package) (all []signer, unsigned bool) {
	in := map[string][]string{}
	for _, k := range packages {
		if k.Signer == "" {
			unsigned = true
			continue
		}
		in[k.Signer] = append(in[k.Signer], k.Distribution.String())
	}
	for _, key := range distinct(packages, func(k model.Package) string { return k.Signer }) {
		if key != "" {
			all = append(all, signer{Key: key})
		}
	}
	if len(all) > 1 || unsigned {
		for i, s := range all {
			all[i].In = listed(in[s.Key])
		}
	}
	return all, unsigned
}
