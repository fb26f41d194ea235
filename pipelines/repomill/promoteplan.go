package main

import (
	"fmt"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// destination returns the place of a package's copy. The repository has to have its distribution and component.
func destination(k catalog.Package, to catalog.Place, s catalog.Settings) (catalog.Place, error) {
	if to.Distribution == (catalog.Distribution{}) {
		to.Distribution = k.Distribution
	}
	if to.Component == "" && k.Format == catalog.DEB {
		to.Component = k.Component
	}
	if t, del := s.DeletedTarget(to.Distribution, to.Component); del != nil {
		return to, fmt.Errorf("%s %s takes no packages: %s", t.Kind(), t, del)
	}
	if to.Component != "" && k.Format == catalog.RPM {
		return to, command.Usage("target %s: RPM distributions have no components: leave out /%s", to, to.Component)
	}
	return to, s.Takes(k, to.Distribution, to.Component)
}

// look finds out what becomes of a copy that meets holder, or nothing. The same bytes that were withdrawn there come back if they were
// moved away, or if the package is named with its version: a glob does not undo a withdrawal.
func (p *copying) look(holder *catalog.Package, exact bool) {
	p.state, p.detail = catalogdb.CopyMeets(p.source, holder)
	p.holder = holder
	if p.state != withdrawn || holder.File.SHA256 != p.source.File.SHA256 {
		return
	}
	if holder.Place() == p.to && (catalogdb.MovedAway(*holder) || exact) {
		p.state, p.detail = toCopy, "it was withdrawn there, and comes back"
		return
	}
	p.detail = "it was withdrawn there; NAME=VERSION, or repomill unyank, brings it back"
}

// printPlan prints what would be copied, and of how many bytes. It ends with exit code 5 if something would be.
func (r *promoting) printPlan(io stdio, copies []*copying) error {
	r.planning = true
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
