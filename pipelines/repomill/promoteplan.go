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
)

// plan returns a copying for each package that is selected, in the order of lists.
func (c *promoteCmd) plan(ctx context.Context, db *catalogdb.DB, from, to catalog.Place, patterns []pattern) ([]*copying, error) {
	source, err := db.Settings(ctx, from.Repository)
	if err != nil {
		return nil, client.NotDeclared(ctx, db, from.Repository, err)
	}
	target, err := db.Settings(ctx, to.Repository)
	if err != nil {
		return nil, client.NotDeclared(ctx, db, to.Repository, err)
	}
	if source.Visibility != catalog.Public && target.Visibility == catalog.Public && !c.ToPublic {
		return nil, command.Usage("%s is private and %s is public: everybody could read the packages there; add --to-public if that is meant", from.Repository, to.Repository)
	}
	moved := ""
	if c.Move {
		moved = strings.Trim(c.To, "/")
	}
	packages, err := selected(ctx, db, from, source, patterns, moved)
	if err != nil {
		return nil, err
	}
	var copies []*copying
	for _, k := range packages {
		p := &copying{source: k}
		if p.to, err = destination(k, to, target); err != nil {
			return nil, err
		}
		if p.to == k.Place() {
			continue // of all components, this one
		}
		if err := p.look(ctx, db); err != nil {
			return nil, command.Fault(err)
		}
		copies = append(copies, p)
	}
	if len(copies) == 0 {
		return nil, fmt.Errorf("all of these packages are in %s already: it is where they come from", c.To)
	}
	return copies, nil
}

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

// look finds out what is in the place of a copy.
func (p *copying) look(ctx context.Context, db *catalogdb.DB) error {
	k := p.source
	k.Repository, k.Distribution, k.Component = p.to.Repository, p.to.Distribution, p.to.Component
	holder, err := db.Find(ctx, k)
	if errors.Is(err, catalogdb.ErrNotFound) {
		var blocked bool
		if holder, blocked, err = db.Blocked(ctx, k); err == nil && !blocked {
			p.state = toCopy
			return nil
		}
	}
	if err != nil {
		return err
	}
	same := holder.File.SHA256 == k.File.SHA256
	switch {
	case holder.State == catalog.Yanked:
		p.state, p.detail = withdrawn, "it was withdrawn there; repomill unyank brings it back"
		if !same {
			p.detail = "a file with other bytes was withdrawn there; no other file takes its name"
		}
	case !same:
		p.state, p.detail = inTheWay, fmt.Sprintf("it has other bytes there: sha256 %s, not %s", holder.File.SHA256, k.File.SHA256)
	case holder.State == catalog.Active:
		p.state = there
	default:
		p.state = toCopy // an upload or an earlier copy is under way
	}
	return nil
}

// printPlan prints what would be copied, and of how many bytes. It ends with exit code 5 if something would be.
func (c *promoteCmd) printPlan(io stdio, copies []*copying) error {
	counts, bytes := map[copyState]int{}, int64(0)
	for _, p := range copies {
		counts[p.state]++
		if p.state == toCopy {
			bytes += p.source.File.Size
		}
		c.print(io, p)
	}
	if !c.JSON {
		fmt.Fprintf(io.out, "%s; %d bytes to copy\n", counted(copies, toCopy, there, inTheWay, withdrawn), bytes)
		if c.Move {
			fmt.Fprintf(io.out, "afterwards, those that are in the new place are withdrawn where they were\n")
		}
	}
	switch {
	case counts[toCopy] > 0 || c.Move && counts[there] > 0:
		return command.Exit(5)
	case counts[inTheWay]+counts[withdrawn] > 0:
		return command.Exit(command.Failed)
	}
	return nil
}
