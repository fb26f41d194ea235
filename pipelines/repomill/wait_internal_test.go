package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

// A signed URL opens an object: it is not for the log of a CI job, where it would be 400 characters besides.
func TestFailedFetchShowsNoSignature(t *testing.T) {
	resolver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:9/acme/tools/InRelease?Policy=p&Signature=secret&Key-Pair-Id=k", http.StatusFound)
	}))
	defer resolver.Close()
	w := waiter{client: resolver.Client()}
	err := w.fetch(t.Context(), catalog.VerdictRelease{Pointer: resolver.URL + "/acme/tools/InRelease"})
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "http://127.0.0.1:9/acme/tools/InRelease: ") {
		t.Errorf("got %v", err)
	}
}
