// Package history answers calls about what clients saw of a repository: it compares two states, and plans and makes rollbacks to one.
// Workers publish what a rollback changes. It also answers what was changed, by whom and why.
//
//	GET  /api/v1/repos/OWNER/NAME/diff?from=41&to=release-19.4  what differs; each may be left out for now
//	GET  /api/v1/repos/OWNER/NAME/rollback/plan?to=41           what a rollback would change, and its digest
//	GET  /api/v1/repos/OWNER/NAME/log?since=7d                  who changed what, and when, in pages
//	POST /api/v1/repos/OWNER/NAME/rollback                      roll back: a form with to and, each may be left out, digest, partial=yes and why
//
// A state is named by the revision of a release, a snapshot or a time. All take distribution=OS/VERSION.
package history

import (
	"context"
	"net/http"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A Source has the states of repositories. It is called concurrently. The actor is that of the context. For a repository that does not
// exist errors wrap [catalog.ErrNotFound]; an error may be an [*api.Error].
type Source interface {
	// Diff compares what clients saw of a target at two points; an empty one is now. Each group has at most most packages.
	Diff(ctx context.Context, t catalog.PackageTarget, from, to string, most int) (Diff, error)

	// Plan returns what a rollback would change. Each list has at most most elements.
	Plan(ctx context.Context, b Back, most int) (Plan, error)

	// RollBack rolls back, if its plan has the digest of b or that is empty, and waits until clients see it, for at most wait. If
	// nothing differs from then, it changes nothing.
	RollBack(ctx context.Context, b Back, most int, wait time.Duration) (Result, error)

	// Log returns a page of the log of a repository.
	Log(ctx context.Context, q LogQuery) (LogPage, error)
}

// A Back says what is rolled back to which point.
type Back struct {
	Target  catalog.PackageTarget
	To      string
	Partial bool   // without the packages whose files are gone
	Digest  string // of the plan that is to be done
}

// New returns the handler of the calls.
func New(s Source, gate *api.Gate) *api.Door {
	h := &handler{s}
	return &api.Door{Gate: gate, Calls: []api.Call{
		{Method: http.MethodGet, Path: "diff", Right: api.Read, Once: []string{"from", "to", "distribution"}, Do: h.diff},
		{Method: http.MethodGet, Path: "rollback/plan", Right: api.Read, Once: []string{"to", "distribution", "partial"}, Do: h.plan},
		{Method: http.MethodGet, Path: "log", Right: api.Read, Once: []string{"since", "distribution", "package", "cursor", "limit"}, Do: h.log},
		{Method: http.MethodPost, Path: "rollback", Right: api.Manage, Once: []string{"to", "distribution", "partial", "digest", "why", "dry_run"}, Do: h.rollback},
	}}
}

type handler struct{ source Source }

const (
	maxListed = 1000 // packages of a list of an answer
	maxWait   = 20 * time.Second
)

func (h *handler) diff(ctx context.Context, a api.Asked) (status int, v any, err error) {
	from, to := a.Form.Get("from"), a.Form.Get("to")
	if from == "" && to == "" {
		return 0, nil, api.Invalid("from", "name a revision, a snapshot or a time in from, in to, or in both: without one of them it is now")
	}
	v, err = h.source.Diff(ctx, a.Target, from, to, maxListed)
	return http.StatusOK, v, err
}

func (h *handler) log(ctx context.Context, a api.Asked) (status int, v any, err error) {
	q, err := logQuery(a.Form, a.Target, a.By)
	if err != nil {
		return 0, nil, err
	}
	v, err = h.source.Log(ctx, q)
	return http.StatusOK, v, err
}

func (h *handler) plan(ctx context.Context, a api.Asked) (status int, v any, err error) {
	b, err := back(a)
	if err != nil {
		return 0, nil, err
	}
	v, err = h.source.Plan(ctx, b, maxListed)
	return http.StatusOK, v, err
}

func (h *handler) rollback(ctx context.Context, a api.Asked) (status int, v any, err error) {
	if a.Form.Has("dry_run") {
		return 0, nil, api.Invalid("dry_run", "GET rollback/plan answers what would change")
	}
	b, err := back(a)
	if err != nil {
		return 0, nil, err
	}
	result, err := h.source.RollBack(ctx, b, maxListed, maxWait)
	return api.Soon(result.Published), result, err
}

// back reads what is rolled back.
func back(a api.Asked) (b Back, err error) {
	b = Back{Target: a.Target, To: a.Form.Get("to"), Digest: a.Form.Get("digest")}
	if b.To == "" {
		return b, api.Invalid("to", "name a revision, a snapshot or a time to go back to")
	}
	b.Partial, err = api.Yes(a.Form, "partial")
	return b, err
}
