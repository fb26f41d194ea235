package serve

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"repomill/schemas/layout"
)

// A Verifier decides whether a signed URL is valid. It is called concurrently.
type Verifier interface {
	// Verify returns the object key of a signed URL, given as in the request line. The error of a refusal
	// gives the reason and is safe to log: it contains no signature.
	Verify(requestURI string, now time.Time) (objectKey string, err error)
}

// An Objects holds the objects that the edge serves. It is called concurrently.
type Objects interface {
	// Open returns the bytes and the metadata of an object. The caller closes the body. For an absent
	// key the error is fs.ErrNotExist.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, layout.Meta, error)
}

// An EdgeConfig configures an edge. Every field is required.
type EdgeConfig struct {
	Verifier Verifier
	Objects  Objects
	Log      *slog.Logger
	Now      func() time.Time
}

// NewEdge returns a handler that serves objects by signed URLs as CloudFront does: 403 for a URL that
// the verifier refuses, and the object for others, with Range and conditional requests. Host and
// X-Forwarded-* are ignored.
func NewEdge(cfg EdgeConfig) http.Handler { return &edge{cfg} }

type edge struct{ EdgeConfig }

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	closeConnection(w, r)
	if !readOnly(r) {
		methodNotAllowed(w)
		return
	}
	key, err := e.Verifier.Verify(r.RequestURI, e.Now())
	if err != nil {
		// The query is not logged: its signature may be valid at another time.
		e.Log.Info("refused", "path", forLog(r.URL.EscapedPath()), "reason", err)
		text(w, http.StatusForbidden, "no-store", "forbidden\n")
		return
	}
	if layout.Hidden(key) {
		e.Log.Warn("hidden object requested with a valid signature", "path", forLog(r.URL.EscapedPath()))
		notFound(w)
		return
	}
	if layout.IsPage(key) { // the resolver has them, with the headers that a browser needs
		notFound(w)
		return
	}
	e.serve(w, r, key)
}

func (e *edge) serve(w http.ResponseWriter, r *http.Request, key string) {
	body, meta, err := e.Objects.Open(r.Context(), key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		notFound(w)
		return
	case err != nil:
		e.Log.Error("cannot open object", "path", forLog(r.URL.EscapedPath()), "error", err)
		internalError(w)
		return
	}
	defer body.Close()
	describe(w.Header(), key, meta)
	http.ServeContent(w, r, "", meta.Modified, body)
}
