package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type trainPlanCmd struct {
	catalogFlags
	trainArg
	Plan string `filled:"" placeholder:"FILE" help:"Write the plan to a file, for repomill apply, which publishes just that, or nothing."`
	JSON bool   `name:"json" help:"Print the plan as one JSON object."`
}

// Help describes the exit codes.
func (trainPlanCmd) Help() string {
	return `For each release, the plan lists what would come. It also says what is missing, as compared with the other distributions of the same
format in the train: a package or an architecture that others get, and a distribution that has packages of the train and gets none; and
what is a downgrade, because the release has a newer version; and, in a mutable repository, which bytes get others in their place. That keeps no train from going; what does is listed as not ready.

Exit codes:
  0  the train is published or dropped: nothing would change
  1  there is no such train, or it is not ready; the standard error says why
  2  usage
  4  the catalog cannot be reached
  5  the train is ready, and its packages would be published

Examples:
  repomill train plan acme/19.5.0
  repomill train plan acme/19.5.0 --plan train.json`
}

// Run prints a plan.
func (c *trainPlanCmd) Run(ctx context.Context, io stdio) error {
	n, err := c.name()
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	return planTrain(ctx, io, db, n, c.JSON, func(p trainPlan) error {
		if c.Plan == "" {
			return nil
		}
		sealed, err := n.Plan(p.items)
		now, failed := db.Clock(ctx)
		if err = errors.Join(err, failed); err != nil {
			return command.Fault(err)
		}
		return planFlags{Plan: c.Plan}.write(io, sealed, "", now)
	})
}

// A trainPlan is what a train would publish.
type trainPlan struct {
	catalog.TrainPlan
	items []catalog.PlanItem
}

// planTrain prints the plan of a train, and keeps one that is ready.
func planTrain(ctx context.Context, io stdio, db *catalogdb.DB, n catalog.TrainName, asJSON bool, keep func(trainPlan) error) error {
	t, members, err := db.Train(ctx, n)
	if err != nil {
		return trainError(n, err)
	}
	p := trainPlan{TrainPlan: catalog.TrainPlan{Train: n, State: t.State, Releases: []catalog.TrainRelease{}}}
	if t.State == catalog.TrainOpen {
		if p, err = newTrainPlan(ctx, db, t, members); err != nil {
			return err
		}
	}
	if asJSON {
		client.PrintJSON(io.out, p)
	} else {
		p.print(io, t)
	}
	switch {
	case t.State != catalog.TrainOpen:
		return nil
	case !p.Ready:
		return command.Exit(command.Failed)
	}
	if err := keep(p); err != nil {
		return err
	}
	return command.Exit(exitDifferent)
}

func (p trainPlan) print(io stdio, t catalog.Train) {
	packages := map[string]bool{}
	var size int64
	for _, r := range p.Releases {
		coming := slices.DeleteFunc(slices.Clone(r.Packages), func(i catalog.PlanItem) bool { return i.Action != catalog.PlanCopy })
		fmt.Fprintf(io.out, "%s: %s would come, %d bytes\n", r.Release, layout.Counted(len(coming), "package"), r.Bytes)
		for _, i := range coming {
			in := ""
			if i.Component != "" {
				in = " in " + i.Component
			}
			fmt.Fprintf(io.out, "  %s %s %s%s, %d bytes\n", i.Name, i.Version, i.Arch, in, i.Bytes)
			if key := strings.Join([]string{i.From, i.Name, i.Version, i.Arch}, " "); !packages[key] {
				packages[key] = true
				size += i.Bytes
			}
		}
	}
	for _, m := range p.Missing {
		fmt.Fprintf(io.out, "missing: %s\n", m)
	}
	for _, r := range p.Replaced {
		fmt.Fprintf(io.out, "replaced: %s\n", r)
	}
	for _, d := range p.Downgrades {
		fmt.Fprintf(io.out, "downgrade: %s\n", d)
	}
	printFaults(io.err, "not ready", p.Faults)
	if t.State != catalog.TrainOpen {
		fmt.Fprintf(io.out, "%s: %s: nothing would change\n", p.Train, trainText(t))
		return
	}
	word := "ready"
	if !p.Ready {
		word = "not ready"
	}
	fmt.Fprintf(io.out, "%s: %s in %s, %d bytes: %s\n", p.Train, layout.Counted(len(packages), "package"), layout.Counted(len(p.Releases), "release"), size, word)
}

// newTrainPlan compares an open train with what its repositories show.
func newTrainPlan(ctx context.Context, db *catalogdb.DB, t catalog.Train, members []catalog.TrainMember) (p trainPlan, err error) {
	p.TrainPlan = catalog.TrainPlan{Train: t.Train, State: t.State, Releases: []catalog.TrainRelease{}, Faults: catalogdb.TrainFaults(t, members)}
	p.Ready = len(p.Faults) == 0
	coming, replaces := map[catalog.Repository][]catalog.Package{}, map[string][]catalog.Package{}
	for _, m := range members {
		k := m.Package
		if k == nil || m.State != catalog.Held && m.State != catalog.Duplicate {
			continue
		}
		if !slices.ContainsFunc(coming[k.Repository], func(o catalog.Package) bool { return o.Place() == k.Place() && o.Key == k.Key }) {
			coming[k.Repository] = append(coming[k.Repository], *k)
			replaces[k.Key] = m.Replaces
			p.addReplaced(*k, m.Replaces)
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(coming), func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) }) {
		shown, err := shownOf(ctx, db, r, coming[r])
		if err != nil {
			return p, err
		}
		p.addReleases(coming[r], replaces, shown.Settings)
		p.addDowngrades(coming[r], shown)
		p.Missing = append(p.Missing, missingIn(coming[r], shown)...)
	}
	sealed, err := t.Train.Plan(p.items)
	p.Digest = sealed.Digest
	return p, err
}

// shownOf returns the active packages of a repository with the names of some.
func shownOf(ctx context.Context, db *catalogdb.DB, r catalog.Repository, coming []catalog.Package) (catalogdb.Selected, error) {
	s := catalogdb.Selection{Target: catalog.PackageTarget{Repository: r}, States: []catalog.PackageState{catalog.Active}}
	names := map[string]bool{}
	for _, k := range coming {
		if !names[k.Name] {
			names[k.Name] = true
			s.Patterns = append(s.Patterns, catalog.Pattern{Name: k.Name})
		}
	}
	found, err := db.Select(ctx, s)
	if err != nil {
		err = command.Fault(err)
	}
	return found, err
}

// addReleases adds what comes into each release. Packages that are published already do not come.
func (p *trainPlan) addReleases(coming []catalog.Package, replaces map[string][]catalog.Package, s catalog.Settings) {
	at := map[string]*catalog.TrainRelease{}
	var items []catalog.PlanItem
	for _, k := range coming {
		items = append(items, trainItems(k, replaces[k.Key], s)...)
	}
	for _, i := range items {
		p.items = append(p.items, i)
		to := at[i.Release]
		if to == nil {
			to = &catalog.TrainRelease{Release: i.Release}
			at[i.Release] = to
		}
		if to.Packages = append(to.Packages, i); i.Action == catalog.PlanCopy {
			to.Bytes += i.Bytes
		}
	}
	for _, name := range slices.Sorted(maps.Keys(at)) {
		slices.SortFunc(at[name].Packages, func(a, b catalog.PlanItem) int { return strings.Compare(a.String(), b.String()) })
		p.Releases = append(p.Releases, *at[name])
	}
}

// trainItems returns what a held package brings into its releases, and what it takes the place of there; nothing for another package.
func trainItems(k catalog.Package, replaces []catalog.Package, s catalog.Settings) []catalog.PlanItem {
	if k.State != catalog.Reserved {
		return nil
	}
	var dirs []string
	if k.Format == catalog.RPM {
		ds, _ := s.Find(k.Distribution)
		dirs = layout.RPMDirs(k, ds.Architectures)
	}
	return catalog.TrainItems(k, replaces, dirs)
}

// addReplaced adds what a held package takes the place of.
func (p *trainPlan) addReplaced(k catalog.Package, replaces []catalog.Package) {
	for _, o := range replaces {
		p.Replaced = append(p.Replaced, fmt.Sprintf("%s in %s: sha256 %s in place of %s; hosts that have the version keep the old bytes", nameOf(k), k.Place(), k.File.SHA256, o.File.SHA256))
	}
}

// addDowngrades adds the packages that are older than what their distribution shows.
func (p *trainPlan) addDowngrades(coming []catalog.Package, shown catalogdb.Selected) {
	type place struct {
		catalog.Distribution
		name, arch string
	}
	newest := map[place]catalog.Package{}
	for _, s := range shown.Packages {
		at := place{s.Package.Distribution, s.Package.Name, s.Package.Arch}
		if n, has := newest[at]; !has || bytes.Compare(s.Package.SortKey, n.SortKey) > 0 {
			newest[at] = s.Package
		}
	}
	for _, k := range coming {
		if n, has := newest[place{k.Distribution, k.Name, k.Arch}]; has && k.State == catalog.Reserved && bytes.Compare(n.SortKey, k.SortKey) > 0 {
			p.Downgrades = append(p.Downgrades, fmt.Sprintf("%s in %s is older than %s there, which hosts keep", nameOf(k), k.Place(), n.Version))
		}
	}
	slices.Sort(p.Downgrades)
}

// A trainPart is a package for an architecture, in any version.
type trainPart struct{ name, arch string }

// missingIn says what the distributions of a repository lack of what others of their format get.
func missingIn(coming []catalog.Package, shown catalogdb.Selected) (missing []string) {
	gets := map[catalog.Format]map[trainPart]catalog.Distribution{} // who gets a part first
	has := map[catalog.Distribution]map[trainPart]bool{}
	names := map[catalog.Distribution]map[string]bool{} // that it shows
	for _, k := range coming {
		part := trainPart{k.Name, k.Arch}
		if gets[k.Format] == nil {
			gets[k.Format] = map[trainPart]catalog.Distribution{}
		}
		if first, there := gets[k.Format][part]; !there || k.Distribution.String() < first.String() {
			gets[k.Format][part] = k.Distribution
		}
		if has[k.Distribution] == nil {
			has[k.Distribution] = map[trainPart]bool{}
		}
		has[k.Distribution][part] = true
	}
	for _, s := range shown.Packages {
		if names[s.Package.Distribution] == nil {
			names[s.Package.Distribution] = map[string]bool{}
		}
		names[s.Package.Distribution][s.Package.Name] = true
	}
	r := shown.Settings.Repository
	for _, ds := range shown.Settings.Distributions {
		d := ds.Distribution
		if has[d] == nil {
			if n := len(names[d]); n > 0 && len(gets[ds.Format]) > 0 {
				missing = append(missing, fmt.Sprintf("%s/%s has %s of the train in other versions, such as %s, and gets none", r, d, layout.Counted(n, "package"), slices.Min(slices.Collect(maps.Keys(names[d])))))
			}
			continue
		}
		for part, other := range gets[ds.Format] {
			if !has[d][part] {
				missing = append(missing, fmt.Sprintf("%s %s in %s/%s, which %s gets", part.name, part.arch, r, d, other))
			}
		}
	}
	slices.Sort(missing)
	return missing
}
