package upload_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
	"repomill/testdata/gcstest"
)

// openBucket starts a door over a bucket in the cloud.
func openBucket(t *testing.T, change func(*upload.Config)) (*door, objects.Staging, *gcstest.Server) {
	t.Helper()
	server := gcstest.Start(t)
	staging, err := objects.OpenStaging(t.Context(), server.URL("staging-bucket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	d := open(t, func(c *upload.Config) {
		c.Staging = staging
		if change != nil {
			change(c)
		}
	})
	return d, staging, server
}

func declaring(body string) string {
	return fmt.Sprintf(`{"size":%d,"sha256":%q}`, len(body), sum(body))
}

func (d *door) begin(t *testing.T, path, declared string, headers ...string) reply {
	t.Helper()
	return d.call(t, http.MethodPost, path+"?session", strings.NewReader(declared), headers...)
}

// begun decodes the answer to who begins a session.
func (r reply) begun(t *testing.T) (b upload.Begun) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &b); err != nil || r.status != http.StatusCreated || b.Session.URL == "" {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return b
}

// sendTo sends a file to a session as any client would, and returns the answer's status.
func sendTo(t *testing.T, b upload.Begun, body string) int {
	t.Helper()
	for at := 0; ; at += int(b.Session.Chunk) {
		end := min(at+int(b.Session.Chunk), len(body))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, b.Session.URL, strings.NewReader(body[at:end]))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, end-1, len(body)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusPermanentRedirect {
			return resp.StatusCode
		}
	}
}

func TestAFileInASessionPassesTheAPIBy(t *testing.T) {
	var received atomic.Int64
	d, staging, _ := openBucket(t, func(c *upload.Config) {
		c.Observe = func(a upload.Answer) { received.Add(a.Bytes) }
	})
	body := strings.Repeat("x", 10_000_000)
	b := d.begin(t, place, declaring(body), "Repomill-Job: https://ci.example/forged").begun(t)
	if left := time.Until(b.Session.Until); left > 24*time.Hour || left < 23*time.Hour {
		t.Errorf("the session ends in %s", left)
	}
	path := upload.VerdictPath + b.ID
	if got := d.call(t, http.MethodGet, path, nil); got.status != 404 || !strings.Contains(got.body, "has not arrived yet") {
		t.Errorf("before it is sent: got %d %s", got.status, got.body)
	}
	if got := sendTo(t, b, body); got != 200 {
		t.Errorf("sent: got %d", got)
	}
	got := d.call(t, http.MethodGet, path, nil)
	report := got.report(t)
	if got.status != 202 || report.State != "staged" || report.Size != int64(len(body)) || report.URL != b.URL {
		t.Errorf("asked: got %d %s", got.status, got.body)
	}
	r, by, err := staging.Open(t.Context(), catalog.Upload{Bucket: staging.Name(), Object: report.Object, Generation: report.Generation})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stored, err := io.ReadAll(r)
	if want := (catalog.Pusher{User: "token push", Job: "https://ci.example/1"}); by != want || string(stored) != body || err != nil {
		t.Errorf("the worker reads %d bytes by %+v, %v; want it by %+v", len(stored), by, err, want)
	}
	if n := received.Load(); n != 0 {
		t.Errorf("%d bytes went through the API", n)
	}
}

func TestSessionsThatAreRefused(t *testing.T) {
	d, _, server := openBucket(t, func(c *upload.Config) { c.Limits.MaxSize = 100 })
	for _, tt := range []struct {
		name, path, declared, header string
		status                       int
		want                         string
	}{
		{"too large", place, fmt.Sprintf(`{"size":101,"sha256":%q}`, sum("")), "", 413, "larger than 100 bytes"},
		{"empty", place, declaring(""), "", 422, "the file is empty"},
		{"of less than no bytes", place, fmt.Sprintf(`{"size":-1,"sha256":%q}`, sum("")), "", 422, "needs the size"},
		{"without a SHA-256", place, `{"size":5}`, "", 422, "needs the SHA-256"},
		{"with a part of a SHA-256", place, `{"size":5,"sha256":"00"}`, "", 422, "needs the SHA-256"},
		{"with a CRC32C that is none", place, `{"size":5,"crc32c":"AAAA","sha256":"` + sum("") + `"}`, "", 422, "CRC32C cannot be read"},
		{"with the file itself", place, "!<arch>", "", 400, "64 HEXADECIMAL DIGITS"},
		{"with very much of it", place, strings.Repeat(" ", 5000), "", 400, "64 HEXADECIMAL DIGITS"},
		{"for a place that is none", "/api/v1/upload/acme/tools/ubuntu/utopia/hello.deb", declaring("x"), "", 422, "utopia"},
		{"for no caller", place, declaring("x"), "Authorization: Bearer nothing", 401, "not known here"},
		{"for one who may read", place, declaring("x"), "Authorization: Bearer read", 403, "it needs the scope"},
		{"for one of another owner", place, declaring("x"), "Authorization: Bearer other", 404, "no repository"},
	} {
		var headers []string
		if tt.header != "" {
			headers = append(headers, tt.header)
		}
		if got := d.begin(t, tt.path, tt.declared, headers...); got.status != tt.status || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s: got %d %s; want %d, %s", tt.name, got.status, got.body, tt.status, tt.want)
		}
	}
	if got := d.call(t, http.MethodPost, place, strings.NewReader("x")); got.status != 405 {
		t.Errorf("without ?session: got %d %s", got.status, got.body)
	}
	server.Fail(gcstest.Forbidden, 1, func(r *http.Request) bool { return r.Method == http.MethodPost })
	if got := d.begin(t, place, declaring("x")); got.status != 503 || strings.Contains(got.body, "staging-bucket") {
		t.Errorf("while staging does not work: got %d %s", got.status, got.body)
	}
	if n := server.Sessions(); n != 0 {
		t.Errorf("%d sessions have begun", n)
	}
}

func TestAFolderHasNoSessions(t *testing.T) {
	d := open(t, nil)
	if got := d.begin(t, place, declaring("x")); got.status != http.StatusNotImplemented || !strings.Contains(got.body, "with PUT") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	d.checkNothing(t)
}

func TestSessionsOfATokenAreLimited(t *testing.T) {
	d, _, _ := openBucket(t, func(c *upload.Config) { c.Limits.Sessions, c.Limits.SessionBurst = 0.001, 1 })
	d.begin(t, place, declaring("x")).begun(t)
	if got := d.begin(t, place, declaring("x")); got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	d.begin(t, place, declaring("x"), "Authorization: Bearer push2").begun(t)
	if got := d.put(t, place, "bytes"); got.status != 202 {
		t.Errorf("an upload: got %d %s", got.status, got.body)
	}
}

func TestSessionsWithOneKey(t *testing.T) {
	d, staging, _ := openBucket(t, nil)
	const key = "Idempotency-Key: k"
	first := d.begin(t, place, declaring("bytes"), key).begun(t)
	second := d.begin(t, place, declaring("bytes"), key).begun(t) // the answer was lost, perhaps
	if first.ID != second.ID {
		t.Errorf("got two uploads: %s, %s", first.ID, second.ID)
	}
	if a, b := sendTo(t, second, "bytes"), sendTo(t, first, "bytes"); a != 200 || b != 412 {
		t.Errorf("sent: got %d and %d, want 200 and 412", a, b)
	}
	again := d.begin(t, place, declaring("bytes"), key)
	there, err := staging.Stat(t.Context(), again.report(t).Object)
	if again.status != 202 || again.report(t).Generation != there.Generation || again.report(t).ID != first.ID || err != nil {
		t.Errorf("the same: got %d %s; %v", again.status, again.body, err)
	}
	for _, other := range []string{"other", "more bytes"} {
		if got := d.begin(t, place, declaring(other), key); got.status != 422 || !strings.Contains(got.body, "use another key") {
			t.Errorf("another file: got %d %s", got.status, got.body)
		}
	}
	if got := d.put(t, place, "bytes", key); got.status != 202 || got.report(t).Generation != there.Generation {
		t.Errorf("the same without a session: got %d %s", got.status, got.body)
	}

	const other = "Idempotency-Key: an upload"
	put := d.put(t, place, "bytes", other)
	if got := d.begin(t, place, declaring("bytes"), other); got.status != 202 || got.report(t).ID != put.report(t).ID {
		t.Errorf("a session for what was uploaded: got %d %s", got.status, got.body)
	}
	if got := d.begin(t, place, declaring("bytez"), other); got.status != 422 {
		t.Errorf("a session for another file: got %d %s", got.status, got.body)
	}
}

// What was sent is not what was declared: the worker says so.
func TestASessionWithAnotherDigestIsRejected(t *testing.T) {
	d, staging, _ := openBucket(t, nil)
	b := d.begin(t, place, declaring("bytez")).begun(t)
	if got := sendTo(t, b, "bytes"); got != 200 {
		t.Errorf("sent: got %d", got)
	}
	report := d.call(t, http.MethodGet, upload.VerdictPath+b.ID, nil).report(t)
	r, _, err := staging.Open(t.Context(), catalog.Upload{Bucket: staging.Name(), Object: report.Object, Generation: report.Generation})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = io.ReadAll(r)
	if rej, ok := errors.AsType[*catalog.Rejection](err); !ok || rej.Reason != catalog.BadDigest {
		t.Errorf("got %v", err)
	}
}
