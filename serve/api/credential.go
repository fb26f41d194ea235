package api

import (
	"net/http"
	"strings"

	"repomill/serve"
)

// maxCredential bounds a credential in bytes: an ID token with many claims has some thousands.
const maxCredential = 16 << 10

// Credential returns what a caller presents: the token of Bearer (RFC 6750) or of Basic (RFC 7617). Of Basic it is the
// user name, with any password, as in https://TOKEN:@host; a password that has the form of a token counts instead of a
// user name that has not, as in curl -u ci:TOKEN. Two credentials are none.
func Credential(r *http.Request) (credential string, ok bool) {
	if len(r.Header.Values("Authorization")) != 1 {
		return "", false
	}
	if user, password, basic := r.BasicAuth(); basic {
		if credential = user; user == "" || serve.IsToken(password) && !serve.IsToken(user) {
			credential = password
		}
	} else if scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " "); found && strings.EqualFold(scheme, "Bearer") {
		credential = strings.TrimSpace(token)
	}
	return credential, credential != "" && len(credential) <= maxCredential
}
