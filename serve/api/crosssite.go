package api

import "net/http"

// CrossSite returns the answer to a call that a page of another site makes a browser send: it would have the token that the
// browser was once asked for. Other clients send no header that says so.
func CrossSite(r *http.Request) error {
	if protection.Check(r) == nil {
		return nil
	}
	return &Error{Status: http.StatusForbidden, Message: "a page of another site sends this call: make it from a program, such as curl"}
}

var protection = http.NewCrossOriginProtection()
