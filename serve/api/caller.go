package api

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// maxCredential bounds a credential in bytes: an ID token with many claims has some thousands.
const maxCredential = 16 << 10

// Credential returns what a caller presents: a Bearer token, or the user name of Basic authentication.
func Credential(r *http.Request) (credential string, ok bool) {
	if all := r.Header.Values("Authorization"); len(all) != 1 {
		return "", false
	}
	if user, _, basic := r.BasicAuth(); basic {
		credential = user
	} else if scheme, rest, found := strings.Cut(r.Header.Get("Authorization"), " "); found && strings.EqualFold(scheme, "Bearer") {
		credential = strings.TrimSpace(rest)
	}
	return credential, credential != "" && len(credential) <= maxCredential
}

// Caller finds out who makes a call. If that is not known, it answers the call, and the error says why.
func Caller(w http.ResponseWriter, r *http.Request, a Authenticator) (Principal, error) {
	credential, ok := Credential(r)
	if !ok {
		challenge(w, "send a token, as Authorization: Bearer TOKEN or as the user name of Basic authentication")
		return Principal{}, ErrUnknownCredential
	}
	p, err := a.Authenticate(r.Context(), credential)
	switch {
	case errors.Is(err, ErrUnknownCredential):
		challenge(w, ErrUnknownCredential.Error())
	case err != nil:
		FailFor(w, http.StatusServiceUnavailable, 5*time.Second, "who you are cannot be found out now; try again")
	}
	return p, err
}

// challenge answers 401. Clients send what they have if they are asked for Basic authentication.
func challenge(w http.ResponseWriter, sentence string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="repomill"`)
	Fail(w, http.StatusUnauthorized, sentence)
}
