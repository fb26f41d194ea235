// Package serve answers clients: the resolver redirects public paths to signed URLs, and the edge
// stands in for CloudFront where there is none.
//
// Keys are a function of the request path, so no answer needs a lookup, and where a client is sent
// follows from configuration alone. Who may read a repository is in its settings, an object of the
// bucket: a repository whose settings cannot be read is not there.
package serve

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Signer makes the URLs that clients are sent to. It is called concurrently. URLs are absolute and
// percent-encoded.
type Signer interface {
	// Sign returns a URL that opens one object, for some minutes from now.
	Sign(objectKey string, now time.Time) (location string, err error)

	// SignBelow returns a URL of an object whose signature opens all that is below prefix, for an hour
	// or so from now.
	SignBelow(prefix, objectKey string, now time.Time) (location string, err error)
}

// A Bucket is where settings are read and, for clients that cannot be redirected, index files. It is
// called concurrently. For an absent key the error is fs.ErrNotExist.
type Bucket interface {
	// Get returns the bytes of an object and what is known of them. The caller closes the body.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)

	// Stat is Get without the bytes.
	Stat(ctx context.Context, key string) (layout.Meta, error)
}

// A ResolverConfig is what a resolver needs.
type ResolverConfig struct {
	Signer   Signer
	Settings *SettingsCache
	Through  Bucket       // where everything but packages is read and answered from; nil to redirect all
	Ready    func() error // says why /readyz should not be good; nil for always good
	Observe  func(Answer) // called after each answer, concurrently; may be nil
	Log      *slog.Logger
	Now      func() time.Time
}

// NewResolver returns the handler of public paths. A GET or HEAD of a path that an object of a
// repository may have is answered with 302 to the object's signed URL, whether the object exists or
// not: that is for the CDN to say. A private repository wants a token first. "/", "/healthz",
// "/livez" and "/readyz" answer for themselves.
//
// The path and the token alone decide. Query, Host and X-Forwarded-* are ignored; in redirects so are
// Range and conditional headers, which clients repeat to the target. Mount the handler without an
// http.ServeMux before it, which would redirect unclean paths by itself.
func NewResolver(cfg ResolverConfig) http.Handler { return &resolver{ResolverConfig: cfg} }

type resolver struct {
	ResolverConfig
	faults faultLog
}

const index = `This is a repomill package repository server.

The configuration of a repository for clients is at
  /<owner>/<name>/<os>/<codename>.sources   for apt
  /<owner>/<name>/<os>/<version>.repo       for dnf, yum and zypper
and its public keys are at
  /<owner>/<name>/gpgkey, or, without a token, at
  /gpg.key                                  for metadata
  /gpgkey/<key id>                          for packages
`

func (s *resolver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.Now()
	hangUp(w, r)
	a := s.answer(w, r, began)
	if s.Observe != nil {
		a.Took = s.Now().Sub(began)
		s.Observe(a)
	}
}

func (s *resolver) answer(w http.ResponseWriter, r *http.Request, now time.Time) Answer {
	if !readOnly(r) {
		return Answer{Status: methodNotAllowed(w)}
	}
	switch escaped := asSent(r.URL); escaped {
	case "/":
		return Answer{Status: text(w, http.StatusOK, "public, max-age=300", index)}
	case "/healthz", "/livez":
		return Answer{Status: text(w, http.StatusOK, "no-store", "ok\n")}
	case "/readyz":
		if s.Ready != nil && s.Ready() != nil {
			return Answer{Status: text(w, http.StatusServiceUnavailable, "no-store", "not ready\n")}
		}
		return Answer{Status: text(w, http.StatusOK, "no-store", "ok\n")}
	default:
		return s.file(w, r, escaped, now)
	}
}

// file answers for a path of a repository, once it is known that the client may read it.
func (s *resolver) file(w http.ResponseWriter, r *http.Request, escaped string, now time.Time) Answer {
	path, token := cutToken(escaped)
	ref, ok := parse(path)
	if !ok {
		return Answer{Status: notFound(w)}
	}
	if ref.Repository == (catalog.Repository{}) {
		return s.object(w, r, ref, Answer{}, now)
	}
	access, err := s.Settings.Access(r.Context(), ref.Repository)
	a := Answer{Visibility: access.Visibility}
	known := err == nil && (access.Visibility == catalog.Public || access.Visibility == catalog.Private)
	switch {
	case !known && ref.IsKey():
		a.Status = unauthenticated(w) // as for a private repository: who asks for keys does not learn what there is
	case errors.Is(err, fs.ErrNotExist):
		a.Status = notFound(w)
	case err != nil:
		a.Status = notFoundNow(w)
	case !known:
		a.Status = notFound(w)
	case access.Visibility == catalog.Private && !access.Opens(secrets(r, token), now):
		a.Status = unauthenticated(w)
	default:
		return s.object(w, r, ref, a, now)
	}
	return a
}

// object answers with an object, or where it is, for a client that may read it. Keys outside of every
// repository are everybody's.
func (s *resolver) object(w http.ResponseWriter, r *http.Request, ref layout.Ref, a Answer, now time.Time) Answer {
	visibility := cmp.Or(a.Visibility, catalog.Public)
	if s.Through != nil && !isPackage(ref.Key) {
		a.Through = true
		a.Status = s.through(w, r, ref.Key, visibility)
		return a
	}
	a.Status = s.redirect(w, ref, visibility, now)
	return a
}

func (s *resolver) redirect(w http.ResponseWriter, ref layout.Ref, v catalog.Visibility, now time.Time) int {
	var location string
	var err error
	if v == catalog.Public && ref.Repository != (catalog.Repository{}) {
		location, err = s.Signer.SignBelow(ref.Repository.String(), ref.Key, now)
	} else {
		location, err = s.Signer.Sign(ref.Key, now)
	}
	if err != nil {
		s.faults.log(s.Log, now, "cannot sign", "key", ref.Key, "error", err)
		return internalError(w)
	}
	h := w.Header()
	h["Location"] = []string{location}
	h["Cache-Control"] = redirectCache
	h["Referrer-Policy"] = redirectReferrer
	h["Content-Length"] = redirectLength
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}

// The headers that all redirects share. Nobody writes to them.
var (
	redirectCache    = []string{"private, no-store"}
	redirectReferrer = []string{"no-referrer"}
	redirectLength   = []string{"0"}
)

// asSent returns the path of a URL in the client's own spelling. URL.EscapedPath spells a path anew if one
// byte of it should have been encoded, such as a '^', and its "%2F" would then be a slash like any other.
func asSent(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
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
	return strings.Contains(escaped, "%") && (strings.Contains(escaped, "%2F") || strings.Contains(escaped, "%2f"))
}

// isPackage reports whether an object is a package, which is never served through.
func isPackage(key string) bool {
	return strings.HasSuffix(key, ".deb") || strings.HasSuffix(key, ".rpm")
}
