// Package upload receives packages over HTTP into staging, and answers what became of them.
//
//	PUT /api/v1/upload/{owner}/{name}/{os}/{version}/[{component}/]{file}[?wait=30s]
//	GET /api/v1/uploads/{ID}[?wait=30s]
//	POST /api/v1/upload/{owner}/{name}/{os}/{version}/[{component}/]{file}?session
//
// A body goes to staging as it arrives, and is there when all of it is: nothing of one that breaks off. There it is
// like every other upload, so what became of it is the worker's verdict. The ID of an upload names its staged object;
// there is no table of them, so that any process answers for any upload, and a restart forgets none.
//
// In reading order: upload.go, request.go (the place and the headers), digest.go, id.go, receive.go (the steps of an
// upload), session.go (a file that passes the API by), body.go (what is checked as it arrives), room.go, same.go (the same upload
// again), intake.go and incoming.go (uploads in calls of other doors), verdict.go, hub.go (who waits), limits.go.
package upload

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// A Staging is where uploads go. Its methods are called concurrently.
type Staging interface {
	// Create stores body under a name that must be free. It becomes visible only after body has ended with io.EOF. If
	// the name is taken, the error is fs.ErrExist.
	Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error)

	// Move gives exactly this generation another name that must be free, in place of its own; else fs.ErrExist.
	Move(ctx context.Context, u catalog.Upload, object string) (catalog.Upload, error)

	// Delete removes exactly this generation. If it is already gone, that is success.
	Delete(ctx context.Context, u catalog.Upload) error

	// SweepIncoming removes what lies under [layout.Incoming] for longer than [layout.IncomingTime].
	SweepIncoming(ctx context.Context, now time.Time) error

	// Stat returns the current generation of a staged object, or fs.ErrNotExist.
	Stat(ctx context.Context, object string) (catalog.Upload, error)

	// Open returns the bytes of exactly this generation.
	Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error)

	// Verdict returns the verdict object of a staging key, or fs.ErrNotExist.
	Verdict(ctx context.Context, object string) ([]byte, layout.Version, error)
}

// A Catalog says what became of uploads.
type Catalog interface {
	// Verdicts returns the verdicts on uploads as they are now; one that the catalog does not know has none.
	Verdicts(ctx context.Context, uploads []catalog.Upload) (map[catalog.Upload]catalog.Verdict, error)
}

// A Config configures the handler.
type Config struct {
	Staging   Staging
	Catalog   Catalog
	Gate      *api.Gate // which every call passes, and whose limits uploads keep
	Table     *layout.Table
	PublicURL string                // under which clients reach the server, without a slash at its end
	Room      func() (int64, error) // how many bytes staging has room for; nil if that is not known
	Limits    Limits
	Observe   func(Answer)                            // called after each answer, concurrently; may be nil
	Accepted  func(u catalog.Upload, began time.Time) // called when an upload is in staging, concurrently; may be nil
	Log       *slog.Logger
	Now       func() time.Time
}

// An Answer is what a call was answered, for metrics.
type Answer struct {
	Call   string // "upload", "session" or "verdict"
	Status int
	Bytes  int64 // that were received
	Took   time.Duration
}

// The paths of the calls.
const (
	ReceivePath = "/api/v1/upload/"
	VerdictPath = "/api/v1/uploads/"
)

// IsPath reports whether the handler answers a path.
func IsPath(path string) bool {
	return strings.HasPrefix(path, ReceivePath) || strings.HasPrefix(path, VerdictPath)
}

// A Handler answers the calls.
type Handler struct {
	Config
	hub      *hub
	sessions Sessions     // nil if staging has none
	begins   *api.Limits  // of sessions
	swept    atomic.Int64 // when, in seconds
	stopped  context.Context
	stop     context.CancelFunc
}

// New returns the handler of the two paths; what lies outside of them is answered with 404.
func New(c Config) *Handler {
	c.Limits = c.Limits.orDefaults()
	h := &Handler{Config: c, hub: newHub(c.Catalog)}
	h.sessions, _ = c.Staging.(Sessions)
	h.begins = api.NewLimits(api.LimitConfig{RequestsPerSecond: c.Limits.Sessions, Burst: c.Limits.SessionBurst}, c.Now)
	h.stopped, h.stop = context.WithCancel(context.Background())
	return h
}

// Stop ends all waits, so that a server which is shut down has answers for who waits. Uploads that have begun go on.
func (h *Handler) Stop() { h.stop() }

// A way is a call: how its answers are counted, where it is, and by which method. A session is a call of its own at the path of uploads.
type way struct {
	call, prefix, path, method string
	session                    bool
	of                         func(h *Handler, body *received) api.Handler
}

var ways = []way{
	{"session", ReceivePath, "OWNER/NAME/OS/VERSION/FILE?session", http.MethodPost, true, func(h *Handler, _ *received) api.Handler { return h.session }},
	{"upload", ReceivePath, "OWNER/NAME/OS/VERSION/FILE", http.MethodPut, false, func(h *Handler, body *received) api.Handler {
		return func(w http.ResponseWriter, r *http.Request, p api.Principal) error { return h.receive(w, r, p, body) }
	}},
	{"verdict", VerdictPath, "ID", http.MethodGet, false, func(h *Handler, _ *received) api.Handler { return h.verdict }},
}

// Routes returns the calls.
func Routes() (all []api.Route) {
	for _, x := range ways {
		all = append(all, api.Route{Method: x.method, Path: x.prefix + x.path})
	}
	return all
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, a := h.Now(), &answering{ResponseWriter: w}
	call, body := "verdict", &received{began: start}
	i := slices.IndexFunc(ways, func(x way) bool {
		return strings.HasPrefix(r.URL.Path, x.prefix) && (!x.session || r.Method == x.method && r.URL.Query().Has("session"))
	})
	if i < 0 {
		api.WriteError(a, nothingHere)
	} else {
		call = ways[i].call
		h.handle(a, r, ways[i].of(h, body), api.Allowed([]string{ways[i].method}))
	}
	if h.Observe != nil {
		h.Observe(Answer{Call: call, Status: a.status, Bytes: body.n, Took: h.Now().Sub(start)})
	}
}

var nothingHere = api.NotFound("there is nothing here: an upload is PUT " + ReceivePath + "OWNER/NAME/OS/VERSION/[COMPONENT/]FILE")

// handle lets a call with one of some methods through the gate.
func (h *Handler) handle(w http.ResponseWriter, r *http.Request, call api.Handler, methods string) {
	if slices.Contains(strings.Split(methods, ", "), r.Method) {
		h.Gate.Handle(call).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Allow", methods)
	api.WriteError(w, &api.Error{Status: http.StatusMethodNotAllowed, Message: "use " + strings.ReplaceAll(methods, ", ", " or ") + " here; an upload is curl -T FILE URL"})
}

// An answering remembers the status of an answer.
type answering struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (a *answering) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }
