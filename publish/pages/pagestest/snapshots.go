package pagestest

import (
	"fmt"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// snapshots puts snapshots of the distributions of a repository into the site, oldest first, one a day: 50 on each page but the newest.
// The newest one has a name that is hard to lay out.
func (s *Site) snapshots(f *model.Front, days int) {
	const perPage = 50
	f.Snapshots = true
	var all []model.Snapshot
	for i := range days {
		taken := time.Date(2026, 11, 29, 2, 15, 0, 0, time.UTC).AddDate(0, 0, i+1-days)
		one := model.Snapshot{ID: layout.SnapshotID(taken), Taken: taken, Automatic: true}
		switch {
		case i == days-1:
			one.Alias, one.Automatic = "before-19.5.0~rc2+security^20261129-with-a-long-name-of-a-release", false
		case i%7 == 0:
			one.Alias, one.Automatic = fmt.Sprintf("r%d", i), false
			until := taken.AddDate(1, 0, 0)
			one.Until = &until
		}
		for j, d := range f.Distributions {
			if i == 3 && j > 0 { // one of a distribution alone
				continue
			}
			r := model.KeptRelease{Release: catalog.Release{Repository: f.Name, Distribution: d.Distribution}, Revision: int64(2*i + 1), Packages: 120*j + 7*i,
				Known: i > 0, Came: i % 4 * j * 3, Went: i % 3 * j}
			if d.Format == catalog.RPM {
				r.Arch = "x86_64"
			}
			if i == 0 {
				r.Packages = -1
			}
			one.Releases = append(one.Releases, r)
		}
		all = append(all, one)
		p := model.SnapshotPage{Repository: f.Repository, Snapshot: one, Keyring: f.Keyring}
		for _, d := range f.Distributions[:min(len(f.Distributions), len(one.Releases))] {
			p.Distributions = append(p.Distributions, d)
			s.Objects = append(s.Objects, layout.InSnapshot(f.Name, one.ID, layout.SourcesKey(f.Name, d.Distribution)), layout.InSnapshot(f.Name, one.ID, layout.RepoKey(f.Name, d.Distribution)))
		}
		s.Snapshots = append(s.Snapshots, p)
	}
	f.Kept = days
	if days > 0 {
		f.Newest = all[days-1].ID
	}
	older := max(0, days/perPage-1)
	for number := 1; number <= older+1; number++ {
		part := all[(number-1)*perPage:]
		if number <= older {
			part = part[:perPage]
			s.Objects = append(s.Objects, layout.OlderSnapshotsTwinKey(f.Name, number))
		}
		l := model.Snapshots{Repository: f.Repository, Rule: f.SnapshotRule, Page: number, Pages: older + 1}
		if number > older {
			l.Total = days
		}
		for i := range part {
			l.Snapshots = append(l.Snapshots, part[len(part)-1-i])
		}
		s.SnapshotLists = append(s.SnapshotLists, l)
	}
	s.Objects = append(s.Objects, layout.SnapshotsTwinKey(f.Name))
}
