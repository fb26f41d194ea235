package pages

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// snapshots brings the pages of the snapshots of a repository up to date: one of each, and then the list, whose older pages are numbered
// from the oldest. The page of a snapshot that is gone was removed with its objects. A snapshot that comes or goes while they are made
// moves others to another page of the list: then it begins again.
func (w *work) snapshots(ctx context.Context) error {
	if !w.about.Snapshots {
		return nil
	}
	for n := 1; ; n++ {
		err := w.snapshotsOnce(ctx)
		if !errors.Is(err, errMoved) || n == maxTries {
			return err
		}
	}
}

func (w *work) snapshotsOnce(ctx context.Context) error {
	_, total, err := w.Catalog.PageSnapshots(ctx, w.repository, 0, 0)
	if err != nil {
		return err
	}
	older := w.older(total)
	for n := 1; n <= older+1; n++ { // the newest one comes last, when the pages that it links are there
		if err := w.snapshotList(ctx, n, older, total); err != nil {
			return err
		}
	}
	return w.removeNumbered(ctx, older, func(n int) (page, twin string) {
		return layout.OlderSnapshotsPageKey(w.repository, n), layout.OlderSnapshotsTwinKey(w.repository, n)
	})
}

// snapshotList brings a page of the list up to date, and before that the pages of its snapshots.
func (w *work) snapshotList(ctx context.Context, number, older, total int) error {
	offset, limit := (number-1)*w.limits.list, w.limits.list
	keys := []string{layout.OlderSnapshotsPageKey(w.repository, number), layout.OlderSnapshotsTwinKey(w.repository, number)}
	if number > older {
		limit = total - offset
		keys = []string{layout.SnapshotsPageKey(w.repository), layout.SnapshotsTwinKey(w.repository)}
	}
	some, _, err := w.Catalog.PageSnapshots(ctx, w.repository, offset, limit)
	if err != nil {
		return err
	}
	g, limited := errgroup.WithContext(ctx)
	g.SetLimit(Parallel)
	for begin := 0; begin < len(some); begin += chunk {
		g.Go(func() error {
			return w.guard(func() error { return w.snapshotPages(limited, offset+begin, some[begin:min(begin+chunk, len(some))]) })
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return w.replace(ctx, keys, func(objects) ([]model.Page, error) {
		front, err := w.Catalog.PageFront(ctx, w.repository, 0)
		if err != nil {
			return nil, err
		}
		now, all, err := w.Catalog.PageSnapshots(ctx, w.repository, offset, limit)
		if err != nil {
			return nil, err
		}
		if all != total || !slices.EqualFunc(now, some, sameSnapshot) {
			return nil, errMoved
		}
		s := model.Snapshots{Repository: w.about, Page: number, Pages: older + 1}
		if front.Settings.Deleted == nil {
			s.Rule = front.Settings.Snapshots
		}
		if number > older {
			s.Total = total
		}
		for _, row := range slices.Backward(now) {
			s.Snapshots = append(s.Snapshots, snapshotOf(row))
		}
		return append(w.html.Snapshots(s), w.twin.Snapshots(s)), nil
	})
}

func sameSnapshot(a, b catalogdb.PageSnapshot) bool { return a.ID == b.ID }

// snapshotPages brings the pages of some snapshots up to date, which begin at an offset.
func (w *work) snapshotPages(ctx context.Context, offset int, some []catalogdb.PageSnapshot) error {
	var keys []string
	for _, row := range some {
		keys = append(keys, layout.SnapshotPageKey(w.repository, row.ID))
	}
	return w.replace(ctx, keys, func(objects) (pages []model.Page, err error) {
		front, err := w.Catalog.PageFront(ctx, w.repository, 0)
		if err != nil {
			return nil, err
		}
		now, _, err := w.Catalog.PageSnapshots(ctx, w.repository, offset, len(some))
		if err != nil {
			return nil, err
		}
		if !slices.EqualFunc(now, some, sameSnapshot) {
			return nil, errMoved
		}
		for _, row := range now {
			s := model.SnapshotPage{Repository: w.about, Snapshot: snapshotOf(row), Keyring: front.Settings.Keyring != nil && front.Settings.Keyring.On}
			s.Distributions = w.distributionsOf(row, front.Settings)
			pages = append(pages, w.html.SnapshotPage(s)...)
		}
		return pages, nil
	})
}

func snapshotOf(row catalogdb.PageSnapshot) model.Snapshot {
	s := model.Snapshot{ID: row.ID, Alias: row.Name, Until: row.Until, Automatic: row.Automatic}
	s.Taken, _ = layout.ParseSnapshotID(row.ID)
	for i, one := range row.Releases {
		c := row.Changes[i]
		s.Releases = append(s.Releases, model.KeptRelease{Release: one.Release, Revision: one.Revision, Packages: one.Packages, Known: c.Known, Came: c.Came, Went: c.Went})
	}
	return s
}

// distributionsOf returns the distributions of a snapshot, in the order of its releases. One that the repository has no more is as the
// table and the releases have it.
func (w *work) distributionsOf(row catalogdb.PageSnapshot, s catalog.Settings) (all []model.Distribution) {
	for _, one := range row.Releases {
		d := one.Release.Distribution
		if len(all) > 0 && all[len(all)-1].Distro.Distribution == d {
			continue
		}
		distro, _ := w.Table.Lookup(d)
		distro.Distribution, distro.Format = d, catalog.DEB
		if one.Release.Arch != "" {
			distro.Format = catalog.RPM
		}
		ds, known := s.Find(d)
		if !known {
			ds = catalog.DistributionSettings{Distribution: d, Format: distro.Format, Architectures: distro.Architectures}
		}
		all = append(all, model.Distribution{Distro: distro, Settings: ds})
	}
	return all
}
