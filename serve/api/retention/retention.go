// Package retention answers which rules of retention a repository has, and what would leave by them, and sets and applies them.
package retention

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A Source reads and applies rules. It is called concurrently. For a repository or distribution that does not exist the errors wrap
// [catalog.ErrNotFound].
type Source interface {
	// Rules returns the rule sets of a repository, with what workers did by them.
	Rules(ctx context.Context, r catalog.Repository) ([]RuleSet, error)

	// Plan returns what would leave a target, with at most most packages. An error may be an [*api.Error].
	Plan(ctx context.Context, t catalog.PackageTarget, most int) (Plan, error)

	// Run withdraws what leaves, if the digest of its plan as of a time is the given one, and waits until clients do not see it, for
	// at most wait. An error may be an [*api.Error].
	Run(ctx context.Context, t catalog.PackageTarget, at time.Time, digest string, by api.Principal, wait time.Duration) (Result, error)

	// Set changes the rules of a target, in the name of the actor of the context, and waits until they are published, for at most wait. An
	// error may be an [*api.Error].
	Set(ctx context.Context, t catalog.PackageTarget, c Change, wait time.Duration) (SetResult, error)
}

// A RuleSet is the rules of a repository or a distribution.
type RuleSet struct {
	Target      string   `json:"target"`
	Rules       []string `json:"rules"`
	Automatic   bool     `json:"automatic"` // else it is paused
	AllowShrink bool     `json:"allow_shrink"`
	Archive     string   `json:"archive,omitempty"` // the repository that packages which leave are copied to first
	Runs        []Run    `json:"runs"`
}

// A Run is what workers did last in a distribution.
type Run struct {
	Target    string     `json:"target"`
	At        *time.Time `json:"at"`
	Withdrawn int        `json:"withdrawn"`
	Archived  int        `json:"archived,omitempty"` // packages that were asked for in the archive, to be withdrawn once they are there
	Stopped   string     `json:"stopped,omitempty"`
}

// A Plan is what would leave a target.
type Plan struct {
	Target   string         `json:"target"`
	At       time.Time      `json:"at"`
	Digest   string         `json:"digest"` // for a run that does this, or nothing
	Releases []Release      `json:"releases"`
	Kept     map[string]int `json:"kept"` // packages that stay, by the first rule that keeps them
	Packages int            `json:"packages"`
	Bytes    int64          `json:"bytes"`
	Leaving  []Package      `json:"leaving"` // the first of them
	Archive  *Archive       `json:"archive,omitempty"`
	Refused  string         `json:"refused,omitempty"`
}

// An Archive counts the packages that would go to an archive before they leave.
type Archive struct {
	Copied int   `json:"copied"`
	Bytes  int64 `json:"bytes"`  // of those that are copied
	There  int   `json:"there"`  // packages that are there already
	Moving int   `json:"moving"` // packages that are on their way
	Stay   int   `json:"stay"`   // packages that cannot go there
}

// A Release is what would leave one release.
type Release struct {
	Release string `json:"release"`
	Leave   int    `json:"leave"`
	Stay    int    `json:"stay"`
	Bytes   int64  `json:"bytes"`
}

// A Package is one that would leave.
type Package struct {
	Place   string `json:"place"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`

	Archive string            `json:"archive,omitempty"` // the place that it goes to first
	Copy    catalog.CopyState `json:"copy,omitempty"`    // what it meets there
	Detail  string            `json:"detail,omitempty"`  // why it cannot go there, and stays
}

// A Result is what a run did.
type Result struct {
	Target    string `json:"target"`
	Withdrawn int    `json:"withdrawn"`
	Archiving int    `json:"archiving,omitempty"` // packages that workers withdraw once clients see them in the archive
	Published bool   `json:"published"`           // clients do not see the packages; else workers are about to publish
}

// New returns the handler of the paths of [IsPath].
func New(s Source, gate *api.Gate) http.Handler {
	h := &handler{s}
	return gate.Handle(h.serve)
}

type handler struct{ source Source }

const repositories = "/api/v1/repos/"

// The calls.
const (
	rules = "retention.json"
	plan  = "retention/plan.json"
	run   = "retention/run.json"
)

const (
	maxLeaving = 1000 // packages of an answer
	maxWait    = 20 * time.Second
	maxForm    = 4 << 10   // bytes
	maxRules   = 256 << 10 // bytes of a form with rules: they may keep many patterns
)

// IsPath reports whether the handler answers a path.
func IsPath(p string) bool {
	_, _, ok := cut(p)
	return ok
}

func cut(p string) (r catalog.Repository, call string, ok bool) {
	rest, ok := strings.CutPrefix(p, repositories)
	parts := strings.SplitN(rest, "/", 3)
	if !ok || len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return r, "", false
	}
	call = parts[2]
	return catalog.Repository{Owner: parts[0], Name: parts[1]}, call, call == rules || call == plan || call == run
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, by api.Principal) error {
	repo, call, _ := cut(r.URL.Path)
	methods := map[string]string{rules: "GET, POST", plan: "GET", run: "POST"}[call]
	if !slices.Contains(strings.Split(methods, ", "), r.Method) {
		w.Header().Set("Allow", methods)
		return &api.Error{Status: http.StatusMethodNotAllowed, Message: "use " + methods + " for this path"}
	}
	switch {
	case !by.Known(repo):
		return api.NoRepository(repo)
	case !by.Looks(repo): // tokens on hosts of customers
		return api.Forbidden(api.Read, repo)
	}
	limit := int64(maxForm)
	if call == rules {
		limit = maxRules
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		return &api.Error{Status: http.StatusBadRequest, Message: "the form cannot be read: send few fields, as application/x-www-form-urlencoded"}
	}
	t, err := target(repo, r.Form.Get("distribution"))
	if err != nil {
		return err
	}
	v, err := h.answer(r, call, t, by)
	var answer *api.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, catalog.ErrNotFound) && t.Whole():
		return api.NoRepository(repo)
	case errors.Is(err, catalog.ErrNotFound):
		return api.NotFound("there is no distribution " + t.Distribution.String() + " in " + repo.String())
	case err != nil:
		return api.Unavailable(err)
	}
	api.WriteJSON(w, http.StatusOK, v)
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

func (h *handler) answer(r *http.Request, call string, t catalog.PackageTarget, by api.Principal) (any, error) {
	switch {
	case call == rules && r.Method == http.MethodGet:
		return h.source.Rules(r.Context(), t.Repository)
	case call == plan:
		return h.source.Plan(r.Context(), t, maxLeaving)
	}
	if err := api.Authorize(by, api.Manage, t.Repository); err != nil {
		return nil, err
	}
	if call == rules {
		return h.set(r, t, by)
	}
	digest := r.PostForm.Get("digest")
	at, err := time.Parse(time.RFC3339, r.PostForm.Get("at"))
	if err != nil || digest == "" {
		return nil, api.Invalid("digest", "send the digest and the at of a plan: what it says is done, or nothing")
	}
	return h.source.Run(r.Context(), t, at, digest, by, maxWait)
}
