package packagecloud

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// Phases lets parts of the hosts upgrade to packages. packagecloud has no such calls.
type Phases interface {
	// Phase gives all binaries of the source package of a DEB package, in its place, a phase, and waits until clients see that, for at
	// most wait. It returns the phase as it is recorded, and whether clients see it. The actor is that of the context. The error wraps
	// [catalog.ErrNotFound] if the package is not active any more.
	Phase(ctx context.Context, k catalog.Package, p catalog.Phasing, wait time.Duration) (state catalog.PhaseState, seen bool, err error)

	// Phases returns the phases of a target.
	Phases(ctx context.Context, t catalog.PackageTarget) ([]catalog.PhaseState, error)
}

// phase sets the phase of the package of a file.
func (h *handler) phase(c call, d catalog.Distribution, file string) {
	if !c.by.May(api.Manage, c.repo) {
		c.forbidden(api.Manage)
		return
	}
	form, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	p, field, why := phasingOf(form)
	if why != "" {
		c.invalid(field, why)
		return
	}
	k, err := h.Catalog.PackageFile(c.Context(), c.repo, d, file)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		c.noSuchFile(d, file)
		return
	case err != nil:
		h.fault(c, err)
		return
	case k.Format == catalog.RPM:
		c.invalid("phase", "is for DEB packages: dnf and zypper know no phased updates")
		return
	}
	actor := c.by.Actor()
	actor.Why = form.Get("why")
	state, seen, err := h.Phases.Phase(catalog.WithActor(c.Context(), actor), k, p, maxWait)
	switch {
	case errors.Is(err, catalog.ErrNotFound): // withdrawn just now
		c.noSuchFile(d, file)
		return
	case err != nil:
		h.fault(c, err)
		return
	}
	if !seen {
		c.w.Header().Set(notVisible, "yes")
	}
	c.answer(http.StatusOK, state)
}

// phasingOf reads the fields phase, or steps and every, and checks why. If one is wrong it returns its name and what it has to be.
func phasingOf(form url.Values) (p catalog.Phasing, field, wrong string) {
	if err := catalog.CheckDescription(form.Get("why")); err != nil {
		return p, "why", "is one line of printable text, of at most 300 characters"
	}
	field = "phase"
	texts := []string{form.Get("phase")}
	if steps := form.Get("steps"); steps != "" {
		if texts[0] != "" {
			return p, field, "is the first of the steps: send one of them"
		}
		field, texts = "steps", strings.Split(steps, ",")
	}
	for i, s := range texts {
		percent, err := catalog.ParsePhase(s)
		switch {
		case err != nil:
			return p, field, "is a percentage from 0% to 100%, such as 10%, or pause; steps have commas between them"
		case i == 0:
			p.Percent = percent
		default:
			p.Steps = append(p.Steps, percent)
		}
	}
	if len(p.Steps) > 0 {
		var err error
		if p.Every, err = time.ParseDuration(form.Get("every")); err != nil {
			return p, "every", "is the time between steps, such as 24h"
		}
	}
	if err := p.Check(); err != nil {
		return p, field, err.Error()
	}
	return p, "", ""
}

// phases answers with the phases of the repository.
func (h *handler) phases(c call) {
	all, err := h.Phases.Phases(c.Context(), catalog.PackageTarget{Repository: c.repo})
	if err != nil {
		h.fault(c, err)
		return
	}
	if all == nil {
		all = []catalog.PhaseState{}
	}
	c.answer(http.StatusOK, all)
}
