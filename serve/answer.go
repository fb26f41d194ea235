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
	"repomill/schemas/layout"
)

// An Answer describes the response to one request, for metrics. It holds no text from the client.
type Answer struct {
	Status     int
	Visibility catalog.Visibility // of the repository that was asked for; empty if there is none
	Through    bool               // the response had the object's bytes instead of a redirect
	Page       bool               // it was about a page
	Spelling   layout.Spelling    // how the path named the object that it is about
	Took       time.Duration      // until the response was written to the connection
}

func readOnly(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// closeConnection ends the connection after the response if a proxy in front may disagree about where the
// request ends: one with a body, which the resolver never reads, or one of HTTP/1.0, which has no chunks.
// Otherwise the rest could be answered as the next client's request (RFC 9112, section 6.1).
func closeConnection(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 || !r.ProtoAtLeast(1, 1) {
		w.Header().Set("Connection", "close")
	}
}

// text writes a response and returns its status. body must be a constant: no part of a request may be in it, but for
// what [elsewhere] says.
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

// notFound writes the response for absent objects and for paths that are not canonical. The status is 404
// and not 403, because apt and dnf continue without an optional index after a 404 and stop after a 403.
func notFound(w http.ResponseWriter) int {
	return text(w, http.StatusNotFound, "max-age=10", "not found\n")
}

// elsewhere writes the response for a path that lacks the codename of a distribution. key is checked, and in the form of
// object keys: nothing else of the request is in the response.
func elsewhere(w http.ResponseWriter, key string) int {
	return text(w, http.StatusNotFound, "private, max-age=10", "not found: one name of a package may have other bytes in each distribution, whose codename is a part of its path:\n/"+
		key+"\nwith the codename of the distribution, such as jammy, for "+layout.Codename+"\n")
}

// undecided writes the response for a repository of which it cannot be found out now whether it exists. It is not 404, which
// apt and dnf take as the end of a repository: after a 503 they try again, and keep what they have.
func undecided(w http.ResponseWriter) int {
	w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	return text(w, http.StatusServiceUnavailable, "no-store", "the repository cannot be looked up at the moment: try again\n")
}

// unauthenticated writes the same bytes for every path of a private repository, present or absent, with
// any wrong token, and for the key paths of a repository that does not exist. The header WWW-Authenticate
// is needed: zypper sends credentials only after it has seen one.
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

// forLog returns at most 256 bytes of a percent-encoded path, which is printable ASCII. A path that may
// contain a token, in any spelling, becomes "/***".
func forLog(escaped string) string {
	decoded, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(strings.ToLower(decoded), privPrefix) || tokenPattern.MatchString(decoded) {
		return "/" + stars
	}
	return escaped[:min(len(escaped), 256)]
}

var tokenPattern = regexp.MustCompile(fmt.Sprintf("%s[0-9A-Za-z]{%d}", TokenPrefix, tokenDigits+checkDigits))
