package client

import (
	"fmt"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// nameOf returns the name of a file in messages, with its target if there are several.
func (c *Push) nameOf(p *pushed) string {
	name := command.Printable(p.file)
	if strings.Contains(c.Target, ",") {
		name += " to " + p.target
	}
	return name
}

// installLines prints for each target, on a terminal, the lines that install a pushed package. Those of a private repository
// have a placeholder for the token.
func (c *Push) installLines(io Stdio, ups []*pushed, private map[string]bool) {
	if c.JSON || !command.IsTerminal(io.Out) {
		return
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return // plan has reported it
	}
	said := map[string]bool{}
	for _, p := range ups {
		if said[p.target] || p.verdict.State == catalog.Rejected {
			continue
		}
		if text := installTextOf(p, ups, table, private); text != "" {
			said[p.target] = true
			fmt.Fprintf(io.Out, "\n%s", text)
		}
	}
}

// installTextOf returns the lines that install one package of those that were pushed, as its verdict describes it.
func installTextOf(p *pushed, ups []*pushed, table *layout.Table, private map[string]bool) string {
	part := strings.Fields(p.verdict.Package) // name version architecture
	if len(part) != 3 || len(p.verdict.Releases) == 0 {
		return ""
	}
	r := p.verdict.Releases[0]
	release, err := catalog.ParseRelease(r.Release)
	if err != nil || release.Arch == layout.SRPMS {
		return ""
	}
	distro, rej := table.Lookup(release.Distribution)
	publicURL, ok := strings.CutSuffix(r.Pointer, "/"+layout.PointerKey(release))
	if rej != nil || !ok {
		return ""
	}
	s := catalog.Settings{Repository: release.Repository, Visibility: catalog.Public}
	if private[release.Repository.String()] {
		s.Visibility = catalog.Private
	}
	if r.Keyring {
		s.Keyring = &catalog.KeyringPackage{On: true}
	}
	component := layout.DefaultComponent
	if at, rej := layout.ParseStaging(p.object); rej == nil && at.Component != "" {
		component = at.Component
	}
	architectures := distro.Architectures
	if arch := part[2]; arch != "all" {
		architectures = append(slices.Clone(architectures), arch)
	}
	s.Distributions = []catalog.DistributionSettings{{Distribution: release.Distribution, Format: distro.Format, Components: []string{component}, Architectures: architectures}}
	var pushed []string // architectures, of the same name
	for _, other := range ups {
		if of := strings.Fields(other.verdict.Package); other.target == p.target && len(of) == 3 && of[0] == part[0] {
			pushed = append(pushed, of[2])
		}
	}
	return InstallText(publicURL, s, distro, setup.Qualified(part[0], distro.Format, pushed...), setup.Placeholder)
}
