package stats_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/pipelines/stats"
	"repomill/testdata/gcstest"
	"repomill/testdata/s3test"
)

// An object of a bucket of logs is counted once in each of its versions, below a prefix alone.
func TestObjectsAreCountedOnce(t *testing.T) {
	s3server, gcs := s3test.Start(t), gcstest.Start(t)
	inS3, inGCS := s3server.URL("logs"), gcs.URL("logs")
	for _, tt := range []struct {
		store, logs string
		put         func(name string, body []byte)
	}{
		{"S3", strings.Replace(inS3, "s3://logs?", "s3://logs/cdn/?", 1), func(name string, body []byte) {
			_, err := s3server.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("logs"), Key: aws.String(name), Body: bytes.NewReader(body)})
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"Cloud Storage", strings.Replace(inGCS, "gs://logs?", "gs://logs/cdn/?", 1), func(name string, body []byte) {
			gcs.Create(gcstest.Object{Bucket: "logs", Name: name, ContentType: "application/octet-stream"}, body)
		}},
	} {
		t.Run(tt.store, func(t *testing.T) {
			s := newSite(t)
			count := func(want stats.Summary, downloads int64) {
				t.Helper()
				r := s.run()
				r.Logs = []string{tt.logs}
				got, err := r.Do(t.Context())
				if err != nil || got != want {
					t.Errorf("got %+v, %v; want %+v", got, err, want)
				}
				s.has(downloads)
			}
			tt.put("cdn/2026/a.gz", zipped(t, s.lines(0, 7)))
			tt.put("cdn/b", []byte(strings.TrimSuffix(s.lines(7, 10), "\n"))) // the last line has no end
			tt.put("other/c", []byte(s.lines(0, 100)))
			count(stats.Summary{Logs: 2, Lines: lines(10)}, 10)
			count(stats.Summary{Unchanged: 2}, 10)
			tt.put("cdn/late", []byte(s.lines(0, 3))) // the same lines as of another log: they are others
			count(stats.Summary{Logs: 1, Unchanged: 2, Lines: lines(3)}, 13)
		})
	}
}

// What else is in a folder holds up no log: a pipe without a writer, a link to a file that was removed, a file that is being compressed.
func TestOtherFilesHoldUpNoLog(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	for name, body := range map[string][]byte{"access.log": []byte(s.lines(0, 3)), "access.log.1.gz": zipped(t, s.lines(3, 9))[:8]} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "a-pipe"), 0o644), os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "a-link"))); err != nil {
		t.Fatal(err)
	}
	r := s.run()
	r.Logs = []string{dir}
	if got, err := r.Do(t.Context()); err != nil || got != (stats.Summary{Logs: 1, Failed: 1, Lines: lines(3)}) {
		t.Errorf("got %+v, %v", got, err)
	}
	s.has(3)
}

func TestLogsThatAreNoneSayWhatToDo(t *testing.T) {
	s := newSite(t)
	for logs, want := range map[string]string{
		"/no/such/file":                  "no file has this name",
		"http://host/logs":               "use s3://bucket/prefix",
		"[":                              "syntax error in pattern",
		"s3://user:secret@logs?region=x": "credentials",
	} {
		r := s.run()
		r.Logs = []string{logs}
		if _, err := r.Do(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: got %v, want %q", logs, err, want)
		}
	}
}
