package main

import (
	"fmt"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// destination returns the place of a package's copy. The repository has to have its distribution and component.
func destination(k catalog.Package, to catalog.Place, s catalog.Settings) (catalog.Place, error) {
	if to.Distribution == (catalog.Distribution{}) {
		to.Distribution = k.Distribution
	}
	ds, has := s.Find(to.Distribution)
	switch {
	case !has:
		return to, fmt.Errorf("%s does not have distribution %s: add it with repomill repo set %s --distribution %s", s.Repository, to.Distribution, s.Repository, to.Distribution)
	case ds.Format != k.Format:
		return to, fmt.Errorf("%s has the format %s, but %s of %s takes %s", nameOf(k), k.Format, to.Distribution, s.Repository, ds.Format)
	case k.Format == catalog.RPM && to.Component != "":
		return to, command.Usage("target %s: RPM distributions have no components: leave out /%s", to, to.Component)
	case k.Format == catalog.RPM:
		return to, nil
	}
	if to.Component == "" {
		to.Component = k.Component
	}
	if !slices.Contains(ds.Components, to.Component) {
		return to, fmt.Errorf("%s does not have component %s in %s; it has %s: name one of them in the target, or add it with repomill repo set %s --component %s",
			s.Repository, to.Component, to.Distribution, strings.Join(ds.Components, ", "), s.Repository, to.Component)
	}
	return to, nil
}

// look finds out what becomes of a copy that meets holder, or nothing.
func (p *copying) look(holder *catalog.Package) {
	if holder == nil {
		p.state = toCopy
		return
	}
	same := holder.File.SHA256 == p.source.File.SHA256
	switch {
	case holder.State == catalog.Yanked:
		p.state, p.detail = withdrawn, "it was withdrawn there; repomill unyank brings it back"
		if !same {
			p.detail = "a file with other bytes was withdrawn there; no other file takes its name"
		}
	case holder.State == catalog.Reserved:
		p.state, p.detail = inTheWay, catalogdb.ReservedBy(*holder).Detail
	case !same:
		p.state, p.detail = inTheWay, fmt.Sprintf("it has other bytes there: sha256 %s, not %s", holder.File.SHA256, p.source.File.SHA256)
	case holder.State == catalog.Active:
		p.state = there
	default:
		p.state = toCopy // an upload or an earlier copy is under way
	}
}

// printPlan prints what would be copied, and of how many bytes. It ends with exit code 5 if something would be.
func (r *promoting) printPlan(io stdio, copies []*copying) error {
	counts, bytes := map[copyState]int{}, int64(0)
	for _, p := range copies {
		counts[p.state]++
		if p.state == toCopy {
			bytes += p.source.File.Size
		}
		r.print(io, p)
	}
	if !r.json {
		fmt.Fprintf(io.out, "%s; %d bytes to copy\n", counted(copies, toCopy, there, inTheWay, withdrawn), bytes)
		if r.args.Move {
			fmt.Fprintf(io.out, "afterwards, those that are in the new place are withdrawn where they were\n")
		}
	}
	switch {
	case counts[toCopy] > 0 || r.args.Move && counts[there] > 0:
		return command.Exit(5)
	case counts[inTheWay]+counts[withdrawn] > 0:
		return command.Exit(command.Failed)
	}
	return nil
}
