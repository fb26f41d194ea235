// Package deletion answers calls that delete a repository, a distribution or a component, and bring it back. Workers do what is
// asked for.
//
//	GET    /api/v1/repos/OWNER/NAME/deletion  what is deleted, and what a deletion would withdraw
//	POST   /api/v1/repos/OWNER/NAME/deletion  delete: a form with confirm, the name once more, and with undo_period, why and digest: that of the
//	                                          answer to GET, which is done then, or nothing
//	DELETE /api/v1/repos/OWNER/NAME/deletion  bring back, as long as the objects are not being removed
//
// All take distribution=OS/VERSION and component=NAME; without them it is the repository.
package deletion

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A Source deletes and brings back. It is called concurrently. The actor is that of the context. For a repository that does not exist
// errors wrap [catalog.ErrNotFound]; an error may be an [*api.Error].
type Source interface {
	// State returns what is with a target, and what a deletion with a time of grace would do.
	State(ctx context.Context, t catalog.PackageTarget, grace time.Duration) (State, error)

	// Delete deletes a target, and waits until clients see an empty one, for at most wait. grace is how long it can be brought back. A
	// repeat changes nothing. With a digest, which is that of a state, it does what that says, or nothing.
	Delete(ctx context.Context, t catalog.PackageTarget, grace time.Duration, digest string, wait time.Duration) (State, error)

	// Undelete brings a target back, and waits until clients see its packages, for at most wait. A repeat changes nothing.
	Undelete(ctx context.Context, t catalog.PackageTarget, wait time.Duration) (State, error)
}

// A State is what is with a target.
type State struct {
	Target    string    `json:"target"`
	Packages  int       `json:"packages"`         // that are, or would be, withdrawn; or that are back
	Files     int       `json:"files"`            // that there are, also of withdrawn packages
	Bytes     int64     `json:"bytes"`            // of these files
	Snapshots int       `json:"snapshots"`        // of a repository: that are removed with it; of a part: that keep its files
	Deleted   *Deletion `json:"deleted"`          // of the target, or of what it is in; null if neither is deleted
	Parts     []Part    `json:"parts"`            // deleted ones in the target
	Digest    string    `json:"digest,omitempty"` // of the plan of a deletion that is not made
	Published bool      `json:"published"`        // clients see that; else workers are about to publish
}

// A Deletion is one, as a client of the API reads it.
type Deletion struct {
	Part
	Sentence string `json:"sentence"` // what can be done
}

// A Part is the deletion of a target, from the time at on.
type Part struct {
	Target string `json:"target"`
	catalog.Deletion
}

// New returns the handler of the calls.
func New(s Source, gate *api.Gate) *api.Door {
	h := &handler{s}
	call := func(method string, do func(context.Context, api.Asked) (int, any, error), fields ...string) api.Call {
		return api.Call{Method: method, Path: "deletion", Right: api.Manage, Once: append(fields, "distribution", "component"), Do: do}
	}
	return &api.Door{Gate: gate, Calls: []api.Call{
		call(http.MethodGet, h.state, "undo_period"),
		call(http.MethodPost, h.delete, "confirm", "undo_period", "digest", "why"),
		call(http.MethodDelete, h.undelete, "why"),
	}}
}

type handler struct{ source Source }

const (
	maxWait  = 20 * time.Second
	grace    = 30 * 24 * time.Hour       // unless undo_period says more or less
	maxGrace = 10 * 365 * 24 * time.Hour // longer than that is not a deletion
)

func (h *handler) state(ctx context.Context, a api.Asked) (status int, v any, err error) {
	period, err := periodOf(a.Form.Get("undo_period"))
	if err != nil {
		return 0, nil, err
	}
	v, err = h.source.State(ctx, a.Target, period)
	return http.StatusOK, v, err
}

func (h *handler) delete(ctx context.Context, a api.Asked) (status int, v any, err error) {
	period, err := periodOf(a.Form.Get("undo_period"))
	if err != nil {
		return 0, nil, err
	}
	if t := a.Target; a.Form.Get("confirm") != t.String() {
		return 0, nil, api.Invalid("confirm", fmt.Sprintf("the name is not %s: nothing is changed; send confirm=%s to delete it", t, t))
	}
	s, err := h.source.Delete(ctx, a.Target, period, a.Form.Get("digest"), maxWait)
	return api.Soon(s.Published), s, err
}

func (h *handler) undelete(ctx context.Context, a api.Asked) (status int, v any, err error) {
	s, err := h.source.Undelete(ctx, a.Target, maxWait)
	return api.Soon(s.Published), s, err
}

// periodOf reads how long a target can be brought back, which may be no time.
func periodOf(text string) (time.Duration, error) {
	if text == "" {
		return grace, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = catalog.ParsePeriod(text)
	}
	if err != nil || d < 0 || d > maxGrace {
		return 0, api.Invalid("undo_period", "use a period of 0s to 10y, such as 720h or 30d")
	}
	return d, nil
}
