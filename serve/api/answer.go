package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fields are the messages of an answer 422, by the field that they are about. Clients decode exactly this form.
type Fields map[string][]string

// Write answers with a value as JSON.
func Write(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // our own data
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) //nolint:errcheck // the client may have left
}

// Fail answers with an error: a sentence that says what to do.
func Fail(w http.ResponseWriter, status int, sentence string) {
	Write(w, status, map[string]string{"error": sentence})
}

// FailFor is [Fail] for an error that goes away: it says when to try again.
func FailFor(w http.ResponseWriter, status int, after time.Duration, sentence string) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(after.Seconds()))))
	Fail(w, status, sentence)
}

// Refuse answers 422 with a message about a field.
func Refuse(w http.ResponseWriter, field, message string) {
	Write(w, http.StatusUnprocessableEntity, Fields{field: {message}})
}

// String returns the messages of all fields as one text.
func (f Fields) String() string {
	var all []string
	for _, field := range slices.Sorted(maps.Keys(f)) {
		all = append(all, f[field]...)
	}
	return strings.Join(all, "; ")
}
