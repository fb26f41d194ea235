package packagecloud_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects/gcs"
	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
	"repomill/testdata/gcstest"
)

// In Cloud Storage a file gets its place by a copy within the bucket, and whose it is stays with it.
func TestPushToCloudStorage(t *testing.T) {
	server := gcstest.Start(t)
	staging, err := gcs.OpenStaging(t.Context(), server.URL("in"))
	if err != nil {
		t.Fatal(err)
	}
	defer staging.Close()
	s := newSiteWith(t, func(c *upload.Config) { c.Staging = staging })
	large := with(aFile, fileName, strings.Repeat(bytesOf, 500_000)) // more than one request of the store
	if res, text := s.push([]part{large, anID}, async, "Idempotency-Key: 1", "Repomill-Job: https://ci.example/1"); res.StatusCode != 201 {
		t.Fatalf("got %d %s", res.StatusCode, text)
	}
	if res, text := s.push([]part{large, anID}, async, "Idempotency-Key: 1"); res.StatusCode != 201 {
		t.Errorf("again: got %d %s", res.StatusCode, text)
	}
	var all []catalog.Upload
	if err := staging.List(t.Context(), time.Now(), func(u catalog.Upload) { all = append(all, u) }); err != nil || len(all) != 1 {
		t.Fatalf("staged: %v, %v; want one", all, err)
	}
	r, by, err := staging.Open(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); string(got) != large.body || err != nil || by != (catalog.Pusher{User: "token pusher", Job: "https://ci.example/1"}) {
		t.Errorf("staged: %d bytes, %v, by %+v", len(got), err, by)
	}
	if err := staging.SweepIncoming(t.Context(), time.Now().Add(48*time.Hour)); err != nil {
		t.Error(err)
	}
	if n := server.Served("DELETE"); n != 2 { // of the first push, and of the second, which was the same
		t.Errorf("%d objects were removed, want the two hidden ones", n)
	}
}
