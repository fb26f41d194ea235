package api

import (
	"net/http"
	"strings"

	"repomill/serve"
)

// Credential returns what a request presents: the token of Bearer (RFC 6750) or of Basic (RFC 7617), or nothing. Of
// Basic it is the user name, with any password, as in https://TOKEN:@host; a password that has the form of a token
// counts instead of a user name that has not, as in curl -u ci:TOKEN.
func Credential(r *http.Request) string {
	if user, password, ok := r.BasicAuth(); ok {
		if user == "" || serve.IsToken(password) && !serve.IsToken(user) {
			return password
		}
		return user
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}
