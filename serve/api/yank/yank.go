// Package yank answers calls that withdraw the packages of a repository that patterns select, and bring them back. Workers publish it.
//
//	POST /api/v1/repos/OWNER/NAME/yank    a form with package (may be repeated), reason, all=yes
//	POST /api/v1/repos/OWNER/NAME/unyank  a form with package (may be repeated), why
//
// Both take distribution=OS/VERSION, component=NAME and dry_run=yes; without a distribution it is all of them.
package yank

import (
	"context"
	"net/http"
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

// New returns the handler of the calls.
func New(s Source, gate *api.Gate) *api.Door {
	h := &handler{s}
	return &api.Door{Gate: gate, Calls: []api.Call{
		{Method: http.MethodPost, Path: "yank", Right: api.Manage, Once: []string{"distribution", "component", "reason", "all", "dry_run"}, Many: []string{"package"}, Do: h.yank},
		{Method: http.MethodPost, Path: "unyank", Right: api.Manage, Once: []string{"distribution", "component", "why", "dry_run"}, Many: []string{"package"}, Do: h.unyank},
	}}
}

type handler struct{ source Source }

const (
	maxWait     = 20 * time.Second
	maxPackages = 1000 // of an answer
)

func (h *handler) yank(ctx context.Context, a api.Asked) (status int, v any, err error) {
	c, err := parse(a)
	if err == nil && c.Reason == "" {
		err = api.Invalid("reason", "say why: it is recorded with the withdrawal, and named when the package is pushed again")
	}
	if err != nil {
		return 0, nil, err
	}
	done, err := h.source.Yank(ctx, c, maxWait)
	return api.Soon(done.Published || done.DryRun), done, err
}

func (h *handler) unyank(ctx context.Context, a api.Asked) (status int, v any, err error) {
	c, err := parse(a)
	if err != nil {
		return 0, nil, err
	}
	done, err := h.source.Unyank(ctx, c, maxWait)
	return api.Soon(done.Published || done.DryRun), done, err
}

// parse reads the form of a call.
func parse(a api.Asked) (c Call, err error) {
	c = Call{Target: a.Target, Reason: a.Form.Get("reason"), Most: maxPackages}
	if c.All, err = api.Yes(a.Form, "all"); err != nil {
		return c, err
	}
	if c.DryRun, err = api.Yes(a.Form, "dry_run"); err != nil {
		return c, err
	}
	if len(a.Form["package"]) == 0 {
		return c, api.Invalid("package", "name what is selected: NAME, NAME=VERSION or NAME=VERSION:ARCH, with globs; it may be repeated")
	}
	for _, text := range a.Form["package"] {
		p, err := catalog.ParsePattern(text)
		if err != nil {
			return c, api.Invalid("package", err.Error())
		}
		c.Patterns = append(c.Patterns, p)
	}
	return c, nil
}
