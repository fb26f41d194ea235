package serve

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// An Answer is how one request was answered, for statistics. It holds nothing that the client chose.
type Answer struct {
	Status     int
	Visibility catalog.Visibility // of the repository that was asked for; empty if there is none
	Through    bool               // the bytes of an object, rather than a redirect to them
	Took       time.Duration      // until the answer was handed to the connection
}

func readOnly(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// hangUp has the connection end with the answer where a proxy before us may see the end of the request
// elsewhere than we do: no request of ours needs a body, and HTTP/1.0 knows no chunks. What follows would
// be answered as if it were the next client's (RFC 9112, section 6.1).
func hangUp(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 || !r.ProtoAtLeast(1, 1) {
		w.Header().Set("Connection", "close")
	}
}

// text answers with a constant, which no part of a request may be in, and returns the status.
func text(w http.ResponseWriter, status int, cacheControl, body string) int {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cacheControl)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have left
	return status
}

// notFound is for all that is absent or not canonical alike. Never 403: apt and dnf would stop, where
// they go on without an optional index that is just absent.
func notFound(w http.ResponseWriter) int {
	return text(w, http.StatusNotFound, "max-age=10", "not found\n")
}

// notFoundNow is notFound where the reason may be gone in a moment.
func notFoundNow(w http.ResponseWriter) int {
	return text(w, http.StatusNotFound, "no-store", "not found\n")
}

// unauthenticated is the same for every path of a private repository, whatever is there and whatever is
// wrong with the token, and for the keys of a repository that is not there. zypper sends credentials only when it was asked for them.
func unauthenticated(w http.ResponseWriter) int {
	w.Header().Set("WWW-Authenticate", `Basic realm="repomill"`)
	w.Header().Set("Content-Type", "application/json")
	return text(w, http.StatusUnauthorized, "private, no-store", `{"error":"Unauthenticated"}`+"\n")
}

func methodNotAllowed(w http.ResponseWriter) int {
	w.Header().Set("Allow", "GET, HEAD")
	return text(w, http.StatusMethodNotAllowed, "no-store", "only GET and HEAD are allowed\n")
}

func internalError(w http.ResponseWriter) int {
	return text(w, http.StatusInternalServerError, "no-store", "internal error\n")
}

// forLog shortens a percent-encoded path, which has printable ASCII only, and leaves out one that may have
// a token in it, however it is spelled.
func forLog(escaped string) string {
	decoded, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(strings.ToLower(decoded), privPrefix) || tokenPattern.MatchString(decoded) {
		return "/" + stars
	}
	return escaped[:min(len(escaped), 256)]
}

var tokenPattern = regexp.MustCompile(fmt.Sprintf("%s[0-9A-Za-z]{%d}", tokenPrefix, tokenDigits+checkDigits))
