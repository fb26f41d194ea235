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

type snapshotsPage struct {
	head
	Repository  string
	Front       string
	Rule        string
	Total       int
	Snapshots   []snapshotLine
	Between     string // an example of a URL with a time; empty if there is no snapshot
	Page, Pages int
	Newer       string
	Older       string
}

// A snapshotLine is a snapshot in the table of all.
type snapshotLine struct {
	model.Snapshot
	Link     string
	In       string
	Packages string // empty if that is not known
	Changes  string // empty if they are not known
}

// Snapshots returns a page of the snapshots of a repository.
func (r *Renderer) Snapshots(s model.Snapshots) []model.Page {
	newest := s.Page >= s.Pages
	key, twin := layout.SnapshotsPageKey(s.Name), layout.SnapshotsTwinKey(s.Name)
	if !newest {
		key, twin = layout.OlderSnapshotsPageKey(s.Name, s.Page), layout.OlderSnapshotsTwinKey(s.Name, s.Page)
	}
	d := r.draw(key)
	title, crumbs := "Snapshots", []crumb{{Text: "snapshots"}}
	if !newest {
		here := "page " + strconv.Itoa(s.Page) + " of " + strconv.Itoa(s.Pages)
		title, crumbs = "Snapshots · "+here, []crumb{{"snapshots", d.to(layout.SnapshotsPageKey(s.Name))}, {Text: here}}
	}
	p := snapshotsPage{head: d.headOf(s.Repository, title+" · "+s.Name.String(), crumbs...), Repository: s.Name.String(), Front: d.to(layout.FrontPageKey(s.Name)),
		Rule: taken(s.Rule), Total: s.Total, Page: s.Page, Pages: s.Pages}
	p.Twin = d.to(twin)
	for _, one := range s.Snapshots {
		p.Snapshots = append(p.Snapshots, d.snapshotLine(s.Name, one))
		if one.Taken.After(p.AsOf) {
			p.AsOf = one.Taken
		}
	}
	if len(s.Snapshots) > 0 {
		p.Between = d.publicURL + "/" + layout.SnapshotDir(s.Name, layout.SnapshotID(s.Snapshots[0].Taken.Add(time.Second)))
	}
	if s.Page > 1 {
		p.Older = d.to(layout.OlderSnapshotsPageKey(s.Name, s.Page-1))
	}
	if s.Page == s.Pages-1 {
		p.Newer = d.to(layout.SnapshotsPageKey(s.Name))
	} else if !newest {
		p.Newer = d.to(layout.OlderSnapshotsPageKey(s.Name, s.Page+1))
	}
	return []model.Page{d.page("snapshots", p)}
}

func (d drawing) snapshotLine(r catalog.Repository, s model.Snapshot) snapshotLine {
	l := snapshotLine{Snapshot: s, Link: d.to(layout.SnapshotPageKey(r, s.ID)), In: fewOf(distributionsOf(s))}
	packages, came, went, known := 0, 0, 0, false
	for _, one := range s.Releases {
		if packages >= 0 {
			packages += one.Packages
		}
		if one.Packages < 0 {
			packages = -1
		}
		if one.Known {
			came, went, known = came+one.Came, went+one.Went, true
		}
	}
	if packages >= 0 {
		l.Packages = count(packages)
	}
	if known {
		l.Changes = changed(came, went)
	}
	return l
}

// maxFew is the number of distributions that are named in a table with a row for each snapshot.
const maxFew = 3

func fewOf(distributions []string) string {
	if len(distributions) > maxFew {
		return count(len(distributions))
	}
	return where(distributions)
}

// changed says how many packages came and went.
func changed(came, went int) string {
	var all []string
	if came > 0 {
		all = append(all, count(came)+" came")
	}
	if went > 0 {
		all = append(all, count(went)+" went")
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// distributionsOf returns the distributions of a snapshot, sorted.
func distributionsOf(s model.Snapshot) (all []string) {
	for _, one := range s.Releases {
		all = append(all, one.Distribution.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

type snapshotPage struct {
	head
	Repository string
	Front      string
	List       string
	model.Snapshot
	Uses     []keptSetUp
	Apt      string // the commands of a system that has the repository; empty without DEB
	Releases []keptRow
}

// A keptSetUp is how systems of one distribution are set up for the state that a snapshot has.
type keptSetUp struct {
	ID, Name, Client string
	Open             bool // it is the only one, and shown
	Hand             string
	Base             string // the line of the configuration that says where packages are
	Config           *link  // the file of configuration
}

// A keptRow is a release in the table of a snapshot.
type keptRow struct {
	Release  string // os/version, with the architecture of RPM
	Revision int64
	Packages string
	Changes  string
}

// SnapshotPage returns the page of one snapshot.
func (r *Renderer) SnapshotPage(s model.SnapshotPage) []model.Page {
	repository := s.Repository.Name
	d := r.draw(layout.SnapshotPageKey(repository, s.ID))
	p := snapshotPage{Repository: repository.String(), Front: d.to(layout.FrontPageKey(repository)), List: d.to(layout.SnapshotsPageKey(repository)), Snapshot: s.Snapshot}
	p.head = d.headOf(s.Repository, "Snapshot "+s.ID+" · "+repository.String(), crumb{"snapshots", p.List}, crumb{Text: s.ID})
	p.AsOf = s.Taken
	for _, dist := range s.Distributions {
		distro := withClient(dist)
		p.Uses = append(p.Uses, d.keptSetUp(s, dist))
		if distro.Format == catalog.DEB {
			p.Apt = "sudo apt-get update --snapshot " + s.ID + " &&\nsudo apt-get install --snapshot " + s.ID + " PACKAGE"
		}
	}
	for _, one := range s.Releases {
		row := keptRow{Release: strings.TrimPrefix(one.Release.String(), repository.String()+"/"), Revision: one.Revision}
		if one.Packages >= 0 {
			row.Packages = count(one.Packages)
		}
		if one.Known {
			row.Changes = changed(one.Came, one.Went)
		}
		p.Releases = append(p.Releases, row)
	}
	return []model.Page{d.page("snapshot", p)}
}

func (d drawing) keptSetUp(s model.SnapshotPage, dist model.Distribution) keptSetUp {
	distro := withClient(dist)
	repository := s.Repository.Name
	c := clientOf(model.Front{Repository: s.Repository, Keyring: s.Keyring}, distro, dist)
	u := keptSetUp{ID: "use-" + c.id(), Name: c.id(), Client: string(programOf(distro.Client)), Open: len(s.Distributions) == 1}
	u.Hand = strings.Join(setup.SnapshotLines(d.publicURL, c.settings, distro, s.ID, setup.Placeholder), "\n")
	key, base := layout.RepoKey(repository, distro.Distribution), "baseurl=%/$basearch"
	at := repository.String() + "/" + distro.Distribution.String()
	if distro.Format == catalog.DEB {
		key, base, at = layout.SourcesKey(repository, distro.Distribution), "URIs: %/", repository.String()+"/"+distro.Distribution.OS
	}
	u.Base = strings.Replace(base, "%", d.publicURL+"/"+layout.InSnapshot(repository, s.ID, at), 1)
	if distro.Client != layout.AptList { // which reads no such file
		u.Config = &link{key[strings.LastIndexByte(key, '/')+1:], d.to(layout.InSnapshot(repository, s.ID, key))}
	}
	return u
}
