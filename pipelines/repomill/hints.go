package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// hints print for the user, on the standard output, what to paste: how to push and, for each distribution that is
// published for the first time while the site runs, how to install.
type hints struct {
	site *site

	mu    sync.Mutex
	known map[string]bool // repository and distribution
}

func newHints(s *site) *hints { return &hints{site: s, known: map[string]bool{}} }

// ready says that the site serves, and what to try.
func (h *hints) ready() {
	s, staging := h.site, h.site.cmd.path("staging")
	fmt.Fprintf(s.io.out, `repomill ready
  clients:  %s
  staging:  %s
  push:     %s push --wait --staging file://%s acme/tools/ubuntu/jammy hello_1.0_amd64.deb
            or copy packages into %s/<owner>/<name>/<os>/<version>/
  install:  %s hint --data %s acme/tools/ubuntu/jammy
  look:     %s status --data %s
`, s.publicURL(), staging, os.Args[0], staging, staging, os.Args[0], s.cmd.Data, os.Args[0], s.cmd.Data)
}

// learn notes what is published already: nothing is printed of that.
func (h *hints) learn(ctx context.Context) error {
	states, err := h.site.resources.Catalog.Releases(ctx)
	for _, s := range states {
		if s.Published > 0 && s.Release.Arch != layout.SRPMS {
			h.known[distributionID(s.Release)] = true
		}
	}
	return err
}

func distributionID(r catalog.Release) string {
	return r.Repository.String() + "/" + r.Distribution.String()
}

// published prints the lines of a distribution in which something became installable.
func (h *hints) published(ctx context.Context, res publish.Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id, db := distributionID(res.Release), h.site.resources.Catalog
	if h.known[id] {
		return
	}
	packages, err := installable(ctx, db, id)
	if err == nil && len(packages) == 0 {
		return
	}
	var settings catalog.Settings
	if err == nil {
		settings, err = db.Settings(ctx, res.Release.Repository)
	}
	if err != nil {
		h.site.log.Error("no install lines: the catalog cannot be read", "distribution", id, "error", err)
		return
	}
	distro, rej := h.site.resources.Ingester.Table.Lookup(res.Release.Distribution)
	if rej != nil {
		return // a distribution that the table does not have any more
	}
	h.known[id] = true
	pkg, err := withKeyring(ctx, db, settings, distro, newest(without(packages, res.Release.Repository)))
	if err != nil {
		h.site.log.Error("no install lines: the catalog cannot be read", "distribution", id, "error", err)
		return
	}
	fmt.Fprintf(h.site.io.out, "\n%s", installText(h.site.publicURL(), settings, distro, pkg, placeholder))
}

// installText returns the lines of [setupLines] under a heading, and what to put into them.
func installText(publicURL string, s catalog.Settings, distro layout.Distro, pkg, token string) string {
	heading := fmt.Sprintf("install from %s on %s", s.Repository, distro.Distribution)
	if s.Visibility == catalog.Private && token == placeholder {
		heading += ", with a token from repomill token create"
	}
	return heading + ":\n  " + strings.Join(setupLines(publicURL, s, distro, pkg, token), "\n  ") + "\n"
}

// maxCandidates is how many packages of a release are looked at for one to name.
const maxCandidates = 1000

// installable returns packages at or below a target, a distribution or a component, that a client can install: some,
// if there are many.
func installable(ctx context.Context, db *catalogdb.DB, target string) (some []catalog.Package, err error) {
	states, err := db.Releases(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		release := s.Release.String()
		component, inComponent := strings.CutPrefix(target, release+"/")
		if s.Release.Arch == layout.SRPMS || s.Published == 0 || !inComponent && !below(release, target) {
			continue
		}
		seen := 0
		for k, err := range db.List(ctx, s.Release, "") {
			if err != nil {
				return nil, err
			}
			if !inComponent || k.Component == component {
				some = append(some, k)
			}
			if seen++; seen == maxCandidates {
				break
			}
		}
	}
	return some, nil
}

// without leaves out the keyring packages of a repository.
func without(packages []catalog.Package, r catalog.Repository) []catalog.Package {
	return slices.DeleteFunc(slices.Clone(packages), func(k catalog.Package) bool { return k.Name == layout.KeyringName(r, k.Format) })
}

// withKeyring returns what to install: a package, if it is not empty, behind the keyring package, if the distribution has it.
func withKeyring(ctx context.Context, db *catalogdb.DB, s catalog.Settings, distro layout.Distro, pkg string) (string, error) {
	name := layout.KeyringName(s.Repository, distro.Format)
	if s.Keyring == nil || !s.Keyring.On || pkg == name {
		return pkg, nil
	}
	rows, err := db.OfName(ctx, s.Repository, distro.Format, name)
	if err != nil {
		return "", err
	}
	there := slices.ContainsFunc(rows, func(k catalog.Package) bool {
		return k.Distribution == distro.Distribution && k.State == catalog.Active
	})
	if !there {
		return pkg, nil
	}
	return strings.TrimSpace(name + " " + pkg), nil
}

// newest returns the newest of some packages that most clients can install, as they name it, or nothing.
func newest(packages []catalog.Package) string {
	if len(packages) == 0 {
		return ""
	}
	rank := func(k catalog.Package) int {
		return slices.Index([]string{"amd64", "x86_64", "all", layout.Noarch}, k.Arch) // -1 for others
	}
	k := slices.MaxFunc(packages, func(a, b catalog.Package) int {
		return cmp.Or(cmp.Compare(min(rank(a), 0), min(rank(b), 0)), a.Uploaded.Compare(b.Uploaded))
	})
	var architectures []string
	for _, other := range packages {
		if other.Name == k.Name {
			architectures = append(architectures, other.Arch)
		}
	}
	return qualified(k.Name, k.Format, architectures...)
}
