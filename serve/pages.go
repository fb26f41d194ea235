package serve

import (
	"cmp"
	"context"
	"errors"
	"html"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// maxPageAnswers bounds the pages that are answered at one time: each holds a connection to the bucket. Beyond it, a page is
// refused at once, so that redirects, which need no bucket, keep the connections and the memory of the process.
const maxPageAnswers = 256

// pageTime bounds how long a client may take to read a page: one that does not read holds what a page needs. The largest pages, lists of
// very many files, have 20 MB.
const pageTime = time.Minute

// timed gives a client until a time to read an answer. The caller calls end behind the answer: the connection may have others.
func timed(w http.ResponseWriter, until time.Time) (end func()) {
	c := http.NewResponseController(w)
	if c.SetWriteDeadline(until) != nil { // no connection
		return func() {}
	}
	return func() {
		if c.Flush() == nil {
			c.SetWriteDeadline(time.Time{}) //nolint:errcheck // the server sets it for each request, or has none
		}
	}
}

// pageHeaders are set on all answers to paths of pages. What a package says is on a page, so nothing runs there, and nothing is loaded,
// that is not of this host. A token may be a part of the address of a page.
var pageHeaders = map[string]string{
	"Content-Security-Policy":      "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
}

// SetPageHeaders sets what every page has, whichever server answers it.
func SetPageHeaders(h http.Header) {
	for name, value := range pageHeaders {
		h.Set(name, value)
	}
}

// page answers a client that may read ref with the bytes of a page, or with the place where it is. Relative links of a page are those
// of its public path: a redirect to a signed URL would break them.
func (s *resolver) page(w http.ResponseWriter, r *http.Request, ref layout.Ref, a Answer) Answer {
	a.Page = true
	if ref.MovedTo != "" && ref.Key == "" {
		a.Status = moved(w, r.URL, ref, a.Visibility)
		return a
	}
	select {
	case s.pageSlots <- struct{}{}:
		defer func() { <-s.pageSlots }()
	default:
		w.Header().Set("Retry-After", "1")
		a.Status, a.Visibility = text(w, http.StatusServiceUnavailable, "no-store", "too many pages are asked for at the moment\n"), ""
		return a
	}
	ctx, stop := context.WithTimeout(r.Context(), pageTime)
	defer stop()
	r = r.WithContext(ctx)
	until, _ := ctx.Deadline()
	defer timed(w, until)()
	visibility := cmp.Or(a.Visibility, catalog.Public)
	switch err := s.firstLook(r, ref); {
	case err != nil && rawPath(r.URL) == "/":
		a.Status = s.rootText(w, err)
	case err != nil:
		a.Status = s.throughError(w, r, ref, visibility, err)
	case ref.MovedTo != "":
		a.Status = moved(w, r.URL, ref, a.Visibility)
	default:
		SetPageHeaders(w.Header())
		a.Status = s.through(w, r, s.Settings.Bucket, ref, visibility)
	}
	return a
}

// firstLook says whether the object exists, where that decides on another answer than that of [resolver.through].
func (s *resolver) firstLook(r *http.Request, ref layout.Ref) error {
	if ref.MovedTo == "" && ref.Key != layout.RootPageKey {
		return nil
	}
	_, err := s.Settings.Bucket.Stat(r.Context(), ref.Key)
	return err
}

// rootText answers for the root of a server without pages, and of one whose bucket cannot be read at the moment.
func (s *resolver) rootText(w http.ResponseWriter, err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return text(w, http.StatusOK, "public, max-age=300", index)
	}
	s.faults.log(s.Log, slog.LevelWarn, s.Now(), "cannot read object", "key", layout.RootPageKey, "error", err)
	return text(w, http.StatusOK, "no-store", index)
}

// moved sends a client to another path. It is relative, and so leads to the host, and below the token, that the client has
// asked: nothing of a request is in it. A query is left out.
func moved(w http.ResponseWriter, u *url.URL, ref layout.Ref, v catalog.Visibility) int {
	from, _ := cutToken(rawPath(u))
	if ref.ToAPI() { // it takes tokens of another kind, and none in a path
		from = rawPath(u)
	}
	h, status := w.Header(), http.StatusMovedPermanently
	h.Set("Cache-Control", "public, max-age=300")
	if cmp.Or(v, catalog.Public) != catalog.Public {
		h.Set("Cache-Control", "private, max-age=300")
		h.Set("Vary", "Authorization")
	}
	if ref.Temporary {
		status = http.StatusFound
		h.Set("Cache-Control", "private, no-store")
	}
	h.Set("Location", relative(from, ref.MovedTo))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", "0")
	w.WriteHeader(status)
	return status
}

// relative returns a reference from a path, without a token, to another one of the same host, which has no leading slash.
func relative(from, to string) string {
	return "./" + strings.Repeat("../", strings.Count(from, "/")-1) + (&url.URL{Path: to}).EscapedPath()
}

// lostPage answers for the page of a package that is absent: of one that was withdrawn long ago, as an old link may have it, or of one
// that a page of packagecloud had. The list of packages is a way on.
func lostPage(w http.ResponseWriter, u *url.URL, r catalog.Repository, cacheControl string) int {
	from, _ := cutToken(rawPath(u))
	name := html.EscapeString(r.String())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return text(w, http.StatusNotFound, cacheControl, `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Not found</title>
<main>
<h1>Not found</h1>
<p>This package, or this version of it, is not in `+name+`, or was withdrawn. <a href="`+html.EscapeString(relative(from, r.String()+"/names/"))+`">Packages of `+name+`</a></p>
</main>
</html>
`)
}
