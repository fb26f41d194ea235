// Package serve answers clients. The resolver redirects public paths to signed URLs; the edge serves
// objects by signed URLs where CloudFront is not used. CONTRACT.md lists every response.
//
// An object key is a function of the request path, so a response needs no lookup of objects; the target of
// a redirect follows from configuration alone. The settings object of a repository says who may read it. A
// repository whose settings cannot be read is answered as absent.
package serve

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Signer signs the URLs that redirects point to. It is called concurrently. The URLs are absolute and
// percent-encoded.
type Signer interface {
	// Sign returns a URL that opens one object, for at least ten minutes from now.
	Sign(objectKey string, now time.Time) (location string, err error)

	// SignBelow returns a URL of an object. Its signature opens every object below prefix, for at least
	// an hour from now.
	SignBelow(prefix, objectKey string, now time.Time) (location string, err error)
}

// A Bucket holds the settings objects and, if index files are served through, those. It is called
// concurrently. For an absent key the error is fs.ErrNotExist.
type Bucket interface {
	// Get returns the bytes and the metadata of an object, from one read. The caller closes the body.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)

	// Stat is Get without the bytes.
	Stat(ctx context.Context, key string) (layout.Meta, error)
}

// A ResolverConfig configures a resolver.
type ResolverConfig struct {
	Signer   Signer
	Settings *SettingsCache
	Through  Bucket       // source of the objects that are served through, which are all but packages; nil to redirect all
	Ready    func() error // returns why /readyz must answer 503; nil for always ready
	Observe  func(Answer) // called after each response, concurrently; may be nil
	Log      *slog.Logger
	Now      func() time.Time
}

// NewResolver returns the handler of public paths, as CONTRACT.md describes. A GET or HEAD of a path that
// an object of a repository can have is answered with 302 to the object's signed URL. The resolver does not
// check that the object exists; the CDN does. Pages, and what sets clients up, are answered with bytes. A private repository requires
// a token. "/healthz", "/livez" and "/readyz" have responses of their own.
//
// The response depends on the path and the token alone. Query, Host and X-Forwarded-* are ignored. Redirects
// ignore Range and conditional headers too: clients repeat them to the target. Mount the handler without an
// http.ServeMux, which redirects unclean paths by itself.
func NewResolver(cfg ResolverConfig) http.Handler {
	return &resolver{ResolverConfig: cfg, pageSlots: make(chan struct{}, maxPageAnswers)}
}

type resolver struct {
	ResolverConfig
	faults    limitedLogger
	snapshots snapshotLists
	pageSlots chan struct{} // one for each page that is being answered
}

const index = `This is a repomill package repository server.

A script sets a system up for a repository:
  curl -fsSL <this>/install/repositories/<owner>/<name>/script.deb.sh | sudo bash   for apt
  curl -fsSL <this>/install/repositories/<owner>/<name>/script.rpm.sh | sudo bash   for dnf, yum and zypper
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
	closeConnection(w, r)
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
	switch escaped := rawPath(r.URL); escaped {
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

// file answers a request for a path of a repository, after it has checked that the client may read it.
func (s *resolver) file(w http.ResponseWriter, r *http.Request, escaped string, now time.Time) Answer {
	path, token := cutToken(escaped)
	ref, spelling, misplaced, ok := parse(path, r.URL)
	if !ok {
		return Answer{Status: notFound(w)}
	}
	if ref.Repository == (catalog.Repository{}) {
		return s.object(w, r, ref, Answer{Spelling: spelling}, now)
	}
	if ref.ToAPI() { // it knows the tokens of those who push, and hides which repositories exist
		return s.page(w, r, ref, Answer{Spelling: spelling})
	}
	access, err := s.Settings.Access(r.Context(), ref.Repository)
	a := Answer{Visibility: access.Visibility, Spelling: spelling}
	known := err == nil && (access.Visibility == catalog.Public || access.Visibility == catalog.Private)
	switch {
	case isFault(err): // the same for every path and every repository, whether it exists or not
		a.Status = undecided(w)
	case !known && (ref.IsKey() || ref.IsInstall()):
		a.Status = unauthenticated(w) // as for a private repository: a request for keys does not reveal which repositories exist
	case !known:
		a.Status = notFound(w)
	case access.Visibility == catalog.Private && !access.Opens(secrets(r, token), now):
		a.Status = unauthenticated(w)
	case misplaced:
		a.Status = elsewhere(w, ref.Key)
	default:
		return s.object(w, r, ref, a, now)
	}
	return a
}

// object answers a client that may read ref with the bytes of the object, or with a redirect to it. Keys
// outside of every repository are public.
func (s *resolver) object(w http.ResponseWriter, r *http.Request, ref layout.Ref, a Answer, now time.Time) Answer {
	if ref.Snapshot != "" {
		return s.snapshot(w, r, ref, a, now)
	}
	return s.there(w, r, ref, a, now)
}

// there is object of a path that names no snapshot, or names one by its identifier.
func (s *resolver) there(w http.ResponseWriter, r *http.Request, ref layout.Ref, a Answer, now time.Time) Answer {
	if ref.IsPage() {
		return s.page(w, r, ref, a)
	}
	return s.stored(w, r, ref, a, now)
}

// stored answers with the bytes of the object or with a redirect to it, whether it exists or not.
func (s *resolver) stored(w http.ResponseWriter, r *http.Request, ref layout.Ref, a Answer, now time.Time) Answer {
	visibility := cmp.Or(a.Visibility, catalog.Public)
	from := s.Through
	if ref.IsInstall() {
		from = s.Settings.Bucket // scripts of packagecloud take an answer without bytes for the configuration
	}
	if from != nil && !isPackage(ref.Key) {
		a.Through = true
		a.Status = s.through(w, r, from, ref, visibility)
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
		s.faults.log(s.Log, slog.LevelError, now, "cannot sign URL", "key", ref.Key, "error", err)
		return internalError(w)
	}
	h := w.Header()
	h["Location"] = []string{location}
	h["Cache-Control"] = redirectCache
	h["Referrer-Policy"] = redirectReferrer
	h["Content-Length"] = redirectLength
	if ref.File != "" { // letters, digits and "._+~^:-", by which it is the name of a package
		h["Content-Disposition"] = []string{`attachment; filename="` + ref.File + `"`}
	}
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}

// Headers of every redirect. They are shared between responses and must not be modified.
var (
	redirectCache    = []string{"private, no-store"}
	redirectReferrer = []string{"no-referrer"}
	redirectLength   = []string{"0"}
)

// rawPath returns the path of a URL as the client encoded it. URL.EscapedPath encodes a path again if one
// byte of it should have been encoded, such as '^'; a "%2F" of the client then becomes a plain slash.
func rawPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// parse decodes a path once and finds the object that it names. Of the query of u only the names of a system count, and
// only where [layout.InstallPath] asks for them. spelling is the rule by which the path names it. A misplaced ref is a hint
// at what the path may have meant.
func parse(escaped string, u *url.URL) (ref layout.Ref, spelling layout.Spelling, misplaced, ok bool) {
	path, ok := strings.CutPrefix(escaped, "/")
	if !ok || encodedSlash(path) {
		return layout.Ref{}, layout.Plain, false, false
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return layout.Ref{}, layout.Plain, false, false
	}
	ref, ok = layout.Parse(layout.InstallPath(path, func(name string) string { return u.Query().Get(name) }))
	if ok {
		spelling = ref.Spelling(path)
	} else {
		ref, misplaced = layout.Misplaced(path)
	}
	return ref, spelling, misplaced, (ok || misplaced) && !layout.Hidden(ref.Key)
}

// encodedSlash reports whether a percent-encoded '/' would, decoded, change the segments of a path.
func encodedSlash(escaped string) bool {
	return strings.Contains(escaped, "%") && (strings.Contains(escaped, "%2F") || strings.Contains(escaped, "%2f"))
}

// isPackage reports whether a key is that of a package. Packages are always redirected, never served through.
func isPackage(key string) bool {
	return strings.HasSuffix(key, ".deb") || strings.HasSuffix(key, ".rpm")
}
