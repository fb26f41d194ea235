package packagecloud

import (
	"context"
	"errors"
	"net/http"

	"repomill/serve/api"
)

// answer sends a value as JSON.
func (c call) answer(status int, v any) { api.WriteJSON(c.w, status, v) }

// fail sends {"error": message}, the body of every error but those about fields.
func (c call) fail(status int, message string) { c.answer(status, map[string]string{"error": message}) }

// notFound says that there is no such thing: package_cloud compares the word.
func (c call) notFound() { c.fail(http.StatusNotFound, "not_found") }

// forbidden says that the caller lacks a right.
func (c call) forbidden(right api.Right) {
	api.WriteError(c.w, api.Forbidden(right, c.repo))
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
	h.Log.Warn("a call of the API failed", "method", c.Method, "path", c.URL.Path, "by", c.by.Name, "error", err)
	api.WriteError(c.w, err)
}
