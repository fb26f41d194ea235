// Package serve answers clients: the resolver redirects public paths to signed URLs, and the edge
// stands in for CloudFront where there is none.
//
// Keys are a function of the request path, so no answer needs a lookup, and where a client is sent
// follows from configuration alone.
package serve

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Signer makes the URLs that clients are sent to. It is called concurrently.
type Signer interface {
	// Sign returns an absolute, percent-encoded URL of an object, good from now for an hour or so.
	Sign(objectKey string, now time.Time) (location string, err error)
}

// A Settings knows what repositories were declared with. It is called concurrently, for each request.
type Settings interface {
	// Settings returns the settings of a repository. For one that was never declared the error
	// is fs.ErrNotExist; with any error the repository is not served.
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)
}

// A ResolverConfig is what a resolver needs, all of it.
type ResolverConfig struct {
	Signer   Signer
	Settings Settings
	Log      *slog.Logger
	Now      func() time.Time
}

// NewResolver returns the handler of public paths. A GET or HEAD of a path that an object of a
// public repository may have is answered with 302 to the object's signed URL, whether the object
// exists or not: that is for the CDN to say. "/" and "/healthz" answer for themselves.
//
// The path alone decides. Query, Host and X-Forwarded-* are ignored; so are Range and conditional
// headers, which clients repeat to the target. Mount the handler without an http.ServeMux before
// it, which would redirect unclean paths by itself.
func NewResolver(cfg ResolverConfig) http.Handler { return &resolver{cfg} }

type resolver struct{ ResolverConfig }

const index = `This is a repomill package repository server.

The configuration of a repository for clients is at
  /<owner>/<name>/<os>/<codename>.sources   for apt
  /<owner>/<name>/<os>/<version>.repo       for dnf, yum and zypper
and its public keys are at
  /<owner>/<name>/gpgkey
`

func (s *resolver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readOnly(r) {
		methodNotAllowed(w)
		return
	}
	switch escaped := r.URL.EscapedPath(); escaped {
	case "/":
		text(w, http.StatusOK, "public, max-age=300", index)
	case "/healthz":
		text(w, http.StatusOK, "no-store", "ok\n")
	default:
		s.redirect(w, r, escaped)
	}
}

func (s *resolver) redirect(w http.ResponseWriter, r *http.Request, escaped string) {
	ref, ok := parse(escaped)
	if !ok || !s.public(r.Context(), ref.Repository) {
		notFound(w)
		return
	}
	location, err := s.Signer.Sign(ref.Key, s.Now())
	if err != nil {
		s.Log.Error("cannot sign", "path", forLog(escaped), "error", err)
		text(w, http.StatusInternalServerError, "no-store", "internal error\n")
		return
	}
	h := w.Header()
	h["Location"] = []string{location}
	h["Cache-Control"] = []string{"private, no-store"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusFound)
}

// parse decodes a path once and finds the object that it names.
func parse(escaped string) (layout.Ref, bool) {
	path, ok := strings.CutPrefix(escaped, "/")
	if !ok || encodedSlash(path) {
		return layout.Ref{}, false
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return layout.Ref{}, false
	}
	ref, ok := layout.Parse(path)
	return ref, ok && !layout.Hidden(ref.Key)
}

// encodedSlash reports whether a percent-encoded '/' would, decoded, change the segments of a path.
func encodedSlash(escaped string) bool {
	return strings.Contains(escaped, "%2F") || strings.Contains(escaped, "%2f")
}

// public reports whether anybody may read a repository. In doubt, nobody may.
func (s *resolver) public(ctx context.Context, r catalog.Repository) bool {
	settings, err := s.Settings.Settings(ctx, r)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			s.Log.Error("cannot read settings", "repository", r.String(), "error", err)
		}
		return false
	}
	return settings.Visibility == catalog.Public
}
