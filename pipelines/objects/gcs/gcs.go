// Package gcs keeps the staging bucket in Google Cloud Storage.
//
// Every object has a generation, which Google draws anew with each write; reads, deletions and
// conditional writes name it, so that nothing here depends on who was faster.
//
// # Permissions
//
// On the bucket, and nothing wider:
//
//   - CI ("push") needs storage.objects.create, and storage.objects.get to read its verdict
//     (roles/storage.objectCreator, and roles/storage.objectViewer or a role with get alone).
//     To put another file under a name that staging still has, it needs storage.objects.delete.
//   - The worker needs storage.objects.list, get, create and delete (roles/storage.objectUser).
//     Verdicts lie in the same bucket, under .results/.
//   - Google tells somebody without storage.objects.list that an absent object is forbidden (403)
//     rather than absent (404). Where the answer says so, it is taken for absent.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"

	"repomill/schemas/layout"
)

// A Staging is a staging bucket in Google Cloud Storage.
type Staging struct {
	client *storage.Client
	bucket *storage.BucketHandle
	name   string
	stall  time.Duration // how long a request may make no progress, retries included
	chunk  int           // how much of a file is sent in one request, in bytes
}

// stallTime is how long a request may make no progress. A chunk of an upload is one request.
const stallTime = 3 * time.Minute

// chunkSize is how much of a file is sent in one request, in bytes. Each upload holds as much in memory.
const chunkSize = 8 << 20

// probeTime bounds the first request, after which a bucket counts as unreachable.
const probeTime = 20 * time.Second

// OpenStaging opens the staging bucket of a URL gs://bucket[?endpoint=URL][&anonymous=true]. Without
// anonymous it uses Google's application default credentials. It makes sure that the bucket can be
// reached and exists; whether the permissions suffice shows with the first use, because CI and the
// worker need different ones.
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
	client.SetRetry(storage.WithErrorFunc(storage.ShouldRetry),
		storage.WithBackoff(gax.Backoff{Initial: 200 * time.Millisecond, Max: 10 * time.Second, Multiplier: 2}))
	s := &Staging{client: client, bucket: client.Bucket(name), name: name, stall: stallTime, chunk: chunkSize}
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
		opts = append(opts, option.WithEndpoint(strings.TrimSuffix(e.Scheme+"://"+e.Host+e.Path, "/")+"/storage/v1/"))
	}
	for key := range query {
		if key != "endpoint" && key != "anonymous" {
			return "", nil, fmt.Errorf("parameter %q is unknown; %s", key, form)
		}
	}
	return u.Host, opts, nil
}

// probe asks for an object that should not be there. A refusal proves the bucket's existence no less.
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
