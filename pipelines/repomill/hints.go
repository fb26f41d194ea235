package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// hints tell the user, on the standard output, what to paste: how to push and, for each distribution
// once, how to install.
type hints struct {
	site *site

	mu    sync.Mutex
	known map[string]bool // repository and distribution
}

func newHints(s *site) *hints { return &hints{site: s, known: map[string]bool{}} }

// ready says that the site serves, and what to try.
func (h *hints) ready() {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, staging := h.site, h.site.cmd.path("staging")
	fmt.Fprintf(s.io.out, `repomill ready
  clients:  %s
  staging:  %s
  push:     %s push --wait --staging file://%s acme/tools/ubuntu/jammy hello_1.0_amd64.deb
            or copy packages into %s/<owner>/<name>/<os>/<version>/
  look:     %s status --data %s
`, s.publicURL(), staging, os.Args[0], staging, staging, os.Args[0], s.cmd.Data)
	ctx := context.Background()
	states, err := s.resources.Catalog.Releases(ctx)
	if err != nil {
		s.log.Error("releases not read", "error", err)
	}
	for _, state := range states {
		if state.Published > 0 {
			h.print(ctx, state.Release)
		}
	}
}

// published prints the line of a distribution in which something became installable.
func (h *hints) published(ctx context.Context, res publish.Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.print(ctx, res.Release)
}

func (h *hints) print(ctx context.Context, r catalog.Release) {
	id := r.Repository.String() + "/" + r.Distribution.String()
	if h.known[id] {
		return
	}
	packages, err := h.installable(ctx, id)
	if err != nil {
		h.site.log.Error("packages not read", "error", err)
		return
	}
	if len(packages) == 0 {
		return
	}
	distro, rej := h.site.resources.Ingester.Table.Lookup(r.Distribution)
	if rej != nil {
		return // a distribution that the table does not have any more
	}
	h.known[id] = true
	fmt.Fprintf(h.site.io.out, "\ninstall from %s on %s:\n  %s\n", r.Repository, r.Distribution, installLine(h.site.publicURL(), r.Repository, distro, packages))
}

// maxCandidates is how many packages of a release are looked at for one to name.
const maxCandidates = 1000

// installable returns packages of a distribution that a client can install: some, if there are many.
func (h *hints) installable(ctx context.Context, distribution string) (some []catalog.Package, err error) {
	db := h.site.resources.Catalog
	states, err := db.Releases(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.Release.Arch == layout.SRPMS || !below(s.Release.String(), distribution) {
			continue
		}
		seen := 0
		for k, err := range db.List(ctx, s.Release, "") {
			if err != nil {
				return nil, err
			}
			some = append(some, k)
			if seen++; seen == maxCandidates {
				break
			}
		}
	}
	return some, nil
}

// installLine returns the command that sets a client up and installs the newest of some packages that
// most clients can install.
func installLine(publicURL string, r catalog.Repository, distro layout.Distro, packages []catalog.Package) string {
	rank := func(k catalog.Package) int {
		return slices.Index([]string{"amd64", "x86_64", "all", layout.Noarch}, k.Arch) // -1 for others
	}
	newest := slices.MaxFunc(packages, func(a, b catalog.Package) int {
		return cmp.Or(cmp.Compare(min(rank(a), 0), min(rank(b), 0)), a.Uploaded.Compare(b.Uploaded))
	})
	file, d := r.Owner+"_"+r.Name, distro.Distribution
	tee := func(key, path string) string {
		return fmt.Sprintf("curl -fsSL %s/%s | sudo tee %s >/dev/null && ", publicURL, key, path)
	}
	switch distro.Client {
	case layout.AptList:
		keyring := "/usr/share/keyrings/" + file + ".asc"
		return tee(layout.GPGKeyKey(r), keyring) +
			fmt.Sprintf("echo 'deb [signed-by=%s] %s/%s/%s %s %s' | sudo tee /etc/apt/sources.list.d/%s.list >/dev/null && sudo apt-get update && sudo apt-get install -y %s",
				keyring, publicURL, r, d.OS, d.Version, newest.Component, file, newest.Name)
	case layout.Yum:
		return tee(layout.RepoKey(r, d), "/etc/yum.repos.d/"+file+".repo") + "sudo yum install -y " + newest.Name
	case layout.Zypper:
		return tee(layout.RepoKey(r, d), "/etc/zypp/repos.d/"+file+".repo") + "sudo zypper --non-interactive --gpg-auto-import-keys install " + newest.Name
	case layout.Dnf:
		return tee(layout.RepoKey(r, d), "/etc/yum.repos.d/"+file+".repo") + "sudo dnf install -y " + newest.Name
	default:
		return tee(layout.SourcesKey(r, d), "/etc/apt/sources.list.d/"+file+".sources") + "sudo apt-get update && sudo apt-get install -y " + newest.Name
	}
}
