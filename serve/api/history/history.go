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
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
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

// New returns the handler of the paths of [IsPath].
func New(s Source, gate *api.Gate) http.Handler {
	h := &handler{s}
	return gate.Handle(h.serve)
}

type handler struct{ source Source }

const (
	repositories = "/api/v1/repos/"
	maxListed    = 1000 // packages of a list of an answer
	maxWait      = 20 * time.Second
	maxForm      = 64 << 10 // bytes
	maxWhy       = 300      // bytes
)

// The calls.
const (
	diff     = "diff"
	plan     = "rollback/plan"
	rollback = "rollback"
	log      = "log"
)

// fields are those that each call takes: another one is an error, since a caller who misspells it would get more than was asked for.
var fields = map[string][]string{
	diff:     {"from", "to", "distribution"},
	plan:     {"to", "distribution", "partial"},
	rollback: {"to", "distribution", "partial", "digest", "why"},
	log:      {"since", "distribution", "package", "cursor", "limit"},
}

// IsPath reports whether the handler answers a path.
func IsPath(p string) bool {
	_, _, ok := cut(p)
	return ok
}

func cut(p string) (r catalog.Repository, call string, ok bool) {
	rest, ok := strings.CutPrefix(p, repositories)
	parts := strings.SplitN(strings.TrimSuffix(strings.TrimSuffix(rest, "/"), ".json"), "/", 3)
	if !ok || len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return r, "", false
	}
	call = parts[2]
	return catalog.Repository{Owner: parts[0], Name: parts[1]}, call, fields[call] != nil
}

// serve answers a caller who may look into the repository, and changes it for one who may manage it.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, by api.Principal) error {
	repo, call, _ := cut(r.URL.Path)
	methods := "GET, HEAD"
	if call == rollback {
		methods = http.MethodPost
	}
	if !slices.Contains(strings.Split(methods, ", "), r.Method) {
		w.Header().Set("Allow", methods)
		return &api.Error{Status: http.StatusMethodNotAllowed, Message: "use " + methods + " for this path"}
	}
	switch {
	case !by.Known(repo):
		return api.NoRepository(repo)
	case call == rollback && !by.May(api.Manage, repo):
		return api.Forbidden(api.Manage, repo)
	case !by.Looks(repo): // tokens on hosts of customers
		return api.Forbidden(api.Read, repo)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &api.Error{Status: http.StatusBadRequest, Message: "the form cannot be read: send few fields, as application/x-www-form-urlencoded"}
	}
	status, v, err := h.answer(r.Context(), r.Form, repo, call, by)
	var answer *api.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, catalog.ErrNotFound):
		return api.NoRepository(repo)
	case err != nil:
		return api.Unavailable(err)
	}
	api.WriteJSON(w, status, v)
	return nil
}

func (h *handler) answer(ctx context.Context, form url.Values, repo catalog.Repository, call string, by api.Principal) (status int, v any, err error) {
	if err := checkFields(form, call); err != nil {
		return 0, nil, err
	}
	t, err := target(repo, form.Get("distribution"))
	if err != nil {
		return 0, nil, err
	}
	status = http.StatusOK
	if call == log {
		q, err := logQuery(form, t, by)
		if err != nil {
			return 0, nil, err
		}
		v, err = h.source.Log(ctx, q)
		return status, v, err
	}
	if call == diff {
		from, to := form.Get("from"), form.Get("to")
		if from == "" && to == "" {
			return 0, nil, api.Invalid("from", "name a revision, a snapshot or a time in from, in to, or in both: without one of them it is now")
		}
		v, err = h.source.Diff(ctx, t, from, to, maxListed)
		return status, v, err
	}
	b := Back{t, form.Get("to"), form.Get("partial") == "yes", form.Get("digest")}
	if b.To == "" {
		return 0, nil, api.Invalid("to", "name a revision, a snapshot or a time to go back to")
	}
	if form.Get("partial") != "" && !b.Partial {
		return 0, nil, api.Invalid("partial", "its one value is yes")
	}
	if call == plan {
		v, err = h.source.Plan(ctx, b, maxListed)
		return status, v, err
	}
	actor := by.Actor()
	if actor.Why = form.Get("why"); len(actor.Why) > maxWhy || catalog.CheckDescription(actor.Why) != nil {
		return 0, nil, api.Invalid("why", "use one line of printable text, of at most 300 characters")
	}
	result, err := h.source.RollBack(catalog.WithActor(ctx, actor), b, maxListed, maxWait)
	if !result.Published {
		status = http.StatusAccepted
	}
	return status, result, err
}

// checkFields returns an error for a field that a call does not take, or that is there twice.
func checkFields(form url.Values, call string) error {
	for name, values := range form {
		switch {
		case name == "dry_run":
			return api.Invalid(name, "GET rollback/plan answers what would change")
		case !slices.Contains(fields[call], name):
			return api.Invalid(fmt.Sprintf("%.50s", name), "this call takes "+strings.Join(fields[call], ", "))
		case len(values) > 1:
			return api.Invalid(name, "send it once")
		}
	}
	return nil
}

// target returns what a call is about.
func target(r catalog.Repository, distribution string) (catalog.PackageTarget, error) {
	if distribution == "" {
		return catalog.PackageTarget{Repository: r}, nil
	}
	t, err := catalog.ParsePackageTarget(r.String() + "/" + distribution)
	if err != nil || t.Whole() || t.Component != "" {
		return t, api.Invalid("distribution", "use OS/VERSION, such as ubuntu/jammy")
	}
	return t, nil
}
