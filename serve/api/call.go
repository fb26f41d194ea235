package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// fields returns the form of a call, of at most limit bytes, with what its URL has. Each field may be there once, and those in many more
// often; a call with another one is refused.
func fields(w http.ResponseWriter, r *http.Request, limit int64, once []string, many ...string) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		if _, isLarge := errors.AsType[*http.MaxBytesError](err); isLarge {
			return nil, &Error{Status: http.StatusRequestEntityTooLarge, Message: "the form is too large: send fewer fields"}
		}
		return nil, &Error{Status: http.StatusBadRequest, Message: "the form cannot be read: send few fields, as application/x-www-form-urlencoded"}
	}
	for name, values := range r.Form {
		switch {
		case slices.Contains(many, name):
		case !slices.Contains(once, name):
			return nil, Invalid(name, "this call has no such field: use "+strings.Join(append(once[:len(once):len(once)], many...), ", "))
		case len(values) > 1:
			return nil, Invalid(name, "send it once")
		}
	}
	return r.Form, nil
}

// FieldTarget returns the target that the fields distribution and component of a form name in a repository: all of it without them.
func FieldTarget(r catalog.Repository, form url.Values) (t catalog.PackageTarget, err error) {
	t.Repository = r
	distribution, component := form.Get("distribution"), form.Get("component")
	switch {
	case distribution == "" && component == "":
		return t, nil
	case distribution == "":
		return t, Invalid("component", "name the distribution that has it, too")
	}
	os, version, _ := strings.Cut(distribution, "/")
	if os == "" || version == "" || strings.Contains(version, "/") {
		return t, Invalid("distribution", "use OS/VERSION, such as ubuntu/jammy")
	}
	t.Distribution = catalog.Distribution{OS: os, Version: version}
	if component != "" {
		if rej := layout.CheckComponent(component); rej != nil {
			return t, Invalid("component", rej.Detail)
		}
		t.Component = component
	}
	return t, nil
}

// FieldActor returns the principal as the audit log has it, with the reason in the field why of a form.
func FieldActor(by Principal, form url.Values) (catalog.Actor, error) {
	a := by.Actor()
	if a.Why = form.Get("why"); catalog.CheckDescription(a.Why) != nil {
		return a, Invalid("why", "use one line of printable text, of at most 300 characters")
	}
	return a, nil
}

// NotAllowed answers a call by a method that its path does not take.
func NotAllowed(w http.ResponseWriter, methods string) error {
	w.Header().Set("Allow", methods)
	return &Error{Status: http.StatusMethodNotAllowed, Message: "use " + methods + " for this path"}
}
