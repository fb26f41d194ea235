package gcs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects"
	"repomill/pipelines/objects/gcs"
	"repomill/pipelines/objects/objectstest"
	"repomill/schemas/catalog"
	"repomill/testdata/gcstest"
)

var _ objects.Staging = (*gcs.Staging)(nil)

const staged = objectstest.Staged

func TestStaging(t *testing.T) {
	t.Parallel()
	objectstest.TestStaging(t, func(t *testing.T) objectstest.Staging {
		s, _ := start(t)
		return s
	})
}

// start returns an empty bucket with its server.
func start(t *testing.T) (*gcs.Staging, *gcstest.Server) {
	t.Helper()
	server := gcstest.Start(t)
	s, err := gcs.OpenStaging(t.Context(), server.URL("staging-bucket"))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s, server
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s *gcs.Staging, object, body string, by catalog.Pusher) catalog.Upload {
	t.Helper()
	u, err := s.Put(t.Context(), object, strings.NewReader(body), by)
	must(t, err)
	return u
}

func read(t *testing.T, s *gcs.Staging, u catalog.Upload) (string, catalog.Pusher, error) {
	t.Helper()
	r, by, err := s.Open(t.Context(), u)
	if err != nil {
		return "", by, err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	return string(body), by, err
}

// checkBody fails unless an upload has these bytes.
func checkBody(t *testing.T, s *gcs.Staging, u catalog.Upload, want string) {
	t.Helper()
	if got, _, err := read(t, s, u); got != want || err != nil {
		t.Errorf("%s: got %d bytes %.20q, %v; want %d bytes %.20q", u, len(got), got, err, len(want), want)
	}
}

func TestPusher(t *testing.T) {
	long := strings.Repeat("é", 1000)
	for _, tt := range []struct {
		name     string
		by, want catalog.Pusher
	}{
		{"nobody", catalog.Pusher{}, catalog.Pusher{}},
		{"a user in a job", catalog.Pusher{User: "release-bot", Job: "https://ci.example.com/1?a=b&c=d"}, catalog.Pusher{User: "release-bot", Job: "https://ci.example.com/1?a=b&c=d"}},
		{"a user alone", catalog.Pusher{User: "José"}, catalog.Pusher{User: "José"}},
		{"what cannot be shown is left out", catalog.Pusher{User: " a\u202eb\u00a0 ", Job: "x\u200b[31my\xff"}, catalog.Pusher{User: "ab", Job: "x[31my"}},
		{"what is long is cut", catalog.Pusher{User: long, Job: long}, catalog.Pusher{User: long[:100], Job: long[:500]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, server := start(t)
			own := catalog.Pusher{User: "\x00" + tt.by.User, Job: "\r\n\x1b" + tt.by.Job}
			_, by, err := read(t, s, put(t, s, staged, "hello", own))
			if diff := cmp.Diff(tt.want, by); diff != "" || err != nil {
				t.Errorf("of our own upload, %v (-want +got):\n%s", err, diff)
			}
			metadata := map[string]string{"repomill-user": tt.by.User, "repomill-job": tt.by.Job, "other": "x"}
			server.Create(gcstest.Object{Bucket: s.Name(), Name: "foreign", Metadata: metadata}, []byte("hello"))
			u, err := s.Stat(t.Context(), "foreign")
			must(t, err)
			_, by, err = read(t, s, u)
			if diff := cmp.Diff(tt.want, by); diff != "" || err != nil {
				t.Errorf("of a stranger's upload, %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What HTTP delivers of an object with Content-Encoding gzip are not the bytes that are stored.
func TestCompressedByTheTool(t *testing.T) {
	s, server := start(t)
	server.Create(gcstest.Object{Bucket: s.Name(), Name: staged, ContentEncoding: "gzip", Metadata: map[string]string{"repomill-user": "kim"}},
		[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00"))
	u, err := s.Stat(t.Context(), staged)
	must(t, err)
	var rej *catalog.Rejection
	if _, by, err := read(t, s, u); by.User != "kim" || !errors.As(err, &rej) || rej.Reason != catalog.Unsupported || !strings.Contains(rej.Detail, "gsutil") {
		t.Errorf("got %v by %q, want a rejection that says how to push", err, by.User)
	}
}

func TestListLeavesOutFoldersOfConsole(t *testing.T) {
	s, _ := start(t)
	put(t, s, "acme/", "", catalog.Pusher{})
	put(t, s, "acme/tools/", "", catalog.Pusher{})
	want := []catalog.Upload{put(t, s, "acme/odd/", "x", catalog.Pusher{})}
	var got []catalog.Upload
	must(t, s.List(t.Context(), time.Time{}, func(u catalog.Upload) { got = append(got, u) }))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

func TestListOfManyPages(t *testing.T) {
	s, server := start(t)
	const objects = 240 // a page has 50
	for i := range objects {
		server.Create(gcstest.Object{Bucket: s.Name(), Name: strings.Repeat("a", 1+i/50) + strings.Repeat("b", i%50)}, nil)
	}
	seen := map[string]bool{}
	must(t, s.List(t.Context(), time.Time{}, func(u catalog.Upload) { seen[u.Object] = true }))
	if len(seen) != objects {
		t.Errorf("listed %d, want %d", len(seen), objects)
	}
}

func TestUploadsOfAnotherBucket(t *testing.T) {
	s, _ := start(t)
	u := put(t, s, staged, "hello", catalog.Pusher{})
	u.Bucket = "other-bucket"
	if _, _, err := s.Open(t.Context(), u); err == nil || errors.Is(err, catalog.ErrGone) || !strings.Contains(err.Error(), "--staging") {
		t.Errorf("open: got %v, want a fault that names --staging", err)
	}
	if err := s.Delete(t.Context(), u); err == nil || !strings.Contains(err.Error(), "--staging") {
		t.Errorf("delete: got %v, want a fault that names --staging", err)
	}
}

func TestVerdictHeaders(t *testing.T) {
	s, server := start(t)
	must(t, s.PutVerdict(t.Context(), staged, "", []byte("{}")))
	o, ok := server.Object(s.Name(), ".results/"+staged+".json")
	if !ok || o.ContentType != "application/json" || o.CacheControl != "no-store" {
		t.Errorf("got %+v, %v", o, ok)
	}
}

func TestURLs(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "absent.json"))
	for _, tt := range []struct{ name, url, want string }{
		{"without a bucket", "gs://", "use gs://bucket"},
		{"of another kind", "s3://bucket", "use gs://bucket"},
		{"with a folder", "gs://bucket/folder", "a folder within the bucket"},
		{"with a password", "gs://user:secret@bucket", "use gs://bucket"},
		{"with an unknown parameter", "gs://bucket?region=x", `"region" is unknown`},
		{"with a strange answer", "gs://bucket?anonymous=yes", "true or false"},
		{"with an endpoint that is no URL", "gs://bucket?endpoint=localhost:1234", "https://storage.example.com"},
		{"with credentials over an open line", "gs://bucket?endpoint=http://localhost:1234", "use https, or add anonymous=true"},
		{"without credentials", "gs://bucket", "gcloud auth application-default login"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := gcs.OpenStaging(t.Context(), tt.url)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--staging") {
				t.Errorf("got %v, want --staging and %q", err, tt.want)
			}
		})
	}
}

func TestOpenUnreachableBucket(t *testing.T) {
	server := gcstest.Start(t)
	if _, err := gcs.OpenStaging(t.Context(), server.URLOf("absent")); err == nil || !strings.Contains(err.Error(), "there is no such bucket; check --staging") {
		t.Errorf("an absent bucket: got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := gcs.OpenStaging(ctx, "gs://bucket?anonymous=true&endpoint=http://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "cannot be reached; check --staging") {
		t.Errorf("nobody listens: got %v", err)
	}
}

func always(*http.Request) bool { return true }

// CI and the worker need different permissions, so OpenStaging accepts a bucket that refuses its request.
func TestPermissions(t *testing.T) {
	server := gcstest.Start(t)
	server.Fail(gcstest.Forbidden, 1, always)
	s, err := gcs.OpenStaging(t.Context(), server.URL("staging-bucket"))
	must(t, err)
	defer s.Close()
	u := put(t, s, staged, "hello", catalog.Pusher{})
	for name, call := range map[string]func() error{
		"storage.objects.get":               func() error { _, _, err := s.Open(t.Context(), u); return err },
		"storage.objects.get on the bucket": func() error { _, _, err := s.Verdict(t.Context(), staged); return err },
		"storage.objects.list":              func() error { return s.List(t.Context(), time.Time{}, func(catalog.Upload) {}) },
		"storage.objects.delete":            func() error { return s.Delete(t.Context(), u) },
		"storage.objects.create":            func() error { return s.PutVerdict(t.Context(), staged, "", nil) },
		"storage.objects.create (and, if the name is taken, sto": func() error {
			_, err := s.Put(t.Context(), staged, strings.NewReader("x"), catalog.Pusher{})
			return err
		},
	} {
		server.Fail(gcstest.Forbidden, 1, always)
		if err := call(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--staging") {
			t.Errorf("got %v, want ErrPermission that names %s and --staging", err, name)
		}
	}
	// Without the permission to list, the answer for an absent object is 403.
	server.Fail(gcstest.Unlisted, 1, always)
	if _, _, err := s.Verdict(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a verdict that is not there yet: got %v, want ErrNotExist", err)
	}
	server.Fail(gcstest.Unlisted, 1, always)
	if err := s.List(t.Context(), time.Time{}, func(catalog.Upload) {}); err == nil {
		t.Error("a bucket that may not be listed looks empty")
	}
}
