package awstest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A Metadata is Google's metadata server for a machine with a service account. Its tokens are not signed: STS's doubles do not
// judge them.
type Metadata struct {
	Host      string                           // as GCE_METADATA_HOST has it
	Audiences chan string                      // those of the requests so far, up to 100
	Answer    atomic.Pointer[http.HandlerFunc] // in place of a token, if set
	tokens    atomic.Int64
}

// StartMetadata runs a metadata server until the test ends.
func StartMetadata(t testing.TB) *Metadata {
	t.Helper()
	m := &Metadata{Audiences: make(chan string, 100)}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.Host = strings.TrimPrefix(server.URL, "http://")
	return m
}

func (m *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/identity" || r.FormValue("format") != "full" {
		http.Error(w, "not a request for an ID token", http.StatusForbidden)
		return
	}
	m.Audiences <- r.FormValue("audience")
	if answer := m.Answer.Load(); answer != nil {
		(*answer)(w, r)
		return
	}
	w.Header().Set("Metadata-Flavor", "Google")
	fmt.Fprint(w, m.Token(m.tokens.Add(1)))
}

// Token returns the token of the n-th request, which is 1 for the first.
func (m *Metadata) Token(n int64) string { return fmt.Sprintf("header.token-%d.signature", n) }
