package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// A Door answers calls about one repository. It is a handler of the paths that it [Door.Answers].
type Door struct {
	Gate  *Gate
	Calls []Call
}

// A Call is a call of a [Door]: it answers a method of a path below /api/v1/repos/OWNER/NAME/, which may end with ".json". GET answers HEAD,
// too. Other fields of a form than those that it takes are refused: one that is misspelled must not be left out of what the call does.
type Call struct {
	Method string
	Path   string   // as in [Route]
	Right  Right    // [Read] for those who may see which packages there are, or [Manage]
	Once   []string // fields of its form, with distribution, component and why for what [Asked] has of them
	Many   []string // fields that may be repeated
	Large  bool     // its form may have many patterns

	// Do returns the answer, with its status. The error may be an [*Error], or wrap [catalog.ErrNotFound] if the target does not exist.
	Do func(ctx context.Context, a Asked) (status int, v any, err error)

	// Serve answers in place of Do, without a form.
	Serve func(w http.ResponseWriter, r *http.Request, a Asked) error
}

// An Asked is what a call is about.
type Asked struct {
	Target catalog.PackageTarget
	Names  []string // the parts of the path that are for names
	Form   url.Values
	By     Principal
}

const repositories = "/api/v1/repos/"

// Forms have at most so many bytes.
const (
	maxFields    = 64 << 10
	maxLargeForm = 256 << 10
)

// cutRepository returns the repository of a path /api/v1/repos/OWNER/NAME/CALL, and the parts of the call.
func cutRepository(path string) (r catalog.Repository, call []string, ok bool) {
	rest, ok := strings.CutPrefix(path, repositories)
	part := strings.Split(strings.TrimSuffix(strings.TrimSuffix(rest, "/"), ".json"), "/")
	if !ok || len(part) < 3 || slices.Contains(part, "") {
		return r, nil, false
	}
	return catalog.Repository{Owner: part[0], Name: part[1]}, part[2:], true
}

// Answers reports whether the door has a call at a path.
func (d *Door) Answers(path string) bool {
	_, call, ok := cutRepository(path)
	return ok && slices.ContainsFunc(d.Calls, func(c Call) bool { _, is := Match(c.Path, call); return is })
}

// Routes returns the calls.
func (d *Door) Routes() (all []Route) {
	for _, c := range d.Calls {
		all = append(all, Route{c.Method, repositories + "OWNER/NAME/" + c.Path})
	}
	return all
}

// ServeHTTP implements [http.Handler].
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.Gate.Handle(d.serve).ServeHTTP(w, r)
}

func (d *Door) serve(w http.ResponseWriter, r *http.Request, by Principal) error {
	repo, path, _ := cutRepository(r.URL.Path)
	a, methods := Asked{Target: catalog.PackageTarget{Repository: repo}, By: by}, []string{}
	for _, c := range d.Calls {
		names, is := Match(c.Path, path)
		if !is {
			continue
		}
		if c.Method == r.Method || c.Method == http.MethodGet && r.Method == http.MethodHead {
			a.Names = names
			return c.serve(w, r, a)
		}
		methods = append(methods, c.Method)
	}
	return NotAllowed(w, Allowed(methods))
}

// serve answers a caller who has the right.
func (c Call) serve(w http.ResponseWriter, r *http.Request, a Asked) error {
	repo := a.Target.Repository
	if err := AuthorizeCall(a.By, c.Right, repo); err != nil {
		return err
	}
	if c.Serve != nil {
		return c.Serve(w, r, a)
	}
	ctx, err := c.read(w, r, &a)
	if err != nil {
		return err
	}
	status, v, err := c.Do(ctx, a)
	var answer *Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, catalog.ErrNotFound) && a.Target.Whole():
		return NoRepository(repo)
	case errors.Is(err, catalog.ErrNotFound):
		return NotFound("there is no " + a.Target.Kind() + " " + a.Target.String())
	case err != nil:
		return Unavailable(err)
	}
	WriteJSON(w, status, v)
	return nil
}

// AuthorizeCall returns nil if a principal has a right in a repository, which for [Read] all have who may see its packages.
func AuthorizeCall(by Principal, right Right, r catalog.Repository) error {
	if right == Read && by.Looks(r) {
		return nil
	}
	return Authorize(by, right, r)
}

// read reads the form of a call. The context that it returns has the caller and the reason.
func (c Call) read(w http.ResponseWriter, r *http.Request, a *Asked) (ctx context.Context, err error) {
	limit := int64(maxFields)
	if c.Large {
		limit = maxLargeForm
	}
	if a.Form, err = fields(w, r, limit, c.Once, c.Many...); err != nil {
		return nil, err
	}
	if a.Target, err = FieldTarget(a.Target.Repository, a.Form); err != nil {
		return nil, err
	}
	actor, err := FieldActor(a.By, a.Form)
	return catalog.WithActor(r.Context(), actor), err
}

// Soon is the status of an answer: 200 if clients see what was done, else 202.
func Soon(published bool) int {
	if published {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// Yes returns whether a field of a form is yes, its one value.
func Yes(form url.Values, name string) (bool, error) {
	if text := form.Get(name); text != "" && text != "yes" {
		return false, Invalid(name, "its one value is yes")
	}
	return form.Get(name) == "yes", nil
}
