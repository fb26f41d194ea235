package client

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// answered returns the error of an answer: a [catalog.Rejection] of the file, one that wraps fs.ErrPermission if the
// caller may not, or a fault.
func answered(resp *http.Response, body []byte) error {
	var sentence struct{ Error string }
	var fields fieldErrors
	json.Unmarshal(body, &sentence) //nolint:errcheck // a proxy's answer is none
	json.Unmarshal(body, &fields)   //nolint:errcheck // the same
	why := sentence.Error
	if why == "" {
		why = "the server answers " + resp.Status
	}
	reason := catalog.Reason(resp.Header.Get("Repomill-Reason"))
	switch code := resp.StatusCode; {
	case code == http.StatusUnprocessableEntity && reason != "":
		return &catalog.Rejection{Reason: reason, Detail: fields.String()}
	case code == http.StatusUnprocessableEntity:
		return errors.New(fields.String())
	case code == http.StatusRequestEntityTooLarge && sentence.Error != "":
		return &catalog.Rejection{Reason: catalog.TooLarge, Detail: why}
	case code == http.StatusRequestEntityTooLarge:
		return refusedError("a proxy before the server refuses a file of this size: let it through there (nginx: client_max_body_size 0)")
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound:
		return refusedError(why)
	case code/100 == 3:
		return refusedError("the server redirects to " + layout.Shown(resp.Header.Get("Location")) + ": name that one with --server")
	}
	return errors.New(why)
}

// fieldErrors are what is wrong, by field.
type fieldErrors map[string][]string

// String returns all messages as one text.
func (f fieldErrors) String() string {
	var all []string
	for _, field := range slices.Sorted(maps.Keys(f)) {
		all = append(all, f[field]...)
	}
	return strings.Join(all, "; ")
}

// A refusedError is what a server answers to who may not do something; it wraps fs.ErrPermission.
type refusedError string

// Error implements error.
func (e refusedError) Error() string { return string(e) }

// Unwrap returns [fs.ErrPermission].
func (refusedError) Unwrap() error { return fs.ErrPermission }
