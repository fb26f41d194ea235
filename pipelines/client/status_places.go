package client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A placeState is where a package is on its way to clients.
type placeState string

const (
	placeOut      placeState = "out"      // clients see it
	placeWaiting  placeState = "waiting"  // its release is to be published
	placeHeld     placeState = "held"     // it waits for a release train
	placeClaimed  placeState = "claimed"  // its bytes are being stored
	placeReceived placeState = "received" // an upload that is read, or waits for that
	placeRejected placeState = "rejected"
	placeYanked   placeState = "yanked"
	placeAbsent   placeState = "absent"
)

// A placement is the state of a package in one release, as status prints it. Without a package it is of a distribution, or of a
// release that lacks an architecture.
type placement struct {
	Release   string         `json:"release"`
	Component string         `json:"component,omitempty"`
	Package   string         `json:"package,omitempty"` // name version architecture; of an upload, as its file is named
	Name      string         `json:"name,omitempty"`
	Version   string         `json:"version,omitempty"`
	Arch      string         `json:"arch,omitempty"`
	SHA256    string         `json:"sha256,omitempty"` // in a mutable repository, where the version may get other bytes
	State     placeState     `json:"state"`
	Since     *time.Time     `json:"since,omitempty"`     // when clients first saw it
	Till      *time.Time     `json:"till,omitempty"`      // when they first did not any more
	Revision  int64          `json:"revision,omitempty"`  // the first that shows it; if it is yanked, that does not any more
	Published int64          `json:"published,omitempty"` // the revision of the release that clients see
	Reason    catalog.Reason `json:"reason,omitempty"`    // of a rejection
	By        string         `json:"by,omitempty"`        // who yanked it
	At        *time.Time     `json:"at,omitempty"`        // when it was yanked, or the upload received
	Detail    string         `json:"detail,omitempty"`
	Snapshots *snapshotCount `json:"snapshots,omitempty"`
	Phase     *int           `json:"phase,omitempty"` // the percentage of hosts that upgrade to it, unless all do
	Counts    bool           `json:"counts"`          // its name is here: it is to be out
	Seen      *sighting      `json:"seen,omitempty"`  // with --verify

	release catalog.Release
	pkg     catalog.Package
}

// A snapshotCount is how many snapshots have a package.
type snapshotCount struct {
	Count  int    `json:"count"`
	Oldest string `json:"oldest"` // identifiers
	Newest string `json:"newest"`
}

// placementOf describes what a release has of a package.
func placementOf(p catalogdb.Placement, r catalogdb.ReleaseState) placement {
	k := p.Package
	row := placement{Release: p.Release.String(), Component: k.Component, Package: k.Name + " " + k.Version + " " + k.Arch, Name: k.Name, Version: k.Version, Arch: k.Arch,
		Since: p.Since, Till: p.Till, Revision: p.Came, Published: r.Published, Counts: true, Phase: p.Phase, release: p.Release, pkg: k}
	if n := p.Snapshots; n.Count > 0 {
		row.Snapshots = &snapshotCount{n.Count, n.Oldest, n.Newest}
	}
	switch {
	case k.State == catalog.Yanked:
		row.State, row.Revision = placeYanked, p.Went
		row.withdrawn(p, k)
	case k.State == catalog.Reserved:
		row.State, row.Detail = placeHeld, "it waits for a release train; repomill train list shows those that are open"
	case k.State == catalog.Dropped:
		row.State, row.Detail = placeAbsent, "it was dropped from a release train"
	case k.State == catalog.Claimed:
		row.State, row.Detail = placeClaimed, "its bytes are being stored"
	case p.Visible:
		row.State = placeOut
		if p.Phase != nil {
			row.Detail = fmt.Sprintf("%d %% of the hosts upgrade to it", *p.Phase)
		}
	default:
		row.State, row.Since, row.Till, row.Detail = placeWaiting, nil, nil, "its release is not published yet"
	}
	if k.Variant != "" {
		row.SHA256 = k.File.SHA256
		row.Detail = strings.TrimSuffix("sha256 "+row.SHA256+"; "+row.Detail, "; ")
	}
	if r.Fault != "" && r.Published < r.Revision.Number {
		row.Detail = strings.TrimPrefix(row.Detail+"; the last publish failed: "+r.Fault, "; ")
	}
	return row
}

// withdrawn describes the withdrawal of a package.
func (row *placement) withdrawn(p catalogdb.Placement, k catalog.Package) {
	if k.Yank != nil {
		row.At, row.By, row.Detail = &k.Yank.At, k.Yank.By, k.Yank.At.Format(time.DateOnly)
		if k.Yank.By != "" {
			row.Detail += " by " + k.Yank.By
		}
		row.Detail += ": " + k.Yank.Reason
	}
	if p.Visible {
		row.Detail += "; clients see it until its release is published"
	}
	if p.Removed {
		row.Detail += "; its file is removed"
	}
}

// A lookup is a search for the packages of a pattern at or below a target.
type lookup struct {
	target  string
	pattern catalog.Pattern
}

// covers reports whether the target has a component of a distribution (DEB), or an architecture directory (RPM). An empty one
// is of no architecture, or of all.
func (l lookup) covers(r catalog.Repository, d catalog.Distribution, part string) bool {
	distribution := r.String() + "/" + d.String()
	wanted, deeper := strings.CutPrefix(l.target, distribution+"/")
	return below(distribution, l.target) || deeper && (part == wanted || part == "")
}

// A spot is where a name is: in one component of a distribution.
type spot struct {
	distribution, component, name string
}

// A spotState is what a spot has of a name.
type spotState struct {
	place  catalog.Place
	rows   []placement
	others []catalogdb.OtherVersions
}

// spots sorts what was found, uploads included, by where it is.
func (l lookup) spots(found catalogdb.Located, uploads []catalogdb.PushedUpload) map[spot]*spotState {
	all := map[spot]*spotState{}
	at := func(p catalog.Place, name string) *spotState {
		key := spot{p.Distribution.String(), p.Component, name}
		if all[key] == nil {
			all[key] = &spotState{place: p}
		}
		return all[key]
	}
	states := map[catalog.Release]catalogdb.ReleaseState{}
	for _, r := range found.Releases {
		states[r.Release] = r
	}
	for _, p := range found.Placements {
		if l.covers(p.Release.Repository, p.Release.Distribution, cmp.Or(p.Package.Component, p.Release.Arch)) {
			s := at(p.Package.Place(), p.Package.Name)
			s.rows = append(s.rows, placementOf(p, states[p.Release]))
		}
	}
	for _, o := range found.Others {
		if l.covers(o.Place.Repository, o.Place.Distribution, cmp.Or(o.Place.Component, dirOfArch(o.Arch))) {
			s := at(o.Place, o.Name)
			s.others = append(s.others, o)
		}
	}
	stored := map[spot][]string{} // versions and architectures that have rows
	for key, s := range all {
		for _, row := range s.rows {
			stored[key] = append(stored[key], withoutEpoch(row.Version)+" "+row.Arch)
		}
	}
	for _, u := range l.uploads(found.Settings, uploads) {
		if key := (spot{u.release.Distribution.String(), u.Component, u.Name}); !slices.Contains(stored[key], withoutEpoch(u.Version)+" "+u.Arch) {
			s := at(catalog.Place{Repository: u.release.Repository, Distribution: u.release.Distribution, Component: u.Component}, u.Name)
			s.rows = append(s.rows, u)
		}
	}
	return all
}

// withoutEpoch returns a version as file names have it.
func withoutEpoch(version string) string {
	if epoch, rest, has := strings.Cut(version, ":"); has && strings.Trim(epoch, "0123456789") == "" {
		return rest
	}
	return version
}

// dirOfArch returns the directory of an RPM architecture; empty for all.
func dirOfArch(arch string) string {
	if arch == layout.Noarch {
		return ""
	}
	return layout.RPMDirOf(arch)
}

// everywhere reports whether an architecture stands for all of them.
func everywhere(arch string) bool { return arch == "all" || arch == layout.Noarch }

// missing returns what a spot lacks: the whole of it, or architectures that the name has there in other versions. A version for all
// architectures lacks none, and one for some of them replaces one for all.
func (l lookup) missing(s *spotState) (all []placement) {
	has := func(o catalogdb.OtherVersions) string {
		if o.Active == 1 {
			return "it has " + o.Newest
		}
		return fmt.Sprintf("it has %d other versions, the newest is %s", o.Active, o.Newest)
	}
	r := catalog.Release{Repository: s.place.Repository, Distribution: s.place.Distribution}
	if len(s.rows) == 0 {
		return []placement{{Release: r.String(), Component: s.place.Component, Name: s.others[0].Name, State: placeAbsent, Detail: has(s.others[0]), Counts: true, release: r}}
	}
	arches := map[string]bool{}
	for _, row := range s.rows {
		if everywhere(row.Arch) {
			return nil
		}
		arches[row.Arch] = true
	}
	for _, o := range s.others {
		if arches[o.Arch] || everywhere(o.Arch) || archOf(l.pattern) != "" {
			continue
		}
		at := r
		if o.Place.Component == "" {
			at.Arch = layout.RPMDirOf(o.Arch)
		}
		all = append(all, placement{Release: at.String(), Component: o.Place.Component, Name: o.Name, Arch: o.Arch, State: placeAbsent, Detail: has(o), Counts: true, release: at})
	}
	return all
}

// archOf returns the architecture that a pattern names, if any. It begins with a letter; what follows the colon of an epoch does not.
func archOf(p catalog.Pattern) string {
	i := strings.LastIndexByte(p.Version, ':')
	if i < 0 || i+1 == len(p.Version) || strings.ContainsAny(p.Version[i+1:i+2], `0123456789*?[\`) {
		return ""
	}
	return p.Version[i+1:]
}
