package faults_test

import (
	"errors"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// hidden is a private repository.
var hidden = catalog.Repository{Owner: "acme", Name: "hidden"}

// operations are all that release managers ask for, and what workers do by rules.
var operations = []operation{
	{
		name:   "a promotion into a private repository",
		before: func(s *site) error { return errors.Join(old(s), declare(s, hidden, here), hide(s), s.publish()) },
		ask:    func(s *site) error { return promoteTo(s, hidden, here, false) },
		want: map[string]string{
			jammy: "old 1.0 amd64", "acme/hidden/ubuntu/jammy": "old 1.0 amd64", "acme/hidden/el/9/x86_64": "old 1.0-1 noarch", "acme/hidden/el/9/aarch64": "old 1.0-1 noarch",
		},
	},
	{
		name:   "a move to another distribution",
		before: func(s *site) error { return errors.Join(old(s), declare(s, tools, next), s.publish()) },
		ask:    func(s *site) error { return promoteTo(s, tools, next, true) },
		want: map[string]string{
			jammy: "", el9: "", aarch64: "", noble: "old 1.0 amd64", "acme/tools/el/8/x86_64": "old 1.0-1 noarch", "acme/tools/el/8/aarch64": "old 1.0-1 noarch",
		},
	},
	{
		name: "a move to where other bytes have the name",
		before: func(s *site) error {
			s.put(noble+"/old.deb", debtest.Build(s.t, debtest.Spec{Name: "old", Arch: "amd64", Size: 5000}))
			return errors.Join(old(s), declare(s, tools, next), s.publish())
		},
		ask:  func(s *site) error { return promoteTo(s, tools, next, true) },
		want: map[string]string{jammy: "old 1.0 amd64", noble: "old 1.0 amd64", el9: ""},
	},
	{
		name:   "a yank in all distributions",
		before: func(s *site) error { more(s); return old(s) },
		ask:    func(s *site) error { return yankAll(s, false, "o*") },
		want:   map[string]string{jammy: "more 1.0 amd64", el9: "more 1.0-1 noarch", aarch64: "more 1.0-1 noarch"},
	},
	{
		name:   "a yank that removes the files, too",
		before: func(s *site) error { more(s); return old(s) },
		ask:    func(s *site) error { return yankAll(s, true, "o*") },
		want:   map[string]string{jammy: "more 1.0 amd64", el9: "more 1.0-1 noarch", aarch64: "more 1.0-1 noarch"},
	},
	{
		name:   "an unyank in all distributions",
		before: func(s *site) error { return errors.Join(old(s), yank(s)) },
		ask: func(s *site) error {
			_, err := s.Catalog.UnyankSelected(s.as(), of(catalog.Yanked, "*"), noon, all)
			return err
		},
		want: onlyOld,
	},
	{
		name:   "a rollback to a snapshot",
		before: func(s *site) error { return errors.Join(old(s), takeSnapshot(s), grow(s), yank(s)) },
		ask:    rollBack,
		want:   onlyOld,
	},
	{
		name:   "a run of retention",
		before: versions,
		ask: func(s *site) error {
			_, err := s.Catalog.Retain(s.as(), catalog.PackageTarget{Repository: tools}, catalogdb.Retaining{At: time.Now(), Yank: catalog.Yank{Reason: catalog.Expired, By: asker}}, noon,
				func(r catalogdb.RetentionState, _ []catalogdb.LeavingPackage) error {
					return pipelines.CheckRetention(r)
				})
			return err
		},
		want: map[string]string{jammy: "old 3.0 amd64"},
	},
	{
		name:   "retention becomes automatic",
		before: versions,
		ask: func(s *site) error {
			_, err := s.Catalog.ChangeSettings(s.as(), tools, noon, func(c *catalog.Settings) error {
				c.Retention[0].Automatic, c.Retention[0].AllowShrink = true, true
				return nil
			})
			return err
		},
		want: map[string]string{jammy: "old 3.0 amd64"},
	},
	{
		name:   "a snapshot",
		before: old,
		ask: func(s *site) error {
			_, err := s.Catalog.AskSnapshot(s.as(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}, Name: "good"}, noon)
			return err
		},
		want: onlyOld,
	},
	{
		name:   "the deletion of a snapshot",
		before: func(s *site) error { return errors.Join(old(s), takeSnapshot(s)) },
		ask:    deleteSnapshot,
		want:   onlyOld,
	},
	{
		name:   "snapshots by a rule",
		before: old,
		ask: func(s *site) error {
			_, err := s.Catalog.ChangeSettings(s.as(), tools, noon, func(c *catalog.Settings) error {
				c.Snapshots = &catalog.SnapshotRule{Every: catalog.Weekly, Keep: 1}
				return nil
			})
			return err
		},
		want: onlyOld,
	},
	{
		name:   "a push for a release train",
		before: old,
		staged: train,
		want:   onlyOld,
	},
	{
		name:   "the publish of a release train",
		before: func(s *site) error { train(s); return errors.Join(old(s), s.ingest()) },
		ask:    func(s *site) error { return s.Catalog.AskTrain(s.as(), trainName, catalogdb.TrainAsk{}) },
		want: map[string]string{
			jammy: "old 1.0 amd64, train 1.0 amd64", noble: "train 1.0 amd64", el9: "old 1.0-1 noarch, train 1.0-1 noarch", aarch64: "old 1.0-1 noarch, train 1.0-1 noarch",
		},
	},
	{
		name:   "the drop of a release train",
		before: func(s *site) error { train(s); return errors.Join(old(s), s.ingest()) },
		ask: func(s *site) error {
			_, err := s.Catalog.DropTrain(s.as(), trainName, catalogdb.TrainDrop{All: true})
			return err
		},
		want: onlyOld,
	},
	{
		name:   "a phase",
		before: func(s *site) error { more(s); return old(s) },
		ask:    phase,
		want:   map[string]string{jammy: "more 1.0 amd64, old 1.0 amd64"},
	},
	{
		name:   "a step of a phase",
		before: func(s *site) error { return errors.Join(old(s), phase(s), s.publish()) },
		later:  25 * time.Hour,
		want:   onlyOld,
	},
	{
		name:   "the deletion of a repository",
		before: old,
		ask:    func(s *site) error { return deleteTools(s, grace) },
		want:   map[string]string{jammy: "", el9: "", aarch64: ""},
	},
	{
		name:   "the return of a deleted repository",
		before: func(s *site) error { return errors.Join(old(s), deleteTools(s, grace), s.publish()) },
		ask: func(s *site) error {
			_, _, err := s.Catalog.Undelete(s.as(), whole, noon)
			return err
		},
		want: onlyOld,
	},
	{
		name: "the removal of a deleted repository",
		before: func(s *site) error {
			return errors.Join(old(s), takeSnapshot(s), deleteTools(s, time.Hour), s.publish())
		},
		later: 3 * time.Hour,
	},
}

const noble = "acme/tools/ubuntu/noble"

// The distributions that packages are promoted to, by those where they are.
var (
	here = map[catalog.Distribution]catalog.Distribution{{OS: "ubuntu", Version: "jammy"}: {OS: "ubuntu", Version: "jammy"}, {OS: "el", Version: "9"}: {OS: "el", Version: "9"}}
	next = map[catalog.Distribution]catalog.Distribution{{OS: "ubuntu", Version: "jammy"}: {OS: "ubuntu", Version: "noble"}, {OS: "el", Version: "9"}: {OS: "el", Version: "8"}}
)

// declare makes the distributions of a repository.
func declare(s *site, r catalog.Repository, places map[catalog.Distribution]catalog.Distribution) error {
	for _, d := range places {
		distro, rej := layout.DefaultTable().Lookup(d)
		if rej != nil {
			return rej
		}
		if _, err := s.Catalog.Declare(s.t.Context(), catalogdb.Declaration{Repository: r, Distro: distro}, noon); err != nil {
			return err
		}
	}
	return nil
}

func hide(s *site) error {
	_, err := s.Catalog.ChangeSettings(s.t.Context(), hidden, noon, func(c *catalog.Settings) error { c.Visibility = catalog.Private; return nil })
	return err
}

// promoteTo asks for copies of the old packages that are not there, or for moves of those that are still where they were.
func promoteTo(s *site, to catalog.Repository, places map[catalog.Distribution]catalog.Distribution, move bool) error {
	return promoteSelected(s, of(catalog.Active, "old=1.0*"), to, places, move)
}

func promoteSelected(s *site, from catalogdb.Selection, to catalog.Repository, places map[catalog.Distribution]catalog.Distribution, move bool) error {
	search := catalogdb.PromotionSearch{From: from, To: to, Place: func(k catalog.Package, _ catalog.Settings) (catalog.Place, error) {
		place := k.Place()
		place.Repository = to
		if d, is := places[place.Distribution]; is {
			place.Distribution = d
		}
		return place, nil
	}}
	_, err := s.Catalog.PromoteSelected(s.as(), search, noon, func(c catalogdb.Candidates) (wishes []catalogdb.Wish, err error) {
		for _, k := range c.Copies {
			w := catalogdb.Wish{Source: k.Source.Package, To: k.To}
			if move {
				w.Withdraw = catalogdb.MovedTo + k.To.String()
			}
			wishes = append(wishes, w)
		}
		return wishes, nil
	})
	return err
}

func yankAll(s *site, now bool, patterns ...string) error {
	w := catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "bad", By: asker, At: noon}, Now: now}
	_, err := s.Catalog.YankSelected(s.as(), of(catalog.Active, patterns...), w, noon, all)
	return err
}

func rollBack(s *site) error {
	_, _, err := s.Catalog.RollBack(s.as(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{Snapshot: "good"}, catalog.Yank{Reason: "rollback", By: asker, At: noon}, noon,
		func(r catalogdb.Rollback) (withdraw, restore []catalogdb.SelectedPackage, err error) {
			return r.Came, r.Went, nil
		})
	return err
}

// takeSnapshot takes the snapshot "good".
func takeSnapshot(s *site) error {
	_, err := s.Catalog.AskSnapshot(s.t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}, Name: "good"}, noon)
	return errors.Join(err, s.snapshots(s.t.Context()))
}

func deleteSnapshot(s *site) error {
	one, err := s.Catalog.FindSnapshot(s.t.Context(), tools, "good")
	if err != nil {
		return err
	}
	return s.Catalog.AskSnapshotDeletion(s.as(), one.Number, noon)
}

// versions publishes three versions of a package, two months ago, and a rule that keeps the newest one.
func versions(s *site) error {
	long := time.Now().AddDate(0, 0, -60)
	s.Ingester.Now = func() time.Time { return long }
	for _, v := range []string{"1.0", "2.0", "3.0"} {
		s.put(jammy+"/old_"+v+".deb", debtest.Build(s.t, debtest.Spec{Name: "old", Version: v, Arch: "amd64"}))
	}
	err := s.ingest()
	if err == nil {
		_, err = s.Catalog.ChangeSettings(s.t.Context(), tools, noon, func(c *catalog.Settings) error {
			c.Retention = []catalog.Retention{{Newest: 1}}
			return nil
		})
	}
	if err = errors.Join(err, s.publish()); err != nil {
		return err
	}
	return s.exec("UPDATE visibility SET came_at = ?", long.UnixMilli()) // ages count from it
}

var trainName = catalog.TrainName{Owner: "acme", Name: "19.5"}

// train stages packages for a release train.
func train(s *site) {
	deb := debtest.Build(s.t, debtest.Spec{Name: "train", Arch: "amd64"})
	s.put(forTrain(jammy, trainName.Name, "train.deb"), deb)
	s.put(forTrain(noble, trainName.Name, "train.deb"), deb)
	s.put(forTrain("acme/tools/el/9", trainName.Name, "train.rpm"), rpmtest.Build(s.t, rpmtest.Spec{Name: "train", Arch: "noarch"}))
}

// forTrain returns the staging key of a file that is pushed for a train.
func forTrain(target, train, file string) string {
	return target + "/" + layout.StagedTrainName(strings.Repeat("a", 26), train, file)
}

// phase has a tenth of the hosts upgrade to the old DEB, and half of them a day later.
func phase(s *site) error {
	sel := of(catalog.Active, "old=1.0")
	sel.Target.Distribution = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	_, err := s.Catalog.PhaseSelected(s.as(), sel, catalog.Phasing{Percent: 10, Steps: []int{50, 100}, Every: 24 * time.Hour}, noon,
		func(found catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return found.All, nil })
	return err
}

const grace = 30 * 24 * time.Hour

func deleteTools(s *site, grace time.Duration) error {
	_, _, err := s.Catalog.Delete(s.as(), whole, grace, noon)
	return err
}
