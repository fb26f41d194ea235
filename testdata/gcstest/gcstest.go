// Package gcstest runs a fake of Google Cloud Storage on a loopback port, and is a judge too: it fails
// the test if a deletion, or the replacement of a verdict, does not say which generation it means.
//
// fake-gcs-server keeps objects, generations, checksums and uploads in chunks. It is another process, of the program in the
// folder server, which is a module of its own. It ends with the test, also if that is killed. What it lacks is added
// here: conditions of reads, deletions and updates, checksums of uploads in several chunks, chunks that
// arrive twice, notifications, and faults.
package gcstest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"repomill/testdata/proctest"
)

// A Server is a Cloud Storage server for this process and its children. Set its fields before it is used.
type Server struct {
	// Notify, unless nil, is called with each notification, as the payload and the attributes of a
	// Pub/Sub message, before the request that caused it is answered.
	Notify func(payload []byte, attrs map[string]string)

	// Lenient lets writes pass that lack a condition which the contract asks for.
	Lenient bool

	t         testing.TB
	transport http.RoundTripper // to the process
	url       string

	mu       sync.Mutex // guards what follows, and makes a condition and its write one step
	faults   []*planned
	sessions map[string]*session // of uploads in chunks, by upload_id
	served   map[string]int
	buckets  map[string]bool
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	transport := proctest.Serve(t, path)
	transport.DisableCompression = true // what clients ask for is what they get
	s := &Server{t: t, transport: transport, sessions: map[string]*session{}, served: map[string]int{}, buckets: map[string]bool{}}
	front := httptest.NewServer(http.HandlerFunc(s.serve))
	s.url = front.URL
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return s
}

// program returns the path of the server's program.
var program = sync.OnceValues(func() (string, error) {
	return proctest.Tool("testdata/gcstest/server", "server")
})

// URL returns the URL of a bucket, which it creates unless it is there.
func (s *Server) URL(bucket string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.buckets[bucket] {
		s.ask(http.MethodPost, "/storage/v1/b?project=test", "application/json", fmt.Appendf(nil, `{"name":%q}`, bucket), nil)
		s.buckets[bucket] = true
	}
	return s.URLOf(bucket)
}

// URLOf returns the URL of a bucket that need not exist.
func (s *Server) URLOf(bucket string) string {
	return fmt.Sprintf("gs://%s?endpoint=%s&anonymous=true", bucket, url.QueryEscape(s.url))
}

// Served returns how many requests of a method were carried out.
func (s *Server) Served(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served[method]
}
