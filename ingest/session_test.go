package ingest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"

	"repomill/pipelines/objects/gcs"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/gcstest"
)

// A file that was sent to the store itself is published only if it is the one that was declared to the API.
func TestUploadsInSessionsAreWhatWasDeclared(t *testing.T) {
	server := gcstest.Start(t)
	bucket, err := gcs.OpenStaging(t.Context(), server.URL("staging"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	for i, tt := range []struct {
		name   string
		body   []byte
		of     []byte // whose digest is declared; nil for the body's
		reason catalog.Reason
		detail string
	}{
		{"the same", hello(t), nil, "", ""},
		{"another small file", hello(t), []byte("x"), catalog.BadDigest, "was declared when its session began"},
		{"another large file", debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 300_000}), []byte("x"), catalog.BadDigest, "was declared when its session began"},
		{"no package", bytes.Repeat([]byte("x"), 1000), []byte("x"), catalog.NotAPackage, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.Staging = bucket
			declared := tt.of
			if declared == nil {
				declared = tt.body
			}
			sum := sha256.Sum256(declared)
			object := fmt.Sprintf("%s%d", debObject, i)
			d := catalog.Declared{Size: int64(len(tt.body)), SHA256: hex.EncodeToString(sum[:]), Until: time.Now().Add(time.Hour)}
			url, err := bucket.Begin(t.Context(), object, d, catalog.Pusher{User: "token ci"})
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, bytes.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			u, err := bucket.Stat(t.Context(), object)
			if err != nil {
				t.Fatal(err)
			}
			stored, err := s.Store(t.Context(), u)
			if tt.reason != "" {
				wantRejection(t, err, tt.reason, tt.detail)
				s.wantNothing()
			} else if err != nil || stored.Package.Pusher.User != "token ci" {
				t.Errorf("got %+v, %v", stored.Package, err)
			}
		})
	}
}
