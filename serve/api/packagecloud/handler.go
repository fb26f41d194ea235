// Package packagecloud answers the calls of packagecloud's API, version 1, as its clients send them: package_cloud,
// packagecloud-ruby, pkgcloud, the Concourse resource and curl. serve/CONTRACT.md lists the calls; the bodies are those of
// packagecloud's documentation, and of what its clients parse.
package packagecloud

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
	"repomill/serve/api/upload"
)

// A Catalog is what the calls read. It is called concurrently. For what does not exist, errors wrap [catalog.ErrNotFound].
type Catalog interface {
	// Repositories returns the settings of all repositories.
	Repositories(ctx context.Context) ([]catalog.Settings, error)

	// Settings returns the settings of a repository.
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)

	// Activity returns what has happened in a repository.
	Activity(ctx context.Context, r catalog.Repository) (catalog.Activity, error)

	// Activities returns that of every repository.
	Activities(ctx context.Context) (map[catalog.Repository]catalog.Activity, error)

	// ListPackages and GroupPackages return a page of what a query selects, and how many there are in all.
	ListPackages(ctx context.Context, q catalog.PackageQuery) (catalog.PackagePage, error)
	GroupPackages(ctx context.Context, q catalog.PackageQuery) (page []catalog.PackageGroup, total int, err error)

	// Downloads returns sums of counted downloads, and Requests of requests of another kind.
	Downloads(ctx context.Context, q catalog.StatisticsQuery) ([]catalog.StatisticsRow, error)
	Requests(ctx context.Context, q catalog.StatisticsQuery, kind catalog.RequestKind) ([]catalog.StatisticsRow, error)

	// PackageFile returns the package of a distribution whose file has a name, with the stanza or primary entry.
	PackageFile(ctx context.Context, r catalog.Repository, d catalog.Distribution, file string) (catalog.Package, error)
}

// Changes withdraws packages.
type Changes interface {
	// Yank withdraws a package from all components of its distribution and waits until clients see that, for at most wait.
	// It returns whether they do. An error means that the package was not withdrawn.
	Yank(ctx context.Context, k catalog.Package, by api.Principal, why string, wait time.Duration) (seen bool, err error)
}

// A Config configures the handler.
type Config struct {
	Catalog    Catalog
	Changes    Changes
	Promotions Promotions
	Phases     Phases
	Uploads    *upload.Handler // which receives packages
	Gate       *api.Gate
	Table      *layout.Table
	PublicURL  string // of the resolver, without a slash at the end
	Log        *slog.Logger
	Now        func() time.Time

	Administration Administration
	Tokens         Tokens
	Keys           Keys
}

// New returns the handler of all paths below /api/v1/ that are packagecloud's, and of those of [IsTokenPath].
func New(cfg Config) http.Handler { return &handler{Config: cfg, numbers: newNumbers(cfg.Table)} }

type handler struct {
	Config
	numbers numbers
}

// A call is one request, after it was found who makes it. A HEAD is a GET here.
type call struct {
	*http.Request
	w    http.ResponseWriter
	by   api.Principal
	repo catalog.Repository // of a call about one repository, which the caller may see
	set  catalog.Settings   // of that repository
}

const prefix = "/api/v1/"

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	c := call{Request: r, w: w}
	path, ok := segments(r.URL)
	forInstall, install := tokenPath(r.URL.Path)
	if !ok && !install {
		c.notFound()
		return
	}
	var err error
	if c.by, err = h.Gate.Principal(r); err != nil {
		h.refuse(c, err)
		return
	}
	c.Request = r.WithContext(catalog.WithActor(r.Context(), c.by.Actor()))
	if c.Method == http.MethodHead {
		c.Method = http.MethodGet // of the copy: the server goes by its own, and leaves the body out
	}
	if install {
		h.installToken(c, forInstall)
		return
	}
	h.route(c, path)
}

// refuse answers a call that does not pass the gate. Clients compare the word of 401.
func (h *handler) refuse(c call, err error) {
	var e *api.Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized {
		e = api.Unauthenticated("Unauthenticated")
		err = e
	}
	api.WriteError(c.w, err)
}

// segments returns the parts of a path below /api/v1/, unescaped, without the ending .json of the last one.
func segments(u *url.URL) (parts []string, ok bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), prefix)
	if !ok {
		return nil, false
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSuffix(rest, "/"), ".json"), "/") {
		s, err := url.PathUnescape(part)
		if err != nil || s == "" || strings.ContainsAny(s, "/\x00") {
			return nil, false
		}
		parts = append(parts, s)
	}
	return parts, true
}

// packagePaths begin the paths that show packages.
var packagePaths = []string{"packages", "search", "package", "stats", "phases"}

// route answers a path. Paths of one repository have owner and name behind "repos".
func (h *handler) route(c call, path []string) {
	if len(path) >= 3 && path[0] == "repos" && !h.inRepository(&c, catalog.Repository{Owner: path[1], Name: path[2]}, path[3:]) {
		return
	}
	var methods []string
	for _, r := range routes {
		names, is := api.Match(r.path, path)
		if !is {
			continue
		}
		if r.method == c.Method {
			r.do(h, c, names)
			return
		}
		if !r.quiet {
			methods = append(methods, r.method)
		}
	}
	if len(methods) == 0 {
		c.notFound()
		return
	}
	c.notAllowed(methods)
}

// notAllowed answers a call of a path that has other methods.
func (c call) notAllowed(methods []string) {
	api.WriteError(c.w, api.NotAllowed(c.w, api.Allowed(methods)))
}

// inRepository adds the repository to a call about one, or answers a caller who may not see it.
func (h *handler) inRepository(c *call, r catalog.Repository, path []string) bool {
	var err error
	c.repo = r
	c.set, err = h.Catalog.Settings(c.Context(), r)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		c.notFound()
	case err != nil:
		h.fault(*c, err)
	case c.set.Visibility != catalog.Public && !c.by.Known(r):
		c.notFound() // as one that does not exist
	case c.private() && len(path) > 0 && slices.Contains(packagePaths, path[0]) && !c.by.Looks(r):
		c.forbidden(api.Read)
	case len(path) > 0 && path[0] == "master_tokens" && !c.by.MayMakeTokens(r):
		c.forbidden(api.Manage)
	default:
		return true
	}
	return false
}
