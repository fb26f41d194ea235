package main_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// The API is killed while a file arrives whose place it does not know yet: nothing of it is published, and CI pushes it again.
func TestKillTheAPIInAForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/tools")
	api := beginAPI(t, s.data, "127.0.0.1:0")
	p := pusher{"http://" + addressIn(t, api, "listen"), apiToken(t, s.data, "acme", "ci", "push")}
	file := newDEB(t, debtest.Spec{Name: "hello", Size: 2_000_000})
	kind, body := restClient("hello.deb", file.body, "237")

	begun, rest := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/v1/repos/acme/tools/packages.json", begun)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(p.token, "")
	req.Header.Set("Content-Type", kind)
	req.ContentLength = int64(len(body))
	done := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	if _, err := io.WriteString(rest, body[:1_000_000]); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "a part of the file is in staging", func() bool {
		parts, err := filepath.Glob(s.data + "/staging/.incoming/.*.part")
		return err == nil && len(parts) == 1
	})
	if err := api.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-api.Done
	rest.CloseWithError(io.ErrUnexpectedEOF) //nolint:errcheck // always nil
	if err := <-done; err == nil {
		t.Error("the push has an answer")
	}
	if r := s.status(t, "acme/tools"); len(r.Uploads) != 0 {
		t.Errorf("uploads: %+v", r.Uploads)
	}
	p.url = s.url // of repomill up
	if status, _, text := p.do(t, http.MethodPost, "/api/v1/repos/acme/tools/packages.json", kind, strings.NewReader(body)); status != 201 || !strings.Contains(string(text), `"indexed":true`) {
		t.Errorf("again: got %d %s", status, text)
	}
	if left, err := filepath.Glob(s.data + "/staging/.incoming/*"); err != nil || len(left) != 1 { // for a day
		t.Errorf("left: %v, %v", left, err)
	}
}
