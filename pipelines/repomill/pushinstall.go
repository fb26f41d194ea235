package main

import (
	"fmt"
	"strings"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// nameOf returns what a file is called in messages: with its target, if there are several.
func (c *pushCmd) nameOf(p *pushed) string {
	name := command.Printable(p.file)
	if strings.Contains(c.Target, ",") {
		name += " to " + p.target
	}
	return name
}

// installLines ends a push on a terminal with the line, for each target, that installs what was pushed. A private
// repository wants a token, which is not known here.
func (c *pushCmd) installLines(io stdio, ups []*pushed, private map[string]bool) {
	if c.JSON || !isTerminal(io.out) {
		return
	}
	table, err := pipelines.ReadTable(c.Distributions)
	if err != nil {
		return // it was read before
	}
	said := map[string]bool{}
	for _, p := range ups {
		if said[p.target] || p.verdict.State == catalog.Rejected {
			continue
		}
		line, release := installLineOf(p, table)
		if line == "" || private[release.Repository.String()] {
			continue
		}
		said[p.target] = true
		fmt.Fprintf(io.out, "\ninstall from %s on %s:\n  %s\n", release.Repository, release.Distribution, line)
	}
}

// installLineOf returns the line that installs one package, as its verdict describes it.
func installLineOf(p *pushed, table *layout.Table) (line string, release catalog.Release) {
	part := strings.Fields(p.verdict.Package) // name version architecture
	if len(part) != 3 || len(p.verdict.Releases) == 0 {
		return "", release
	}
	r := p.verdict.Releases[0]
	release, err := catalog.ParseRelease(r.Release)
	if err != nil || release.Arch == layout.SRPMS {
		return "", release
	}
	distro, rej := table.Lookup(release.Distribution)
	publicURL, ok := strings.CutSuffix(r.Pointer, "/"+layout.PointerKey(release))
	if rej != nil || !ok {
		return "", release
	}
	k := catalog.Package{Name: part[0], Version: part[1], Arch: part[2], Component: layout.DefaultComponent}
	if at, rej := layout.ParseStaging(p.object); rej == nil && at.Component != "" {
		k.Component = at.Component
	}
	return installLine(publicURL, release.Repository, distro, []catalog.Package{k}), release
}
