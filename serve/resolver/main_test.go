package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/layout"
	"repomill/serve"
)

// contextOf is a context of its own: that of a test ends before its cleanup.
func contextOf(testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func TestCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	w.put("acme/public/gpgkey", []byte("a key"))
	for _, tt := range []struct {
		url     string
		header  string
		status  int
		content string
	}{
		{r.url + "/healthz", "X: y", 200, "ok\n"},
		{r.url + "/livez", "X: y", 200, "ok\n"},
		{r.url + "/readyz", "X: y", 200, "ok\n"},
		{r.ops + "/healthz", "X: y", 200, "ok\n"},
		{r.ops + "/livez", "X: y", 200, "ok\n"},
		{r.ops + "/readyz", "X: y", 200, "ok\n"},
		{r.url + "/metrics", "X: y", 404, "not found"},
		{r.url + "/acme/public/gpgkey", "X: y", 302, ""},
		{r.url + "/acme/public/gpgkey/acme-public-0123456789ABCDEF.pub.gpg", "X: y", 302, ""},
		{r.url + "/acme/private/gpgkey", "X: y", 401, "Unauthenticated"},
		{r.url + "/acme/private/gpgkey", bearer(goodToken), 302, ""},
		{r.url + "/acme/nothing/el/9.repo", "X: y", 404, "not found"},
		{r.ops + "/acme/public/gpgkey", "X: y", 404, ""},
		{r.ops + "/metrics", "X: y", 200, `repomill_resolver_requests_total{status="302",visibility="private"} 1`},
	} {
		if resp, body := get(t, tt.url, tt.header); resp.StatusCode != tt.status || !strings.Contains(body, tt.content) {
			t.Errorf("%s: got %d, %.2000q, want %d with %q", tt.url, resp.StatusCode, body, tt.status, tt.content)
		}
	}
	_, metrics := get(t, r.ops+"/metrics")
	for _, line := range []string{
		`repomill_resolver_requests_total{status="302",visibility="public"} 2`, `repomill_resolver_requests_total{status="401",visibility="private"} 1`,
		`repomill_resolver_requests_total{status="404",visibility="none"} 2`, `repomill_resolver_request_duration_seconds_count{kind="redirect"} 3`,
		`repomill_resolver_legacy_requests_total{rule="key-place"} 1`, `repomill_resolver_legacy_requests_total{rule="direct-download"} 0`,
		`repomill_resolver_requests_total{status="500",visibility="public"} 0`,
		`repomill_resolver_settings_age_seconds `, `repomill_resolver_clock_skew_seconds `, `repomill_resolver_signatures_total `, "go_goroutines ", "process_cpu_seconds_total ",
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s:\n%s", line, metrics)
		}
	}
	for _, secret := range []string{"acme", "gpgkey", goodToken} {
		if strings.Contains(metrics, secret) {
			t.Errorf("metrics have %q", secret)
		}
	}
	if code := r.stop(); code != command.OK {
		t.Errorf("exit code %d", code)
	}
	var messages []string
	for line := range strings.Lines(r.log.String()) {
		var l struct{ Msg, Level string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("the log has %q: %v", line, err)
		}
		messages = append(messages, l.Level+" "+l.Msg)
	}
	if want := []string{"INFO serving", "INFO stopping, finishing requests", "INFO stopped"}; !slices.Equal(messages, want) {
		t.Errorf("the log has %q, want %q", messages, want)
	}
}

// A fakeBucket has nothing, and a clock.
type fakeBucket struct{ clock time.Time }

func (b fakeBucket) Stat(context.Context, string) (layout.Meta, error) {
	return layout.Meta{Now: b.clock}, fs.ErrNotExist
}

func (b fakeBucket) Get(context.Context, string) (io.ReadCloser, layout.Meta, error) {
	return nil, layout.Meta{Now: b.clock}, fs.ErrNotExist
}

func TestReady(t *testing.T) {
	for _, tt := range []struct {
		name      string
		age, skew time.Duration // of the last contact, and then
		stopping  bool
		want      string // in the reason; empty if ready
	}{
		{"all is well", 0, 0, false, ""},
		{"the bucket is away, and the settings are good still", 10 * time.Minute, 0, false, ""},
		{"the bucket is away for long", 16 * time.Minute, 0, false, "check --bucket"},
		{"the clock is slow", 0, 3 * time.Minute, false, "set the clock"},
		{"the clock is fast", 0, -3 * time.Minute, false, "set the clock"},
		{"the clock is off a little", 0, time.Minute, false, ""},
		{"the end is near", 0, 0, true, "stopping"},
	} {
		now := time.Now().Add(-tt.age)
		s := &resolver{settings: serve.NewSettingsCache(serve.SettingsConfig{
			Bucket: fakeBucket{now.Add(tt.skew)}, MaxAge: settingsAge, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		})}
		if err := s.settings.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.stopping.Store(tt.stopping)
		w := httptest.NewRecorder()
		s.opsHandler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if (w.Code == http.StatusOK) != (tt.want == "") || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %d, %q, want %q", tt.name, w.Code, w.Body, tt.want)
		}
	}
}

// A wrong setting gives one line that names it and says what to use.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(other, []byte("AKIAIOSFODNN7EXAMPLE"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string // in the message, which is one line
	}{
		{"no such folder", []string{"--bucket", "file:///nonexistent/bucket"}, 4, "--bucket file:///nonexistent/bucket: there is no such folder"},
		{"no bucket of a kind", []string{"--bucket", "gs://x"}, 2, "--bucket: use s3://"},
		{"a bucket with a password", []string{"--bucket", "s3://user:hunter2@x"}, 4, "--bucket"},
		{"no key file", []string{"--key", "file:///nonexistent/key.pem"}, 2, "--key: open /nonexistent/key.pem"},
		{"the key itself", []string{"--key=-----BEGIN PRIVATE KEY-----hunter2"}, 2, "--key: use file:///"},
		{"the key itself, as if it were a flag", []string{"--key", "-----BEGIN PRIVATE KEY-----hunter2"}, 2, "--key: use file:///"},
		{"no key in the file", []string{"--key", "file://" + other}, 2, "--key file://" + other + ": no private key"},
		{"no key pair id", []string{"--key-pair-id", ""}, 2, "key pair id"},
		{"a CDN without a scheme", []string{"--cdn", "d111.cloudfront.net"}, 2, `--cdn "d111.cloudfront.net": use https://`},
		{"a CDN with a password", []string{"--cdn", "https://u:hunter2@d111.cloudfront.net"}, 2, "--cdn: want no user"},
		{"a CDN with a query", []string{"--cdn", "https://d111.cloudfront.net/?x=1"}, 2, "--cdn"},
		{"a CDN that apt refuses", []string{"--public-url", "https://packages.example.org", "--cdn", "http://d111.cloudfront.net"}, 2, "--cdn http://d111.cloudfront.net: apt refuses"},
		{"a CDN that is ourselves", []string{"--public-url", "https://packages.example.org", "--cdn", "https://Packages.example.org/"}, 2, "the host of --public-url"},
		{"a CDN that is ourselves, with the port", []string{"--public-url", "https://packages.example.org", "--cdn", "https://packages.example.org:443"}, 2, "the host of --public-url"},
		{"a CDN that is ourselves, with a dot", []string{"--public-url", "https://packages.example.org", "--cdn", "https://packages.example.org."}, 2, "the host of --public-url"},
		{"no public URL", []string{"--public-url", "packages"}, 2, "--public-url"},
		{"an address that is taken", []string{"--listen", busy.Addr().String()}, 4, "--listen"},
		{"an address for operators that is taken", []string{"--ops-listen", busy.Addr().String()}, 4, "--ops-listen"},
		{"no address", []string{"--listen", "8080"}, 2, "--listen"},
		{"an unknown way to serve", []string{"--serve-through", "all"}, 2, "--serve-through"},
		{"an unknown flag", []string{"--token", "x"}, 2, "--token"},
		{"a negative time", []string{"--grace=-1s"}, 2, "--grace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if code := resolve(ctx, w.flags(tt.args...), io.Discard, &log); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got := log.String(); !strings.Contains(got, tt.want) || strings.Count(got, "\n") != 1 || strings.Contains(got, "hunter2") || strings.Contains(got, "AKIA") {
				t.Errorf("got %q, want one line with %q", got, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if code := resolve(t.Context(), []string{"--help"}, &out, io.Discard); code != 0 || !strings.Contains(out.String(), "$REPOMILL_KEY_PAIR_ID") || !strings.HasPrefix(out.String(), "Usage: repomill-resolver ") {
		t.Errorf("got %d\n%s", code, out.String())
	}
}
