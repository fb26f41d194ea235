// Package gcs keeps the staging bucket in Google Cloud Storage.
//
// Every write gives an object a new generation. Reads, deletions and conditional writes name the generation, so that
// concurrent changes cannot be mistaken for each other.
//
// # Permissions
//
// On the bucket, and nothing wider:
//
//   - CI ("push") needs storage.objects.create, and storage.objects.get to read its verdict
//     (roles/storage.objectCreator, and roles/storage.objectViewer or a role with get alone).
//     To put another file under a name that staging still has, it needs storage.objects.delete.
//   - The API needs the same for what it stages itself, and for sessions (see [Staging.Begin]); it deletes nothing.
//   - The worker needs storage.objects.list, get, create and delete (roles/storage.objectUser).
//     Verdicts lie in the same bucket, under .results/.
//   - The API needs storage.objects.get and create, and list and delete for files that lie under .incoming/ until their
//     place is known (roles/storage.objectUser).
//   - Without storage.objects.list, Google answers 403 instead of 404 for an absent object. If the message of
//     the answer says so, the object counts as absent.
package gcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"

	"repomill/schemas/layout"
)

// A Staging is a staging bucket in Google Cloud Storage. Its methods may be called concurrently. The client library
// retries transient errors; a request without progress for stallTime fails.
type Staging struct {
	client *storage.Client
	bucket *storage.BucketHandle
	name   string
	http   *http.Client  // with the credentials of client, for what the library does not do
	base   string        // URL of the JSON API, without what follows the host's own path
	stall  time.Duration // how long a request may make no progress, retries included
	chunk  int           // how much of a file is sent in one request, in bytes
}

// stallTime is how long a request may make no progress before it fails. A chunk of an upload is one request.
const stallTime = 3 * time.Minute

// chunkSize is the size of a request of an upload, in bytes. Each upload buffers as much in memory.
const chunkSize = 8 << 20

// probeTime bounds the first request. Then the bucket counts as unreachable.
const probeTime = 20 * time.Second

// The endpoint of the JSON API, and what all of its endpoints end with.
const (
	defaultEndpoint = "https://storage.googleapis.com" + endpointPath
	endpointPath    = "/storage/v1/"
)

// OpenStaging opens the staging bucket of a URL gs://bucket[?endpoint=URL][&anonymous=true]. Without
// anonymous it uses Google's application default credentials. It checks that the bucket can be reached and
// exists. It does not check permissions, because CI and the worker need different ones.
func OpenStaging(ctx context.Context, rawURL string) (*Staging, error) {
	name, opts, err := parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("--staging %q: %w", layout.Shown(rawURL), err)
	}
	client, err := storage.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("open --staging gs://%s: no Google credentials; set GOOGLE_APPLICATION_CREDENTIALS, "+
			"run where a service account is attached, or run \"gcloud auth application-default login\": %w", name, err)
	}
	plain, endpoint, err := htransport.NewClient(ctx, append([]option.ClientOption{option.WithScopes(storage.ScopeReadWrite)}, opts...)...)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("open --staging gs://%s: %w", name, err)
	}
	base := strings.TrimSuffix(cmp.Or(endpoint, defaultEndpoint), endpointPath)
	client.SetRetry(storage.WithErrorFunc(storage.ShouldRetry),
		storage.WithBackoff(gax.Backoff{Initial: 200 * time.Millisecond, Max: 10 * time.Second, Multiplier: 2}))
	s := &Staging{client: client, bucket: client.Bucket(name), name: name, http: plain, base: base, stall: stallTime, chunk: chunkSize}
	if err := s.probe(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("open --staging: %w", err)
	}
	return s, nil
}

// parse reads the URL of a staging bucket.
func parse(rawURL string) (name string, opts []option.ClientOption, err error) {
	const form = "use gs://bucket[?endpoint=URL][&anonymous=true]"
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "gs" || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return "", nil, errors.New(form)
	}
	if strings.Trim(u.Path, "/") != "" {
		return "", nil, fmt.Errorf("a folder within the bucket is not supported; %s", form)
	}
	opts = []option.ClientOption{storage.WithJSONReads(), storage.WithDisabledClientMetrics()}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", nil, errors.New(form)
	}
	anonymous := query.Get("anonymous")
	switch anonymous {
	case "true":
		opts = append(opts, option.WithoutAuthentication())
	case "", "false":
	default:
		return "", nil, fmt.Errorf("anonymous is %q; use true or false", anonymous)
	}
	if endpoint := query.Get("endpoint"); endpoint != "" {
		e, err := url.Parse(endpoint)
		if err != nil || e.Host == "" || e.User != nil || e.Scheme != "http" && e.Scheme != "https" {
			return "", nil, errors.New("endpoint is no URL such as https://storage.example.com, without credentials")
		}
		if e.Scheme == "http" && anonymous != "true" {
			return "", nil, fmt.Errorf("endpoint %q would carry credentials unencrypted; use https, or add anonymous=true", endpoint)
		}
		opts = append(opts, option.WithEndpoint(strings.TrimSuffix(e.Scheme+"://"+e.Host+e.Path, "/")+endpointPath))
	}
	for key := range query {
		if key != "endpoint" && key != "anonymous" {
			return "", nil, fmt.Errorf("parameter %q is unknown; %s", key, form)
		}
	}
	return u.Host, opts, nil
}

// probe requests an absent object. A refusal proves as well that the bucket exists.
func (s *Staging) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := s.bucket.Object(".repomill/probe").Attrs(ctx)
	err = s.explain("read", "", "storage.objects.get", err)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// Name returns the bucket's name.
func (s *Staging) Name() string { return s.name }

// Close releases the connections.
func (s *Staging) Close() error { return s.client.Close() }
