package pages

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"repomill/publish/keys"
	"repomill/publish/pages/model"
	"repomill/publish/pages/twin"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

const (
	frontRows    = 120             // packages that came or went, of which changes are made: several packages may be one version
	frontChanges = twin.MaxEntries // of the feed; the page has fewer
)

// whole brings up to date what says something of the whole repository; the pages of snapshots only if settings or snapshots have changed. A
// fault of one page keeps none of the others back.
func (w *work) whole(ctx context.Context, snapshots bool) error {
	all := []func(context.Context) error{w.top, w.front, w.status}
	if snapshots {
		all = slices.Insert(all, 0, w.snapshots)
	}
	var errs []error
	for _, do := range all {
		errs = append(errs, w.guard(func() error { return do(ctx) }))
	}
	return errors.Join(errs...)
}

// front brings the front page up to date, its twin, and the feed.
func (w *work) front(ctx context.Context) error {
	pages := []string{layout.FrontPageKey(w.repository), layout.FrontTwinKey(w.repository), layout.FeedKey(w.repository)}
	return w.replace(ctx, pages, func(objects) ([]model.Page, error) {
		set, err := w.Keys(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := w.Catalog.PageFront(ctx, w.repository, frontRows)
		if err != nil {
			return nil, err
		}
		f := w.frontOf(rows, set)
		return append(w.html.Front(f), w.twin.Front(f), w.twin.Feed(f)), nil
	})
}

// frontOf returns what the front page says.
func (w *work) frontOf(rows catalogdb.PageFront, set keys.Set) model.Front {
	s := rows.Settings
	f := model.Front{
		Repository: model.Repository{Name: w.repository, Description: s.Description, Private: s.Visibility != catalog.Public, Snapshots: rows.Snapshots.Ever, Mutable: s.Mutable},
		Packages:   rows.Packages, Names: rows.Names, Releases: releasesOf(rows),
		Keyring: s.Keyring != nil && s.Keyring.On, Changes: changesOf(rows.Changes),
		Retention: s.Retention, SnapshotRule: s.Snapshots, Kept: rows.Snapshots.Kept, Newest: rows.Snapshots.Newest,
	}
	if del := s.Deleted; del != nil {
		f.Deleted = &model.Deleted{At: del.At, Until: del.Until, Removing: del.Removing}
	}
	for _, r := range f.Releases {
		if r.Published.After(f.AsOf) {
			f.AsOf = r.Published
		}
	}
	for _, ds := range s.Offered().Distributions {
		d := model.Distribution{Settings: ds, Package: exampleOf(rows.Newest, ds.Distribution)}
		d.Distro, _ = w.Table.Lookup(ds.Distribution) // the zero one is of a table that has lost it
		d.Distro.Distribution, d.Distro.Format = ds.Distribution, ds.Format
		f.Distributions = append(f.Distributions, d)
	}
	for _, k := range set.Out() {
		f.Keys = append(f.Keys, keysOf([]byte(k.Public))...)
	}
	for _, k := range s.PackageKeys {
		f.PackageKeys = append(f.PackageKeys, keysOf([]byte(k.Armor))...)
	}
	return f
}

func releasesOf(rows catalogdb.PageFront) (all []model.Release) {
	for _, r := range rows.Releases {
		one := model.Release{Release: r.Release, Revision: r.Revision}
		if r.Since != nil {
			one.Published = *r.Since
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b model.Release) int { return strings.Compare(a.Release.String(), b.Release.String()) })
	return all
}

// keysOf describes armoured public keys, also those that clients refuse by now. One that cannot be read is left out.
func keysOf(armored []byte) (all []model.Key) {
	some, err := sign.Describe(armored)
	if err != nil {
		return nil
	}
	for _, k := range some {
		one := model.Key{Fingerprint: k.Fingerprint, User: k.User}
		if !k.Expires.IsZero() {
			expires := k.Expires
			one.Expires = &expires
		}
		all = append(all, one)
	}
	return all
}

// changesOf returns the newest versions that came or went: packages of one version that did so one after the other are one change.
func changesOf(rows []catalogdb.PageChange) (all []model.Change) {
	for _, row := range rows {
		k := row.Package
		if k.Replaced() { // what took its place is a change
			continue
		}
		c := model.Change{Name: k.Name, Version: k.Version, Format: k.Format, At: row.At, Withdrawn: k.State == catalog.Yanked}
		if c.Withdrawn && k.Yank != nil {
			c.Reason = k.Yank.Reason
		}
		same := func(o model.Change) bool {
			return o.Name == c.Name && o.Version == c.Version && o.Format == c.Format && o.Withdrawn == c.Withdrawn && o.Reason == c.Reason
		}
		i := slices.IndexFunc(all, same)
		if i < 0 {
			if len(all) == frontChanges {
				continue // a later row may be of another distribution of a change that is there
			}
			i, all = len(all), append(all, c)
		}
		if d := k.Distribution.String(); !slices.Contains(all[i].Distributions, d) {
			all[i].Distributions = append(all[i].Distributions, d)
		}
	}
	for _, c := range all {
		slices.Sort(c.Distributions)
	}
	return all
}

// exampleOf returns the name of a package that clients of a distribution can install, of those that came last; rather one that people
// install by its name.
func exampleOf(rows []catalogdb.PageChange, d catalog.Distribution) (name string) {
	gone, last := map[string]bool{}, ""
	for _, row := range rows {
		k := row.Package
		if k.Distribution != d || k.Arch == "src" || k.Arch == "nosrc" || k.Replaced() {
			continue
		}
		if k.State == catalog.Yanked {
			gone[k.Name] = true
			continue
		}
		switch {
		case gone[k.Name]: // its newest version went: another package is a better example
			if last == "" {
				last = k.Name
			}
		case !auxiliary(k.Name):
			return k.Name
		case name == "":
			name = k.Name
		}
	}
	return cmp.Or(name, last)
}

// auxiliary reports whether a package is by its name one that belongs to another.
func auxiliary(name string) bool {
	for _, end := range []string{"-dbg", "-dbgsym", "-debuginfo", "-debugsource", "-dev", "-devel", "-doc", "-common", "-data", "-keyring", "-libs"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.HasPrefix(name, "lib")
}
