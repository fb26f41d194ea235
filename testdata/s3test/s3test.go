// Package s3test runs a real S3 server for tests: versitygw, with signatures, checksums, multipart uploads and
// conditional writes, behind a proxy that loses answers on demand.
//
// The server is another process, of the program in the folder gateway, which is a module of its own. It ends with the test, also
// if that is killed.
package s3test

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/testdata/faults"
	"repomill/testdata/proctest"
)

// What every server takes.
const (
	AccessKey = "repomill-test"
	SecretKey = "repomill-test-secret"
	Region    = "us-east-1"
)

// Env returns the environment in which a process finds the server's credentials and none of the user's.
// [Start] sets it in the test's own process.
func Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + SecretKey,
		"AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_S3=",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=2", // the SDK waits up to a second before the second one, and longer before a third
	}
}

// A Server is an S3 server on a loopback port, empty at first. Its methods may be called concurrently.
type Server struct {
	t        testing.TB
	Endpoint string // http://127.0.0.1:port
	client   *s3.Client
	gateway  *proctest.Server

	making  sync.Mutex
	buckets map[string]bool

	limiter atomic.Pointer[limiter]

	mu     sync.Mutex
	faults []*fault
	served map[string]int // by operation and path
}

// Start starts a server that ends with the test. It sets the environment of the process as [Env] has it,
// which is the same for all servers, so that parallel tests do not meet.
func Start(t testing.TB) *Server {
	t.Helper()
	for _, v := range Env() {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil { //nolint:usetesting // t.Setenv would forbid parallel tests
			t.Fatal(err)
		}
	}
	program, err := gateway()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, buckets: map[string]bool{}, gateway: proctest.NewServer(t, program, AccessKey, SecretKey, Region)}
	transport := s.gateway.Transport
	transport.ExpectContinueTimeout = time.Minute // so that a body is sent only to a server that wants it
	s.Endpoint = s.serve(t, s.proxy(transport))
	s.client = s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint,
		UsePathStyle: true,
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	})
	return s
}

// Client returns a client of the server.
func (s *Server) Client() *s3.Client { return s.client }

// Kill ends the server with SIGKILL: until [Server.Restart], connections of clients break before there is an answer. What was stored stays.
func (s *Server) Kill() error { return s.gateway.Kill() }

// Restart starts a server that was killed, on the objects that it had.
func (s *Server) Restart(ctx context.Context) error { return s.gateway.Start(ctx) }

// URL returns the URL of a bucket, which it makes if it is not there.
func (s *Server) URL(bucket string) string {
	s.t.Helper()
	s.making.Lock()
	defer s.making.Unlock()
	if !s.buckets[bucket] {
		if _, err := s.client.CreateBucket(s.t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			s.t.Fatal(err)
		}
		s.buckets[bucket] = true
	}
	q := url.Values{"region": {Region}, "endpoint": {s.Endpoint}, "path-style": {"true"}}
	return "s3://" + bucket + "?" + q.Encode()
}

// serve serves a handler on a free loopback port and returns its URL.
func (s *Server) serve(t testing.TB, h http.Handler) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go server.Serve(l) //nolint:errcheck // it ends with Close
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

// Served returns how many requests of an operation came for paths that contain part.
func (s *Server) Served(operation, part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for request, times := range s.served {
		if of, path, _ := strings.Cut(request, " "); of == operation && strings.Contains(path, part) {
			n += times
		}
	}
	return n
}

// proxy passes requests on as they are, with the Host that was signed.
func (s *Server) proxy(transport http.RoundTripper) http.Handler {
	pass := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "gateway"
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l := s.limiter.Load(); l != nil && !l.allow() {
			slowDown(w, r)
			return
		}
		f, then := s.takeFault(r)
		if f == faults.None {
			pass.ServeHTTP(w, r)
			return
		}
		if f == Stored {
			pass.ServeHTTP(discard{http.Header{}}, r)
		}
		then()
		panic(http.ErrAbortHandler) // which closes the connection
	})
}

// discard drops an answer, so that the client does not get it.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// gateway returns the path of the server's program.
var gateway = sync.OnceValues(func() (string, error) {
	return proctest.Tool("testdata/s3test/gateway", "gateway")
})
