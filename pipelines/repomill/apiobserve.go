package main

import (
	"net/http"
	"time"

	"repomill/serve/api/upload"
)

// observed returns a handler that counts the answers of another one, as those of a call.
func (m *apiMetrics) observed(call string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, a := time.Now(), &observedAnswer{w, http.StatusOK}
		next.ServeHTTP(a, r)
		m.observe(upload.Answer{Call: call, Status: a.status, Took: time.Since(start)})
	})
}

// An observedAnswer remembers the status of an answer.
type observedAnswer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (a *observedAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a *observedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
