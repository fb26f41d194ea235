package serve

import (
	"net/http"
	"strconv"
)

func readOnly(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// text answers with a constant: no part of a request may be in body.
func text(w http.ResponseWriter, status int, cacheControl, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cacheControl)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have left
}

// notFound is for all that is absent, private or not canonical alike. Never 403: apt and dnf would
// stop, where they go on without an optional index that is just absent.
func notFound(w http.ResponseWriter) {
	text(w, http.StatusNotFound, "max-age=10", "not found\n")
}

func methodNotAllowed(w http.ResponseWriter) {
	w.Header().Set("Allow", "GET, HEAD")
	text(w, http.StatusMethodNotAllowed, "no-store", "only GET and HEAD are allowed\n")
}

// forLog shortens a percent-encoded path, which has printable ASCII only.
func forLog(escaped string) string { return escaped[:min(len(escaped), 256)] }
