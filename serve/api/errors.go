package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"repomill/schemas/catalog"
)

// An Error is an answer that is not what the caller asked for. Its sentence is for the caller.
type Error struct {
	Status     int
	Message    string              // {"error": Message}
	Fields     map[string][]string // the body of 422 in place of that: what is wrong with each field
	RetryAfter time.Duration       // of 429 and 503
	Cause      error               // for the log of the server; the caller does not see it
}

// Error returns the sentence.
func (e *Error) Error() string {
	if e.Fields != nil {
		return fmt.Sprintf("%d %v", e.Status, e.Fields)
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Unauthenticated answers a call without a credential, or with one that opens nothing.
func Unauthenticated(sentence string) *Error {
	return &Error{Status: http.StatusUnauthorized, Message: sentence}
}

// NoRepository answers a call for a repository that does not exist, and one of a caller who has no right in it: both are
// one answer, so that the answer does not say which names exist.
func NoRepository(r catalog.Repository) *Error {
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no repository %.200q here that this token has any right in", r)}
}

// NotFound answers a call for what a known repository does not have.
func NotFound(sentence string) *Error { return &Error{Status: http.StatusNotFound, Message: sentence} }

// Forbidden answers a caller who knows a repository and lacks a right in it.
func Forbidden(right Right, r catalog.Repository) *Error {
	return &Error{Status: http.StatusForbidden, Message: fmt.Sprintf("this token may not do that in %s: it needs the scope %q, see repomill token create", r, right)}
}

// Conflict answers a call that contradicts what is there.
func Conflict(sentence string) *Error { return &Error{Status: http.StatusConflict, Message: sentence} }

// Invalid answers a call with a field that is wrong.
func Invalid(field string, messages ...string) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Fields: map[string][]string{field: messages}}
}

// TooMany answers a caller who exceeds a limit.
func TooMany(sentence string, after time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Message: sentence, RetryAfter: after}
}

// Unavailable answers while something that the server needs does not answer.
func Unavailable(cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Message: "the server cannot do this now; try again", RetryAfter: unavailableFor, Cause: cause}
}

// unavailableFor is when a caller may try again after 503.
const unavailableFor = 5 * time.Second

// Authorize returns nil if a principal has a right in a repository. It does not look whether that exists: what finds that
// out later answers with [NoRepository], too.
func Authorize(p Principal, right Right, r catalog.Repository) error {
	switch {
	case p.May(right, r):
		return nil
	case p.Known(r):
		return Forbidden(right, r)
	default:
		return NoRepository(r)
	}
}

// WriteError answers with an error. One that is not, nor wraps, an [*Error] is answered with 503, and says nothing of itself.
func WriteError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = Unavailable(err)
	}
	var body any = map[string]string{"error": e.Message}
	if e.Fields != nil {
		body = e.Fields
	}
	h := w.Header()
	switch {
	case e.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="repomill"`)
	case e.RetryAfter > 0:
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	WriteJSON(w, e.Status, body)
}

// WriteJSON answers with a value as JSON, which no cache keeps.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) //nolint:errcheck // the caller may have left
}
