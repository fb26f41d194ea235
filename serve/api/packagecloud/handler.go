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

// route calls what answers a path. Paths of one repository have owner and name behind "repos".
func (h *handler) route(c call, path []string) {
	switch {
	case len(path) == 1 && path[0] == "distributions":
		c.only(http.MethodGet, h.distributions)
	case len(path) == 1 && path[0] == "gem_version":
		c.only(http.MethodGet, h.gemVersion)
	case len(path) == 1 && path[0] == "token":
		c.only(http.MethodGet, h.token)
	case len(path) == 1 && path[0] == "repos" && c.Method == http.MethodPost:
		h.createRepository(c)
	case len(path) == 1 && path[0] == "repos":
		c.only(http.MethodGet, h.repositories)
	case len(path) >= 3 && path[0] == "repos":
		h.inRepository(c, catalog.Repository{Owner: path[1], Name: path[2]}, path[3:])
	default:
		c.notFound()
	}
}

// packagePaths begin the paths that show packages.
var packagePaths = []string{"packages", "search", "package", "stats", "phases"}

// inRepository answers a call about one repository.
func (h *handler) inRepository(c call, r catalog.Repository, path []string) {
	var err error
	c.repo = r
	c.set, err = h.Catalog.Settings(c.Context(), r)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		c.notFound()
		return
	case err != nil:
		h.fault(c, err)
		return
	case c.set.Visibility != catalog.Public && !c.by.Known(r):
		c.notFound() // as one that does not exist
		return
	}
	first := ""
	if len(path) > 0 {
		first = path[0]
	}
	if c.private() && slices.Contains(packagePaths, first) && !c.by.Looks(r) {
		c.forbidden(api.Read)
		return
	}
	switch {
	case len(path) == 0:
		c.only(http.MethodGet, h.repository)
	case first == "master_tokens":
		h.masterTokens(c, path[1:])
	case first == "gpg_keys":
		h.gpgKeys(c, path[1:])
	case len(path) == 4 && path[3] == "promote" && c.Method == http.MethodPost:
		h.promote(c, catalog.Distribution{OS: path[0], Version: path[1]}, path[2])
	case len(path) == 4 && path[3] == "phase" && c.Method == http.MethodPost:
		h.phase(c, catalog.Distribution{OS: path[0], Version: path[1]}, path[2])
	case first == "phases" && len(path) == 1:
		c.only(http.MethodGet, h.phases)
	case first == "promotions" && len(path) == 2:
		c.only(http.MethodGet, func(c call) { h.showPromotion(c, path[1]) })
	case first == "packages" && len(path) == 1 && c.Method == http.MethodGet:
		h.allPackages(c)
	case first == "packages" && len(path) == 1:
		c.only(http.MethodPost, h.push)
	case first == "packages" && len(path) == 2 && path[1] == "contents" && c.Method == http.MethodPost:
		c.invalid("package_file", noSources)
	case first == "packages" && len(path) >= 2 && len(path) <= 5:
		c.only(http.MethodGet, func(c call) { h.groups(c, path[1:]) })
	case first == "search" && len(path) == 1:
		c.only(http.MethodGet, h.search)
	case first == "package" && len(path) >= 6:
		c.only(http.MethodGet, func(c call) { h.onePackage(c, path[1:]) })
	case first == "stats" && len(path) >= 2:
		c.only(http.MethodGet, func(c call) { h.repositoryStatistics(c, path[1:]) })
	case len(path) == 3 && c.Method == http.MethodDelete:
		h.destroy(c, catalog.Distribution{OS: path[0], Version: path[1]}, path[2])
	default:
		c.notFound()
	}
}

// only calls f if the request has a method.
func (c call) only(method string, f func(call)) {
	if c.Method == method {
		f(c)
		return
	}
	allow := method
	if method == http.MethodGet {
		allow += ", " + http.MethodHead
	}
	c.w.Header().Set("Allow", allow)
	c.fail(http.StatusMethodNotAllowed, "use "+method+" for this path")
}
