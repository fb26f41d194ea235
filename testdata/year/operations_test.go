package year_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// week is what release managers do once in a week: on its first day a package is copied or moved to another repository, and packages are
// pushed for a release train; on the next one the train is published, or dropped; then a part of the hosts upgrades to a package.
func (f *traffic) week(n int) (held []upload, err error) {
	switch n % 7 {
	case 0:
		if err = f.promote(n/7%2 == 1); err == nil {
			held, err = f.pushTrain(n / 7)
		}
	case 1:
		err = f.endTrain(n/7, n/7%3 == 2)
	case 2:
		err = f.phase()
	}
	return held, err
}

// promote copies a package that has not been pushed lately to another repository of its format, or moves it.
func (f *traffic) promote(move bool) error {
	ctx := context.WithoutCancel(f.t.Context())
	i := f.rand.IntN(len(f.repositories))
	p, to := f.repositories[i], f.repositories[(i+3)%len(f.repositories)]
	for k, err := range f.r.Catalog.List(ctx, p.release, "") {
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.pushed, func(o pushed) bool {
			return o.name == k.Name && (o.version == k.Version || o.version+"-1" == k.Version)
		}) {
			continue
		}
		wish := catalogdb.Wish{Source: k, To: k.Place()}
		wish.To.Repository = to.release.Repository
		if move {
			wish.Withdraw = "moved"
		}
		_, err := f.r.Catalog.Promote(ctx, []catalogdb.Wish{wish}, time.Now())
		return err
	}
	return nil
}

// phase has a part of the hosts upgrade to a package of DEBs.
func (f *traffic) phase() error {
	for _, p := range f.repositories {
		k := f.old(p)
		if p.release.Arch != "" || k == nil {
			continue
		}
		pattern, err := catalog.ParsePattern(k.name + "=" + k.version)
		if err != nil {
			return err
		}
		s := catalogdb.Selection{Target: catalog.PackageTarget{Repository: p.release.Repository}, Patterns: []catalog.Pattern{pattern},
			States: []catalog.PackageState{catalog.Active, catalog.Yanked}}
		_, err = f.r.Catalog.PhaseSelected(context.WithoutCancel(f.t.Context()), s, catalog.Phasing{Percent: 10}, time.Now(),
			func(found catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return found.All, nil })
		return err
	}
	return nil
}

// trainName names the train of a week.
func trainName(week int) catalog.TrainName {
	return catalog.TrainName{Owner: "acme", Name: fmt.Sprintf("w%d", week)}
}

// pushTrain pushes a package for a train to two repositories.
func (f *traffic) pushTrain(week int) (held []upload, err error) {
	for range 2 {
		f.n++
		p := f.repositories[f.rand.IntN(len(f.repositories))]
		k := pushed{name: "train", version: fmt.Sprintf("1.%d", f.n), needs: "none", at: time.Now()}
		object := p.release.Repository.String() + "/" + p.release.Distribution.String() + "/" + layout.StagedTrainName(layout.NewID(), trainName(week).Name, "train"+p.ext())
		u, err := f.r.Staging.Put(f.t.Context(), object, bytes.NewReader(f.build(p, k, 0)), catalog.Pusher{User: "ci"})
		if err != nil {
			return nil, err
		}
		held = append(held, upload{u, catalog.Held, ""})
	}
	return held, nil
}

// endTrain has workers publish a train, or drops it.
func (f *traffic) endTrain(week int, drop bool) error {
	ctx := context.WithoutCancel(f.t.Context())
	if drop {
		_, err := f.r.Catalog.DropTrain(ctx, trainName(week), catalogdb.TrainDrop{All: true})
		return err
	}
	return f.r.Catalog.AskTrain(ctx, trainName(week), catalogdb.TrainAsk{})
}
