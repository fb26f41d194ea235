// Package status answers what the state of a repository is: a page for people who release from it, and its twin for programs. Both are
// made for each request.
package status

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/publish/pages/html"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/api"
)

// A Source reports the state of repositories. It is called concurrently.
type Source interface {
	// Report returns the state of a repository, for a caller who sees it, and others that sees reports. The names of private ones that the
	// caller does not see are left out. For a repository that does not exist the error wraps [catalog.ErrNotFound].
	Report(ctx context.Context, r catalog.Repository, sees func(catalog.Repository) bool) (model.StatusPage, error)
}

// A Config configures the handler.
type Config struct {
	Source    Source
	Gate      *api.Gate
	PublicURL string // of the resolver, without a slash at the end
}

// New returns the handler of the paths of [IsPath].
func New(c Config) http.Handler {
	h := &handler{config: c, pages: html.New(c.PublicURL), assets: map[string]model.Page{}}
	for _, a := range h.pages.Assets() {
		h.assets[apiPrefix+a.Key] = a
	}
	return h
}

type handler struct {
	config Config
	pages  *html.Renderer
	assets map[string]model.Page // by path
}

const (
	apiPrefix    = "/api/v1/"
	repositories = apiPrefix + "repos/"
	assetFolder  = apiPrefix + "assets/"
)

// The forms in which the state is answered.
const (
	page    = "status/"
	twin    = "status.json"
	without = "status" // the page without its slash, from which its links would lead elsewhere
)

// IsPath reports whether the handler answers a path: of the state of a repository, or of what the page loads. The public host has
// that, too, but the API may be on another one.
func IsPath(p string) bool {
	_, _, ok := cut(p)
	return ok || strings.HasPrefix(p, assetFolder)
}

// cut returns the repository of a path, and which form of its state it asks for.
func cut(p string) (r catalog.Repository, form string, ok bool) {
	rest, ok := strings.CutPrefix(p, repositories)
	parts := strings.SplitN(rest, "/", 3)
	if !ok || len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return r, "", false
	}
	form = parts[2]
	return catalog.Repository{Owner: parts[0], Name: parts[1]}, form, form == page || form == twin || form == without
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		api.WriteError(w, &api.Error{Status: http.StatusMethodNotAllowed, Message: "use GET for this path"})
		return
	}
	if strings.HasPrefix(r.URL.Path, assetFolder) {
		h.asset(w, r)
		return
	}
	h.config.Gate.Handle(h.state).ServeHTTP(w, r)
}

// asset answers a file that the program has in it; anyone may have it.
func (h *handler) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := h.assets[r.URL.Path]
	if !ok {
		api.WriteError(w, api.NotFound("there is no such file"))
		return
	}
	o := layout.ObjectOf(a.Key)
	head := w.Header()
	head.Set("Content-Type", o.ContentType)
	head.Set("Cache-Control", o.CacheControl)
	head.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, path.Base(a.Key), time.Time{}, strings.NewReader(string(a.Body)))
}

// state answers a caller who may look into the repository. To all others, one that does not exist and one that they have no right in
// are the same.
func (h *handler) state(w http.ResponseWriter, r *http.Request, by api.Principal) error {
	repo, form, _ := cut(r.URL.Path)
	switch {
	case !by.Known(repo):
		return api.NoRepository(repo)
	case !by.Looks(repo): // tokens on hosts of customers
		return api.Forbidden(api.Read, repo)
	}
	report, err := h.config.Source.Report(r.Context(), repo, by.Looks)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return api.NoRepository(repo)
	case err != nil:
		return api.Unavailable(err)
	}
	if !by.May(api.Push, repo) && !by.May(api.Manage, repo) {
		report.Pushes, report.Rejections = notReserved(report.Pushes), notReserved(report.Rejections)
	}
	switch form {
	case without:
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, page, http.StatusFound)
	case twin:
		api.WriteJSON(w, http.StatusOK, twinOf(report))
		return nil
	default:
		h.write(w, report)
	}
	return nil
}

// notReserved leaves out the uploads that were rejected because a release train holds their name: it may be under embargo, and who may not
// push does not learn of it.
func notReserved(all []model.UploadStatus) []model.UploadStatus {
	return slices.DeleteFunc(all, func(u model.UploadStatus) bool { return u.Reason == catalog.ReservedIdentity })
}

func (h *handler) write(w http.ResponseWriter, report model.StatusPage) {
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "private, no-store")
	serve.SetPageHeaders(head)
	w.Write(h.pages.Status(report)) //nolint:errcheck // the caller may have left
}

// A stateTwin is the state of a repository for programs: its name, and [model.StatusPage].
type stateTwin struct {
	Repository  string `json:"repository"`
	Description string `json:"description,omitempty"`
	Private     bool   `json:"private"`
	model.StatusPage
}

// twinOf returns the twin of the page. What there is none of is an empty list.
func twinOf(s model.StatusPage) stateTwin {
	some(&s.Releases)
	some(&s.Waiting)
	some(&s.Pushes)
	some(&s.Rejections)
	some(&s.Keys)
	some(&s.Changes)
	if s.Downloads != nil {
		d := *s.Downloads
		some(&d.Top)
		s.Downloads = &d
	}
	return stateTwin{s.Name.String(), s.Description, s.Private, s}
}

func some[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
