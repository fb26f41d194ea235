package oidc

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"repomill/serve/api"
)

// ExchangePath is where an [Exchange] is served.
const ExchangePath = "/api/v1/oidc/token"

// exchangedFor is how long a token is valid that was given for an ID token.
const exchangedFor = time.Hour

// An Exchange gives a token of an hour for an ID token, which at GitHub ends after five minutes, each ID token once:
//
//	POST /api/v1/oidc/token
//	Authorization: Bearer ID-TOKEN
//
// The answer is {"token": "...", "expires": "2026-11-29T12:00:00Z"}; an error is {"error": "sentence"}.
type Exchange struct {
	Authenticator *Authenticator
	Uses          Uses
	Used          error // what errors of Uses wrap for an ID token that was used before
	Issuer        Issuer
}

// ServeHTTP implements [http.Handler].
func (e *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "use POST with the ID token in the header Authorization: Bearer")
		return
	}
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if raw = strings.TrimSpace(raw); !strings.EqualFold(scheme, "Bearer") || raw == "" {
		unauthorized(w, "send the ID token of the CI job in the header Authorization: Bearer")
		return
	}
	ctx, a := r.Context(), e.Authenticator
	v, err := a.verify(ctx, raw)
	switch {
	case errors.Is(err, api.ErrUnknownCredential):
		unauthorized(w, err.Error())
		return
	case err != nil:
		e.unavailable(w, "the ID token cannot be verified now: try again in 10 seconds", err)
		return
	case v.jti == "":
		unauthorized(w, "this ID token has no ID of its own (claim jti), and so cannot be exchanged: send it as it is with each call")
		return
	}
	err = e.Uses.UseIDToken(ctx, v.issuer, v.jti, v.expires, a.config.Now())
	if errors.Is(err, e.Used) {
		unauthorized(w, "this ID token was exchanged before, and each is exchanged once: ask the CI system for another one")
		return
	}
	if err != nil {
		e.unavailable(w, "the use of the ID token may not be recorded: "+another, err)
		return
	}
	secret, expires, err := e.Issuer.IssueToken(ctx, v.principal, exchangedFor)
	if err != nil {
		e.unavailable(w, "no token can be issued now: "+another, err)
		return
	}
	a.config.Log.Info("an ID token was exchanged", "principal", v.principal.ID, "name", v.principal.Name, "job", v.principal.Job, slog.Time("expires", expires))
	answer(w, http.StatusOK, map[string]string{"token": secret, "expires": expires.UTC().Format(time.RFC3339)})
}

// another says what to do if an ID token may have been used up.
const another = "ask the CI system for another ID token, and try again in 10 seconds"

// unavailable answers that something does not work now. The reason is only logged.
func (e *Exchange) unavailable(w http.ResponseWriter, why string, err error) {
	e.Authenticator.config.Log.Warn("an ID token could not be exchanged", "answer", why, "error", err)
	w.Header().Set("Retry-After", "10")
	fail(w, http.StatusServiceUnavailable, why)
}

func unauthorized(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="repomill"`)
	fail(w, http.StatusUnauthorized, why)
}

func fail(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}
