package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"repomill/schemas/catalog"
)

// A Gate is what each call passes before its handler.
type Gate struct {
	Auth   Authenticator
	Limits *Limits
	Log    *slog.Logger
}

// A Handler answers a call of a principal. If it returns an error it has written nothing, and [WriteError] answers. What
// it changes in the catalog under the request's context is recorded as the principal's.
type Handler func(w http.ResponseWriter, r *http.Request, p Principal) error

// Handle returns a handler that answers calls of unknown callers with 401, and those beyond the caller's limit with 429.
func (g *Gate) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := g.Principal(r)
		if err == nil {
			err = h(w, r.WithContext(catalog.WithActor(r.Context(), p.Actor())), p)
		}
		g.answer(w, r, p, err)
	})
}

// Principal returns who makes a call, and counts it. The error is the answer.
func (g *Gate) Principal(r *http.Request) (Principal, error) {
	credential, ok := Credential(r)
	if !ok {
		return Principal{}, Unauthenticated("this needs a token: send it as user name of Basic authentication, or as Bearer")
	}
	p, err := g.Auth.Authenticate(r.Context(), credential)
	var answer *Error
	switch {
	case err == nil:
		return p, g.Limits.Request(p)
	case errors.Is(err, ErrUnknownCredential):
		return p, Unauthenticated(err.Error())
	case errors.As(err, &answer):
		return p, err
	default:
		return p, Unavailable(err)
	}
}

// answer writes an error, and logs what the server is to blame for. A path may have names of private packages, but no secret.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, p Principal, err error) {
	if err == nil || r.Context().Err() != nil && errors.Is(err, context.Canceled) { // the caller went away
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		e = Unavailable(err)
	}
	log := func() {
		g.Log.Warn("a call of the API failed", "method", r.Method, "path", r.URL.Path, "by", p.Name, "status", e.Status, "error", e.Cause)
	}
	switch {
	case errors.Is(e, errStrangers):
		strangersLogged.Do(log)
	case e.Status >= http.StatusInternalServerError:
		log()
	}
	WriteError(w, e)
}
