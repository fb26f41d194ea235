// Package trains answers calls about the release trains of an owner: it lists, plans, publishes and drops them. Workers do what is asked for.
// An upload with the header Repomill-Train opens one.
//
//	GET    /api/v1/trains/OWNER               the newest 100
//	GET    /api/v1/trains/OWNER/NAME          one, with its uploads
//	GET    /api/v1/trains/OWNER/NAME/plan     what it would publish
//	POST   /api/v1/trains/OWNER/NAME/publish  publish it: a form with at, digest and why, each may be left out
//	DELETE /api/v1/trains/OWNER/NAME/publish  take back what a publish with at has asked for
//	POST   /api/v1/trains/OWNER/NAME/drop     drop all of it or, of a form, each package, or rejected=yes; with why
package trains

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// A Source has the trains. It is called concurrently. The actor is that of the context. For a train that does not exist errors wrap
// [catalog.ErrNotFound]; an error may be an [*api.Error].
type Source interface {
	// Trains returns the newest trains of an owner, those that are open first.
	Trains(ctx context.Context, owner string) ([]catalog.Train, error)

	// Train returns a train with its uploads.
	Train(ctx context.Context, n catalog.TrainName) (catalog.TrainReport, error)

	// Plan returns what a train would publish.
	Plan(ctx context.Context, n catalog.TrainName) (catalog.TrainPlan, error)

	// Publish asks for a train to be published at a time, or now if that is zero, and waits until clients see it, for at most wait. With
	// a digest it is published only as the plan with that digest says. It reports whether clients see it. A repeat changes nothing.
	Publish(ctx context.Context, n catalog.TrainName, at time.Time, digest string, wait time.Duration) (seen bool, err error)

	// Cancel takes back what Publish has asked for. A repeat changes nothing.
	Cancel(ctx context.Context, n catalog.TrainName) error

	// Drop takes uploads out of a train, all of them if d names none, and returns them; it waits until their files are removed, for at
	// most wait, and reports whether they are.
	Drop(ctx context.Context, n catalog.TrainName, d Drop, wait time.Duration) (dropped []catalog.TrainUpload, removed bool, err error)
}

// A Drop says what is dropped.
type Drop struct {
	Packages []catalog.Pattern
	Rejected bool // what was rejected
}

// A Dropped is the answer to a drop.
type Dropped struct {
	Uploads []catalog.TrainUpload `json:"uploads"`
	Removed bool                  `json:"removed"` // their files are; else a worker is about to
}

// New returns the handler of the paths of [IsPath].
func New(s Source, gate *api.Gate) http.Handler {
	h := &handler{s}
	return gate.Handle(h.serve)
}

type handler struct{ source Source }

const (
	prefix  = "/api/v1/trains/"
	maxWait = 20 * time.Second
	maxForm = 64 << 10 // bytes
	maxWhy  = 300      // bytes
)

// The calls about one train. The empty one shows it.
const (
	list    = "list"
	plan    = "plan"
	publish = "publish"
	drop    = "drop"
)

// IsPath reports whether the handler answers a path.
func IsPath(p string) bool { return strings.HasPrefix(p, prefix) }

// cut returns the train of a path and the call. The name is empty for the list.
func cut(p string) (n catalog.TrainName, call string, ok bool) {
	part := strings.Split(strings.TrimSuffix(strings.TrimPrefix(p, prefix), "/"), "/")
	n.Owner = part[0]
	if layout.CheckRepository(catalog.Repository{Owner: n.Owner, Name: "x"}) != nil {
		return n, "", false
	}
	if len(part) == 1 {
		return n, list, true
	}
	n.Name = part[1]
	if layout.CheckTrain(n.Name) != nil || len(part) > 3 {
		return n, "", false
	}
	if len(part) == 3 {
		call = part[2]
	}
	return n, call, call == plan || call == publish || call == drop || len(part) == 2
}

// methods are the methods of each call.
var methods = map[string]string{list: "GET, HEAD", "": "GET, HEAD", plan: "GET, HEAD", publish: "POST, DELETE", drop: "POST"}

// Routes returns the calls.
func Routes() (all []api.Route) {
	for call, of := range methods {
		path := prefix + "OWNER"
		if call != list {
			path = strings.TrimSuffix(path+"/NAME/"+call, "/")
		}
		for method := range strings.SplitSeq(of, ", ") {
			if method != http.MethodHead {
				all = append(all, api.Route{Method: method, Path: path})
			}
		}
	}
	return all
}

// serve answers who may push to all repositories of the owner, and changes trains for who may manage them: a train has packages of any
// of them.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, by api.Principal) error {
	n, call, ok := cut(r.URL.Path)
	if !ok {
		return api.NotFound("there is nothing here: use " + prefix + "OWNER[/NAME[/plan|/publish|/drop]]")
	}
	if err := authorize(by, n.Owner, call); err != nil {
		return err
	}
	if !strings.Contains(methods[call], r.Method) {
		w.Header().Set("Allow", methods[call])
		return &api.Error{Status: http.StatusMethodNotAllowed, Message: "use " + methods[call] + " for this path"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &api.Error{Status: http.StatusBadRequest, Message: "the form cannot be read: send few fields, as application/x-www-form-urlencoded"}
	}
	actor := by.Actor()
	if actor.Why = r.Form.Get("why"); len(actor.Why) > maxWhy || catalog.CheckDescription(actor.Why) != nil {
		return api.Invalid("why", "use one line of printable text, of at most 300 characters")
	}
	status, v, err := h.answer(catalog.WithActor(r.Context(), actor), r, n, call)
	var answer *api.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, catalog.ErrNotFound):
		return api.NotFound("there is no release train " + n.String() + ": an upload with Repomill-Train: " + n.Name + " opens it")
	case err != nil:
		return api.Unavailable(err)
	}
	api.WriteJSON(w, status, v)
	return nil
}

func authorize(by api.Principal, owner, call string) error {
	all := catalog.Repository{Owner: owner}
	manages := by.May(api.Manage, all)
	if manages || call != publish && call != drop && by.May(api.Push, all) {
		return nil
	}
	need := string(api.Push)
	if call == publish || call == drop {
		need = string(api.Manage)
	}
	for _, g := range by.Grants {
		if g.Owner == owner || g.Owner == "" {
			return &api.Error{Status: http.StatusForbidden, Message: "a release train has packages of any repository of " + owner + ": this needs a token of all of them with the scope " + need + ", see repomill token create"}
		}
	}
	return api.NotFound("there is no owner " + owner + " here that this token has any right in")
}

func (h *handler) answer(ctx context.Context, r *http.Request, n catalog.TrainName, call string) (status int, v any, err error) {
	status = http.StatusOK
	switch {
	case call == list:
		all, err := h.source.Trains(ctx, n.Owner)
		return status, append([]catalog.Train{}, all...), err
	case call == plan:
		v, err = h.source.Plan(ctx, n)
		return status, v, err
	case call == drop:
		return h.drop(ctx, r.PostForm, n)
	case call == publish && r.Method == http.MethodPost:
		at, err := timeOf(r.PostForm.Get("at"))
		if err != nil {
			return 0, nil, err
		}
		seen, err := h.source.Publish(ctx, n, at, r.PostForm.Get("digest"), maxWait)
		if err != nil {
			return 0, nil, err
		}
		if !seen {
			status = http.StatusAccepted
		}
	case call == publish:
		if err := h.source.Cancel(ctx, n); err != nil {
			return 0, nil, err
		}
	}
	v, err = h.source.Train(ctx, n)
	return status, v, err
}

// timeOf reads the time of a publish, the zero time for none.
func timeOf(text string) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, api.Invalid("at", "use a time such as 2026-12-01T09:00:00Z")
	}
	return at.UTC(), nil
}

func (h *handler) drop(ctx context.Context, form url.Values, n catalog.TrainName) (status int, v any, err error) {
	d := Drop{Rejected: form.Get("rejected") == "yes"}
	if text := form.Get("rejected"); text != "" && !d.Rejected {
		return 0, nil, api.Invalid("rejected", "its one value is yes")
	}
	for _, text := range form["package"] {
		p, err := catalog.ParsePattern(text)
		if err != nil {
			return 0, nil, api.Invalid("package", err.Error())
		}
		d.Packages = append(d.Packages, p)
	}
	dropped, removed, err := h.source.Drop(ctx, n, d, maxWait)
	if err != nil {
		return 0, nil, err
	}
	status = http.StatusOK
	if !removed {
		status = http.StatusAccepted
	}
	return status, Dropped{append([]catalog.TrainUpload{}, dropped...), removed}, nil
}
