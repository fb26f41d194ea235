package main_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

// A killed repomill up leaves the uploads that it was receiving. The next start removes them, and not what a push of another
// process is writing into staging.
func TestStartRemovesUploadsThatWereInterrupted(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	s := restart(t, data)
	s.does(t, 0, "", "repo", "create", "acme/tools")
	token := apiToken(t, data, "acme", "ci", "push")
	parts := func() (all []string) {
		for _, place := range []string{"/staging/.incoming/.*.part", "/staging/acme/tools/ubuntu/jammy/main/.*.part", "/staging/acme/tools/ubuntu/jammy/.*.part"} {
			some, err := filepath.Glob(data + place)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, some...)
		}
		return all
	}
	begun, rest := io.Pipe()
	defer rest.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+"/api/v1/upload/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb", begun)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(token, "")
	req.ContentLength = 8_000_000
	done := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	if _, err := io.WriteString(rest, "!<arch>\n"+strings.Repeat("x", 1_000_000)); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "a part of the upload is in staging", func() bool { return len(parts()) == 1 })
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	rest.CloseWithError(io.ErrUnexpectedEOF) //nolint:errcheck // always nil
	if err := <-done; err == nil {
		t.Error("the upload has an answer")
	}
	if left := parts(); len(left) != 1 {
		t.Fatalf("left: %q", left)
	}

	staging, err := file.OpenStaging("file://" + data + "/staging") // as repomill push of another process does
	if err != nil {
		t.Fatal(err)
	}
	defer staging.Close()
	slow, more := io.Pipe()
	pushed := make(chan error)
	go func() {
		_, err := staging.Put(t.Context(), "acme/tools/ubuntu/jammy/other.deb", slow, catalog.Pusher{})
		pushed <- err
	}()
	if _, err := io.WriteString(more, "slow"); err != nil {
		t.Fatal(err)
	}
	again := restart(t, data)
	if left := parts(); len(left) != 1 {
		t.Errorf("after the start there are %q, want that of the push", left)
	}
	again.logs(t, "removed what interrupted uploads have left in staging")
	more.Close()
	if err := <-pushed; err != nil {
		t.Errorf("the push: %v", err)
	}
}
