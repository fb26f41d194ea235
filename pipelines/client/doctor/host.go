package doctor

import (
	"cmp"
	"runtime"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Host is what is known of the host as a whole.
type Host struct {
	Name          string   `json:"name"`                   // as os-release has it
	Distribution  string   `json:"distribution,omitempty"` // os/version, as repositories name it; empty: there is none for it
	Architectures []string `json:"architectures"`          // its own first, as its package manager names them

	distro  layout.Distro
	release string // VERSION_ID
	guessed bool   // the root does not say which architectures: they are those of this machine
}

// host reads what the host is.
func (r root) host(table *layout.Table) Host {
	text, err := r.read("/etc/os-release")
	if err != nil {
		text, _ = r.read("/usr/lib/os-release") //nolint:errcheck // nothing is known then
	}
	f := assignments(string(text))
	h := Host{Name: cmp.Or(f["PRETTY_NAME"], f["ID"], "unknown (no os-release)"), release: f["VERSION_ID"]}
	if d, ok := find(table, f); ok {
		h.distro, h.Distribution = d, d.Distribution.String()
	}
	if r.deb(h.distro.Format) {
		h.Architectures, h.guessed = r.debArchitectures()
	} else {
		h.Architectures = []string{cmp.Or(rpmArch[runtime.GOARCH], runtime.GOARCH)}
	}
	h.guessed = h.guessed && r.dir != "/"
	return h
}

// deb reports whether a host has packages of Debian: its distribution has or, where that is not known, it has dpkg's files or
// apt's. A root may be a few files of a host.
func (r root) deb(f catalog.Format) bool {
	if f != "" {
		return f == catalog.DEB
	}
	return slices.ContainsFunc([]string{"/var/lib/dpkg/status", "/etc/apt"}, func(name string) bool {
		_, err := r.stat(name)
		return err == nil
	})
}

// assignments reads the lines NAME=value of a file that shells read.
func assignments(text string) map[string]string {
	f := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(name, "#") {
			f[name] = strings.Trim(value, `"'`)
		}
	}
	return f
}

// find returns the distribution of the table that a host's os-release means: its own, or the one that it is made from.
func find(table *layout.Table, f map[string]string) (layout.Distro, bool) {
	major, _, _ := strings.Cut(f["VERSION_ID"], ".")
	type name struct{ os, version string }
	names := []name{{f["ID"], f["VERSION_CODENAME"]}, {f["ID"], f["VERSION_ID"]}, {f["ID"], major},
		{f["ID"], strings.TrimPrefix(f["ID"], "opensuse-")}, // tumbleweed: its version is a day
		{"ubuntu", f["UBUNTU_CODENAME"]}, {"debian", f["DEBIAN_CODENAME"]}}
	for _, like := range strings.Fields(f["ID_LIKE"]) {
		names = append(names, name{like, f["VERSION_CODENAME"]}, name{like, major})
	}
	if slices.Contains(strings.Fields(f["ID_LIKE"]), "opensuse") {
		names = append(names, name{"opensuse", f["VERSION_ID"]})
	}
	for _, n := range names {
		if n.os == "" || n.version == "" {
			continue
		}
		want := catalog.Distribution{OS: n.os, Version: n.version}
		for _, d := range table.All() {
			if d.Distribution == want || slices.Contains(d.Aliases, want.String()) {
				return d, true
			}
		}
	}
	return layout.Distro{}, false
}

// rpmArch and debArch are the names that package managers have for the architectures of Go, where those differ.
var (
	rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "arm": "armv7hl"}
	debArch = map[string]string{"386": "i386", "arm": "armhf", "ppc64le": "ppc64el"}
)

// debArchitectures returns the architecture of the installed dpkg and the foreign ones that were added, or guesses that it is that
// of this machine.
func (r root) debArchitectures() (all []string, guessed bool) {
	if text, err := r.read("/var/lib/dpkg/arch"); err == nil {
		if all := strings.Fields(string(text)); len(all) > 0 {
			return all, false
		}
	}
	text, _ := r.read("/var/lib/dpkg/status") //nolint:errcheck // this machine's then
	_, stanza, _ := strings.Cut("\n"+string(text), "\nPackage: dpkg\n")
	stanza, _, _ = strings.Cut(stanza, "\n\n")
	if _, line, found := strings.Cut("\n"+stanza, "\nArchitecture: "); found {
		arch, _, _ := strings.Cut(line, "\n")
		return []string{strings.TrimSpace(arch)}, false
	}
	return []string{cmp.Or(debArch[runtime.GOARCH], runtime.GOARCH)}, true
}
