package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"repomill/pipelines/client"
	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// hints print lines for the user to paste on the standard output: how to push and, for each distribution that is published
// for the first time while the site runs, how to install.
type hints struct {
	site *site

	mu    sync.Mutex
	known map[string]bool // repository and distribution
}

func newHints(s *site) *hints { return &hints{site: s, known: map[string]bool{}} }

// ready prints the addresses of the site, and commands to start with.
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

// learn notes the distributions that are published already. No lines are printed for those.
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

// published prints the install lines of a distribution once, when it has an installable package.
func (h *hints) published(ctx context.Context, res publish.Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id, db := distributionID(res.Release), h.site.resources.Catalog
	if h.known[id] {
		return
	}
	packages, err := client.Installable(ctx, db, res.Release.Repository, id)
	if err == nil && len(packages) == 0 {
		return
	}
	var settings catalog.Settings
	if err == nil {
		settings, err = db.Settings(ctx, res.Release.Repository)
	}
	if err != nil {
		h.site.log.Warn("install lines not printed", "distribution", id, "error", err)
		return
	}
	distro, rej := h.site.resources.Ingester.Table.Lookup(res.Release.Distribution)
	if rej != nil {
		return // the table no longer has the distribution
	}
	h.known[id] = true
	pkg, err := client.WithKeyring(ctx, db, settings, distro, client.Newest(client.Without(packages, res.Release.Repository)))
	if err != nil {
		h.site.log.Warn("install lines not printed", "distribution", id, "error", err)
		return
	}
	fmt.Fprintf(h.site.io.out, "\n%s", client.InstallText(h.site.publicURL(), settings, distro, pkg, setup.Placeholder))
}
