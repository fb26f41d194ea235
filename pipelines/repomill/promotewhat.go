package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A promoting is one run of promote, or of apply on its plan.
type promoting struct {
	awaitFlags
	json     bool
	by       string
	from, to catalog.PackageTarget
	patterns []catalog.Pattern
	args     promoteArgs
	want     *catalog.Plan // to be applied; nil for what is selected now
	moving   bool          // the run waits for moves
	planning bool          // nothing is asked for
}

// promoteArgs are the arguments of a plan to copy packages.
type promoteArgs struct {
	To       catalog.PackageTarget `json:"to"`
	Patterns []string              `json:"patterns"`
	Move     bool                  `json:"move,omitempty"`
	ToPublic bool                  `json:"to_public,omitempty"`
}

func (c *promoteCmd) parse() (*promoting, error) {
	from, err := parsePackageTarget(c.From)
	if err != nil {
		return nil, err
	}
	to, err := parsePackageTarget(c.To)
	if err != nil {
		return nil, err
	}
	switch {
	case from == to:
		return nil, command.Usage("%s is where the packages are: name another target", c.To)
	case from.Whole() && !to.Whole():
		return nil, command.Usage("%s is a whole repository: name the distribution whose packages go to %s", c.From, c.To)
	}
	patterns, err := parsePatterns(c.Packages)
	if err != nil {
		return nil, err
	}
	return &promoting{awaitFlags: c.awaitFlags, json: c.JSON, by: c.By, from: from, to: to, patterns: patterns,
		args: promoteArgs{to, textsOf(patterns), c.Move, c.ToPublic}}, nil
}

// search returns what is asked of the catalog. With --move, packages that an earlier run has withdrawn are looked for, too.
func (r *promoting) search() catalogdb.PromotionSearch {
	states := []catalog.PackageState{catalog.Active}
	if r.args.Move {
		states = append(states, catalog.Yanked)
	}
	return catalogdb.PromotionSearch{
		From: catalogdb.Selection{Target: r.from, Patterns: r.patterns, States: states}, To: r.to.Repository,
		Place: func(k catalog.Package, s catalog.Settings) (catalog.Place, error) {
			if k.State == catalog.Yanked && !r.moved(k) {
				return k.Place(), nil // it is not copied
			}
			return destination(k, catalog.Place(r.to), s)
		},
	}
}

// moved reports whether an earlier run of the command has withdrawn a package.
func (r *promoting) moved(k catalog.Package) bool {
	return r.args.Move && k.Yank != nil && (strings.HasPrefix(k.Yank.Reason+"/", catalogdb.MovedTo+r.to.String()+"/") || k.Yank.Reason == catalogdb.MovedElsewhere)
}

// meant returns the selected packages that are to be copied: the active ones, without the keyring package and, for a name that no
// active package has, those that were moved before.
func (r *promoting) meant(s catalogdb.Selected) (func(catalog.Package) bool, error) {
	found := map[catalog.Pattern]bool{}
	for _, k := range s.Packages {
		if k.Package.State != catalog.Active {
			continue
		}
		if s.Keyring(k.Package) {
			if k.Named {
				return nil, fmt.Errorf("%s has the keys of %s: it is made for that repository alone, and is of no use in another one", k.Package.Name, s.Settings.Repository)
			}
			continue
		}
		for _, p := range r.patterns {
			found[p] = found[p] || p.Matches(k.Package)
		}
	}
	again := map[catalog.Pattern]bool{}
	for _, p := range r.patterns {
		if found[p] {
			continue
		}
		again[p] = p.LiteralName() != "" && slices.ContainsFunc(s.Packages, func(k catalogdb.SelectedPackage) bool { return r.moved(k.Package) && p.Matches(k.Package) })
		if !again[p] {
			return nil, unmatched{p}
		}
	}
	return func(k catalog.Package) bool {
		if k.State == catalog.Active {
			return !s.Keyring(k)
		}
		return r.moved(k) && slices.ContainsFunc(r.patterns, func(p catalog.Pattern) bool { return again[p] && p.Matches(k) })
	}, nil
}

// plan returns a copying for each package that is selected, in the order of lists, and what changes. An error says why nothing
// must change.
func (r *promoting) plan(c catalogdb.Candidates) (copies []*copying, p catalog.Plan, err error) {
	if c.Settings.Visibility != catalog.Public && c.Target.Visibility == catalog.Public && !r.args.ToPublic {
		return nil, p, command.Usage("%s is private and %s is public: everybody could read the packages there; add --to-public if that is meant", r.from.Repository, r.to.Repository)
	}
	meant, err := r.meant(c.Selected)
	if err != nil {
		return nil, p, err
	}
	if p, err = newPlan(catalog.PlanPromote, r.from, r.args); err != nil {
		return nil, p, err
	}
	for _, k := range c.Copies {
		if !meant(k.Source.Package) {
			continue
		}
		if k.Err != nil {
			return nil, p, k.Err
		}
		one := &copying{source: k.Source.Package, to: k.To}
		one.look(k.Holder, k.Source.Exact)
		copies = append(copies, one)
		r.add(&p, c, k, one)
	}
	if len(copies) == 0 {
		return nil, p, fmt.Errorf("all of these packages are in %s already: it is where they come from", r.to)
	}
	shown := shownBy(c.Selected)
	sum(&p, shown, func(i catalog.PlanItem) int {
		if i.Action == catalog.PlanWithdraw {
			return -1
		}
		return 1
	})
	return copies, p, p.Seal()
}

// add adds what becomes of one package to a plan.
func (r *promoting) add(p *catalog.Plan, c catalogdb.Candidates, k catalogdb.Candidate, one *copying) {
	switch one.state {
	case toCopy:
		p.Items = append(p.Items, copyItems(k, c.Target)...)
	case there:
		p.LeftOut = append(p.LeftOut, catalog.PlanLeftOut{Place: one.to.String(), Package: nameOf(one.source), Why: "it is there already"})
	default:
		p.LeftOut = append(p.LeftOut, catalog.PlanLeftOut{Place: one.to.String(), Package: nameOf(one.source), Why: one.detail})
		return
	}
	if r.args.Move && one.source.State == catalog.Active {
		one.move = catalog.MoveWaiting
		p.Items = append(p.Items, itemsOf(k.Source, catalog.PlanWithdraw)...)
	}
}

// copyItems returns an item for each release that a copy appears in.
func copyItems(k catalogdb.Candidate, target catalog.Settings) (items []catalog.PlanItem) {
	dirs := []string{""}
	if k.Source.Package.Format == catalog.RPM {
		ds, _ := target.Find(k.To.Distribution)
		dirs = layout.RPMDirs(k.Source.Package, ds.Architectures)
	}
	for _, dir := range dirs {
		i := catalog.ItemOf(catalog.Release{Repository: k.To.Repository, Distribution: k.To.Distribution, Arch: dir}, k.Source.Package, catalog.PlanCopy)
		i.Component, i.From = k.To.Component, k.Source.Package.Place().String()
		items = append(items, i)
	}
	return items
}

// explained returns an error as the user reads it. refused is what was returned for what the catalog has.
func (r *promoting) explained(ctx context.Context, db *catalogdb.DB, refused, err error) error {
	for _, repository := range []catalog.Repository{r.from.Repository, r.to.Repository} {
		if _, missing := db.Settings(ctx, repository); errors.Is(err, catalogdb.ErrNotFound) && missing != nil {
			return client.NotDeclared(ctx, db, repository, missing)
		}
	}
	if refused == nil && errors.Is(err, catalogdb.ErrNotFound) {
		return err // a package was withdrawn
	}
	return explained(ctx, db, catalogdb.Selection{Target: r.from, Patterns: r.patterns}, refused, err)
}
