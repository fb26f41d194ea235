package packagecloud

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"repomill/serve/api"
)

// answer sends a value as JSON.
func (c call) answer(status int, v any) {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.WriteHeader(status)
	if c.Method == http.MethodHead {
		return
	}
	enc := json.NewEncoder(c.w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) //nolint:errcheck // the caller may have left
}

// fail sends {"error": message}, the body of every error but those about fields.
func (c call) fail(status int, message string) { c.answer(status, map[string]string{"error": message}) }

// notFound says that there is no such thing: package_cloud compares the word.
func (c call) notFound() { c.fail(http.StatusNotFound, "not_found") }

// forbidden says that the caller lacks a right.
func (c call) forbidden(right api.Right) {
	c.fail(http.StatusForbidden, "this token may not "+string(right)+" in "+c.repo.String()+": use one with that scope, of repomill token create")
}

// invalid sends 422 with what is wrong with a field: clients decode exactly a map of lists of strings.
func (c call) invalid(field string, messages ...string) {
	c.answer(http.StatusUnprocessableEntity, map[string][]string{field: messages})
}

// fault answers a call that failed for a reason that is not the caller's.
func (h *handler) fault(c call, err error) {
	if errors.Is(err, context.Canceled) && c.Context().Err() != nil {
		return // the caller has left
	}
	h.Log.Warn("api call failed", "method", c.Method, "path", c.URL.Path, "error", err)
	c.w.Header().Set("Retry-After", "5")
	c.fail(http.StatusServiceUnavailable, "this cannot be answered now: try again in some seconds")
}
