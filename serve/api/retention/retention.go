// Package retention answers which rules of retention a repository has, and what would leave by them, and sets and applies them.
package retention

import (
	"context"
	"net/http"
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

// New returns the handler of the calls.
func New(s Source, gate *api.Gate) *api.Door {
	h := &handler{s}
	return &api.Door{Gate: gate, Calls: []api.Call{
		{Method: http.MethodGet, Path: "retention", Right: api.Read, Once: []string{"distribution"}, Do: h.rules},
		{Method: http.MethodGet, Path: "retention/plan", Right: api.Read, Once: []string{"distribution"}, Do: h.plan},
		{Method: http.MethodPost, Path: "retention", Right: api.Manage, Once: setFields, Many: []string{"keep"}, Large: true, Do: h.set},
		{Method: http.MethodPost, Path: "retention/run", Right: api.Manage, Once: []string{"distribution", "digest", "at"}, Do: h.run},
	}}
}

type handler struct{ source Source }

const (
	maxLeaving = 1000 // packages of an answer
	maxWait    = 20 * time.Second
)

func (h *handler) rules(ctx context.Context, a api.Asked) (status int, v any, err error) {
	v, err = h.source.Rules(ctx, a.Target.Repository)
	return http.StatusOK, v, err
}

func (h *handler) plan(ctx context.Context, a api.Asked) (status int, v any, err error) {
	v, err = h.source.Plan(ctx, a.Target, maxLeaving)
	return http.StatusOK, v, err
}

func (h *handler) run(ctx context.Context, a api.Asked) (status int, v any, err error) {
	digest := a.Form.Get("digest")
	at, err := time.Parse(time.RFC3339, a.Form.Get("at"))
	if err != nil || digest == "" {
		return 0, nil, api.Invalid("digest", "send the digest and the at of a plan: what it says is done, or nothing")
	}
	v, err = h.source.Run(ctx, a.Target, at, digest, a.By, maxWait)
	return http.StatusOK, v, err
}
