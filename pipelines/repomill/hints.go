package main

import (
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
	s := h.site
	fmt.Fprintf(s.io.out, `repomill ready
  clients:  %s
  staging:  %s
  push:     %s push --wait --staging file://%s acme/tools/ubuntu/jammy hello_1.0_amd64.deb
            or copy packages into %s/<owner>/<name>/<os>/<version>/
  look:     %s status --data %s
`, s.publicURL(), s.resources.Staging.Path(), os.Args[0], s.resources.Staging.Path(), s.resources.Staging.Path(), os.Args[0], s.cmd.Data)
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
	packages, err := list(ctx, h.site.resources.Catalog, id, "")
	if err != nil {
		h.site.log.Error("packages not read", "error", err)
		return
	}
	packages = slices.DeleteFunc(packages, func(k catalog.Package) bool { return k.Arch == "src" })
	if len(packages) == 0 {
		return
	}
	h.known[id] = true
	newest := slices.MaxFunc(packages, func(a, b catalog.Package) int { return a.Uploaded.Compare(b.Uploaded) })
	fmt.Fprintf(h.site.io.out, "\ninstall from %s on %s:\n  %s\n", r.Repository, r.Distribution, installLine(h.site.publicURL(), r, newest.Name))
}

// installLine returns the command that sets a client up and installs a package.
func installLine(publicURL string, r catalog.Release, name string) string {
	file := r.Repository.Owner + "_" + r.Repository.Name
	if r.Arch == "" {
		return fmt.Sprintf("curl -fsSL %s/%s | sudo tee /etc/apt/sources.list.d/%s.sources >/dev/null && sudo apt-get update && sudo apt-get install -y %s",
			publicURL, layout.SourcesKey(r.Repository, r.Distribution), file, name)
	}
	return fmt.Sprintf("curl -fsSL %s/%s | sudo tee /etc/yum.repos.d/%s.repo >/dev/null && sudo dnf install -y %s",
		publicURL, layout.RepoKey(r.Repository, r.Distribution), file, name)
}
