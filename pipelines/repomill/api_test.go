package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// curl runs curl and returns the status and the body of the answer.
func curl(t *testing.T, args ...string) (status, body string) {
	t.Helper()
	a := proctest.Run(t, nil, "curl", append([]string{"-sS", "-w", "\n%{http_code}"}, args...)...)
	if a.Code != 0 {
		t.Fatalf("curl %q: %v", args, a)
	}
	i := strings.LastIndex(a.Stdout, "\n")
	return a.Stdout[i+1:], a.Stdout[:i]
}

// A package that is pushed to a running up from elsewhere is published as every other one, and curl prints the verdict.
func TestUploadsToUpOverHTTP(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "curl")
	s := newSite(t)
	push, read := apiToken(t, s.data, "acme", "ci", "push"), apiToken(t, s.data, "other", "host", "manage")
	deb, rpm := newDEB(t, debtest.Spec{Name: "hello", Size: 2_000_000}), newRPM(t, rpmtest.Spec{Name: "hello"})
	api := s.url + "/api/v1/upload/acme/tools/"

	status, body := curl(t, "-T", deb.path, "-H", "Authorization: Bearer "+push, api+"ubuntu/jammy/")
	var v struct {
		URL string
		catalog.Verdict
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != "201" || v.State != catalog.Published || v.SHA256 != deb.sha256() || v.Size != int64(len(deb.body)) {
		t.Fatalf("got %s %s, %v", status, body, err)
	}
	if got := s.fetch(t, v.Key); digest(got) != deb.sha256() {
		t.Errorf("clients get other bytes: %d", len(got))
	}
	if status, again := curl(t, "-u", push+":", v.URL); status != "200" || !strings.Contains(again, `"state":"published"`) {
		t.Errorf("asked again: got %s %s", status, again)
	}
	if status, body := curl(t, "-T", deb.path, "-u", push+":", api+"ubuntu/jammy/"); status != "200" || !strings.Contains(body, `"state":"duplicate"`) {
		t.Errorf("the same bytes: got %s %s", status, body)
	}
	other := newFile(t, "hello.deb", debtest.Build(t, debtest.Spec{Name: "hello", Size: 2_000_001}))
	if status, body := curl(t, "-T", other.path, "-u", push+":", api+"ubuntu/jammy/"); status != "422" || !strings.Contains(body, "conflict: ") {
		t.Errorf("other bytes: got %s %s", status, body)
	}

	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(push+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := repomill(t, "push", "--wait", "--json", "--server", s.url, "--token-file", token, "acme/tools/el/9", rpm.path)
	if vs := verdicts(t, a.Stdout); a.Code != 0 || len(vs) != 1 || vs[0].State != catalog.Published || vs[0].SHA256 != rpm.sha256() {
		t.Errorf("push --server: %v", a)
	}
	if status, _ := curl(t, "-T", deb.path, "-u", read+":", api+"ubuntu/jammy/"); status != "404" {
		t.Errorf("with a token of another owner: got %s", status)
	}
	if status, body := get(t, s.url+"/api"); status != http.StatusNotFound {
		t.Errorf("what is not below /api/ is the resolver's: got %d %s", status, body)
	}
	s.does(t, 0, "", "token", "revoke", "acme", "ci")
	proctest.Eventually(t, "a revoked token opens nothing", func() bool {
		status, body := curl(t, "-T", deb.path, "-u", push+":", api+"ubuntu/jammy/")
		return status == "401" && strings.Contains(body, "was revoked on")
	})
	if n := len(s.status(t, "acme/tools").Uploads); n < 4 {
		t.Errorf("%d uploads, want four at least", n)
	}
}

// Nothing is open by default.
func TestUpTakesNothingWithoutAToken(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, token := range []string{"", "push-tools", "x"} {
		req, err := http.NewRequest(http.MethodPut, s.url+"/api/v1/upload/acme/tools/ubuntu/jammy/a.deb", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.SetBasicAuth(token, "")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != `Basic realm="repomill"` {
			t.Errorf("token %q: got %s", token, resp.Status)
		}
	}
}

// The role has answers for those who wait when it is stopped, and what operators ask.
func TestAPIAlone(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "curl")
	data := proctest.OpenDir(t)
	if err := os.Mkdir(data+"/staging", 0o755); err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	p, token := beginAPI(t, data, "127.0.0.1:0"), apiToken(t, data, "all", "ci", "push")
	ops := "http://" + addressIn(t, p, "ops")
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		if status, body := get(t, ops+path); status != 200 || string(body) != "ok\n" {
			t.Errorf("%s: got %d %s", path, status, body)
		}
	}
	time.AfterFunc(time.Second, func() { p.Cmd.Process.Signal(syscall.SIGTERM) }) //nolint:errcheck // the exit code says it
	deb, start := newDEB(t, debtest.Spec{}), time.Now()
	status, body := curl(t, "-T", deb.path, "-u", token+":", "http://"+addressIn(t, p, "listen")+"/api/v1/upload/acme/tools/ubuntu/jammy/?wait=60s")
	if status != "202" || time.Since(start) > 20*time.Second {
		t.Errorf("got %s after %s: %s", status, time.Since(start), body)
	}
	if a := p.Wait(t); a.Code != 0 {
		t.Errorf("after SIGTERM: %v", a)
	}
	for _, args := range [][]string{
		{"--staging", "s3://x", "--catalog", "sqlite://" + data + "/catalog.db", "--public-url", "https://x"},
		{"--staging", "file://" + data + "/staging", "--catalog", "x", "--public-url", "https://x"},
		{"--staging", "file://" + data + "/staging", "--catalog", "sqlite://" + data + "/catalog.db", "--public-url", "x"},
	} {
		if a := repomill(t, append([]string{"api"}, args...)...); a.Code != 2 {
			t.Errorf("%q: %v", args, a)
		}
	}
	if a := repomill(t, "api", "--staging", "file://"+data+"/absent", "--catalog", "sqlite://"+data+"/catalog.db", "--public-url", "https://x"); a.Code != 4 {
		t.Errorf("without its staging folder: %v", a)
	}
}
