package s3_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects/s3"
	"repomill/testdata/s3test"
)

func TestOpenRefusesURLs(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"nothing", "", "use s3://bucket"},
		{"no bucket", "s3://?region=r", "use s3://bucket"},
		{"no bucket, but a prefix", "s3:///prefix", "use s3://bucket"},
		{"another scheme", "https://bucket.s3.amazonaws.com", "use s3://bucket"},
		{"a port", "s3://bucket:9000", "use s3://bucket"},
		{"credentials", "s3://AKIA:hunter2@bucket", "credentials do not belong into the URL"},
		{"no URL, and perhaps a secret in it", "s3://AKIA:hunter2@bucket\x7f", "--bucket is not a URL"},
		{"an unknown parameter", "s3://bucket?regoin=r", `unknown parameter "regoin"`},
		{"two regions", "s3://bucket?region=a&region=b", "region more than once"},
		{"path-style is no boolean", "s3://bucket?path-style=maybe", "path-style=maybe: use true or false"},
		{"an endpoint without a scheme", "s3://bucket?endpoint=127.0.0.1:9000", "endpoint: use http://host:port"},
		{"an endpoint with credentials", "s3://bucket?endpoint=http://a:hunter2@h:1", "endpoint: use http://host:port"},
		{"bad escapes", "s3://bucket?region=%zz", "read the URL's parameters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s3.OpenBucket(t.Context(), tt.url)
			checkError(t, err, tt.want)
		})
	}
}

// checkError fails unless an error says what to fix, names the setting and keeps secrets.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--bucket") {
		t.Errorf("got %v, want --bucket and %q", err, want)
	}
	for _, secret := range []string{"hunter2", s3test.SecretKey} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%v shows a secret", err)
		}
	}
}

// What a real server answers to wrong settings.
func TestOpenWithWrongSettings(t *testing.T) {
	server := s3test.Start(t)
	right := server.URL("published")
	for _, tt := range []struct {
		name, url, env, want string
	}{
		{"no such bucket", strings.Replace(right, "published", "publishd", 1), "", "there is no such bucket"},
		{"another region", strings.Replace(right, "us-east-1", "eu-west-1", 1), "", "region=R"},
		{"an unknown access key", right, "AWS_ACCESS_KEY_ID=AKIAUNKNOWN", "does not know the access key"},
		{"another secret", right, "AWS_SECRET_ACCESS_KEY=hunter2", "check AWS_SECRET_ACCESS_KEY"},
		{"no credentials", right, "AWS_ACCESS_KEY_ID=", "found no AWS credentials"},
		{"no such profile", right + "&profile=nobody", "", "nobody"},
		{"no region", "s3://published", "", "add ?region=R"},
		{"TLS where there is none", strings.Replace(right, "http%3A", "https%3A", 1), "", "use endpoint=http://"},
		{"nobody listens", "s3://published?endpoint=http://127.0.0.1:1", "", "the store cannot be reached"},
		{"no such host", "s3://published?endpoint=http://store.invalid", "", "correct the URL's endpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				t.Setenv(name, value)
			}
			_, err := s3.OpenBucket(t.Context(), tt.url)
			checkError(t, err, tt.want)
		})
	}
}

func TestOpenWithAProfile(t *testing.T) {
	server := s3test.Start(t)
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[ci]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s3test.AccessKey, s3test.SecretKey)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	openBucket(t, server.URL("published")+"&profile=ci")
}

const noSuchKey = `<Error><Code>NoSuchKey</Code><Message>none</Message></Error>`

// What Amazon answers to wrong settings, as its documentation has it.
func TestOpenAgainstAnswers(t *testing.T) {
	for _, v := range s3test.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   string // empty if the bucket is fine
	}{
		{"an absent key", 404, nil, noSuchKey, ""},
		{"the probe is there", 206, nil, "x", ""},
		{"the region is another", 301, http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, `<Error><Code>PermanentRedirect</Code></Error>`, "the bucket is in region eu-west-1, not in us-east-1; use region=eu-west-1"},
		{"the region is another, nobody says which", 400, nil, `<Error><Code>AuthorizationHeaderMalformed</Code></Error>`, "region us-east-1 is not the bucket's"},
		{"access is denied", 403, nil, `<Error><Code>AccessDenied</Code></Error>`, "s3:ListBucket"},
		{"access is denied without a word", 403, nil, ``, "s3:ListBucket"},
		{"the token has expired", 400, nil, `<Error><Code>ExpiredToken</Code></Error>`, "AWS_SESSION_TOKEN"},
		{"the clock is said to be wrong", 403, nil, `<Error><Code>RequestTimeTooSkewed</Code></Error>`, "set the clock"},
		{"the clock is wrong", 404, http.Header{"Date": {time.Now().Add(-10 * time.Minute).UTC().Format(http.TimeFormat)}}, noSuchKey, "clock is 10m"},
		{"there is no clock", 404, http.Header{"Date": nil}, noSuchKey, "no Date header"},
		{"a web server", 404, http.Header{"Content-Type": {"text/html"}}, "<html>not found</html>", "what answers is no S3 store"},
		{"something unheard of", 403, nil, `<Error><Code>Unheard</Code></Error>`, "refuses"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body) //nolint:errcheck // the client may be gone
			}))
			defer server.Close()
			_, err := s3.OpenBucket(t.Context(), "s3://published?path-style=true&endpoint="+url.QueryEscape(server.URL))
			if tt.want != "" {
				checkError(t, err, tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenWithAnUnknownCertificate(t *testing.T) {
	for _, v := range s3test.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := s3.OpenBucket(t.Context(), "s3://published?path-style=true&endpoint="+url.QueryEscape(server.URL))
	checkError(t, err, "AWS_CA_BUNDLE")
}

func TestOpenEndsWithItsContext(t *testing.T) {
	server := s3test.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s3.OpenBucket(ctx, server.URL("published")); err == nil {
		t.Error("opened")
	}
}
