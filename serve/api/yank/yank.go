// Package yank answers calls that withdraw the packages of a repository that patterns select, and bring them back. Workers publish it.
//
//	POST /api/v1/repos/OWNER/NAME/yank    a form with package (may be repeated), reason, all=yes
//	POST /api/v1/repos/OWNER/NAME/unyank  a form with package (may be repeated), why
//
// Both take distribution=OS/VERSION, component=NAME and dry_run=yes; without a distribution it is all of them.
package yank

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A Source withdraws and restores packages. It is called concurrently. The actor is that of the context. An error may be an
// [*api.Error].
type Source interface {
	// Yank withdraws what is selected, and waits until clients do not see it, for at most wait. A repeat changes nothing.
	Yank(ctx context.Context, c Call, wait time.Duration) (Result, error)

	// Unyank restores what is selected, and waits until clients see it, for at most wait. A repeat changes nothing.
	Unyank(ctx context.Context, c Call, wait time.Duration) (Result, error)
}

// A Call says what is withdrawn or restored.
type Call struct {
	Target   catalog.PackageTarget
	Patterns []catalog.Pattern
	Reason   string // of a withdrawal
	All      bool   // of a withdrawal: a release may be left without packages
	DryRun   bool   // nothing changes
	Most     int    // packages of the result
}

// A Result is what a call did or, if it is a dry run, would do.
type Result struct {
	Target    string    `json:"target"`
	DryRun    bool      `json:"dry_run"`
	Published bool      `json:"published"` // clients see it; else workers are about to publish
	Packages  int       `json:"packages"`  // that are, or would be, withdrawn or restored
	Bytes     int64     `json:"bytes"`     // of their files
	Releases  []Release `json:"releases"`  // that they leave or join
	Changed   []Package `json:"changed"`   // the first of the packages
	LeftOut   int       `json:"left_out"`  // selected packages that do not change
	Reasons   []LeftOut `json:"reasons"`   // the first of these, with why
}

// A Release is what changes in one.
type Release struct {
	Release  string `json:"release"`
	Packages int    `json:"packages"`
	Stay     int    `json:"stay"` // packages that it has before and after
}

// A Package is one that changes.
type Package struct {
	Place   string `json:"place"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

// A LeftOut is a package that is selected, and does not change.
type LeftOut struct {
	Place   string `json:"place"`
	Package string `json:"package"` // name version architecture
	Why     string `json:"why"`
}

// New returns the handler of the paths of [IsPath].
func New(s Source, gate *api.Gate) http.Handler {
	h := &handler{s}
	return gate.Handle(h.serve)
}

type handler struct{ source Source }

const (
	maxWait     = 20 * time.Second
	maxPackages = 1000 // of an answer
)

// The calls.
const (
	yank   = "yank"
	unyank = "unyank"
)

// fields are those of each call that are sent once.
var fields = map[string][]string{
	yank:   {"distribution", "component", "reason", "all", "dry_run"},
	unyank: {"distribution", "component", "why", "dry_run"},
}

// IsPath reports whether the handler answers a path.
func IsPath(p string) bool {
	_, call, ok := api.RepositoryCall(p)
	return ok && fields[call] != nil
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, by api.Principal) error {
	repo, call, _ := api.RepositoryCall(r.URL.Path)
	if r.Method != http.MethodPost {
		return api.NotAllowed(w, http.MethodPost)
	}
	if err := api.Authorize(by, api.Manage, repo); err != nil {
		return err
	}
	form, err := api.Fields(w, r, fields[call], "package")
	if err != nil {
		return err
	}
	c, err := parse(repo, call, form)
	if err != nil {
		return err
	}
	actor, err := api.FieldActor(by, form)
	if err != nil {
		return err
	}
	run := h.source.Yank
	if call == unyank {
		run = h.source.Unyank
	}
	done, err := run(catalog.WithActor(r.Context(), actor), c, maxWait)
	var answer *api.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case err != nil:
		return api.Unavailable(err)
	}
	status := http.StatusOK
	if !done.Published && !done.DryRun {
		status = http.StatusAccepted
	}
	api.WriteJSON(w, status, done)
	return nil
}

// parse reads the form of a call.
func parse(repo catalog.Repository, call string, form url.Values) (c Call, err error) {
	c = Call{Reason: form.Get("reason"), All: form.Get("all") == "yes", DryRun: form.Get("dry_run") == "yes", Most: maxPackages}
	if c.Target, err = api.FieldTarget(repo, form); err != nil {
		return c, err
	}
	for _, name := range []string{"all", "dry_run"} {
		if text := form.Get(name); text != "" && text != "yes" {
			return c, api.Invalid(name, "its one value is yes")
		}
	}
	if len(form["package"]) == 0 {
		return c, api.Invalid("package", "name what is selected: NAME, NAME=VERSION or NAME=VERSION:ARCH, with globs; it may be repeated")
	}
	for _, text := range form["package"] {
		p, err := catalog.ParsePattern(text)
		if err != nil {
			return c, api.Invalid("package", err.Error())
		}
		c.Patterns = append(c.Patterns, p)
	}
	if call == yank && c.Reason == "" {
		return c, api.Invalid("reason", "say why: it is recorded with the withdrawal, and named when the package is pushed again")
	}
	return c, nil
}
