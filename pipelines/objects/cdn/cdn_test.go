package cdn_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects/cdn"
	"repomill/testdata/s3test"
)

// A batch is the body of the request, as CloudFront's documentation has it.
type batch struct {
	XMLName         xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ InvalidationBatch"`
	CallerReference string
	Paths           struct {
		Quantity int
		Items    []string `xml:"Items>Path"`
	}
}

// An edge is a server that stands for CloudFront.
type edge struct {
	t      *testing.T
	status int
	answer string

	mu      sync.Mutex
	batches []batch
}

// start returns an edge that accepts everything that is signed, and the URL of its distribution.
func start(t *testing.T) (*edge, string) {
	t.Helper()
	for _, v := range s3test.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	e := &edge{t: t, status: http.StatusCreated, answer: `<Invalidation><Id>I1</Id></Invalidation>`}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return e, "cloudfront://E123ABC?endpoint=" + url.QueryEscape(server.URL)
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		e.t.Error(err)
	}
	if r.Method != http.MethodPost || r.URL.Path != "/2020-05-31/distribution/E123ABC/invalidation" {
		e.t.Errorf("asked for %s %s", r.Method, r.URL)
	}
	if err := checkSignature(r, body); err != nil {
		e.t.Error(err)
	}
	var b batch
	if err := xml.Unmarshal(body, &b); err != nil {
		e.t.Errorf("%v in %s", err, body)
	}
	e.mu.Lock()
	e.batches = append(e.batches, b)
	e.mu.Unlock()
	w.WriteHeader(e.status)
	io.WriteString(w, e.answer) //nolint:errcheck // the client may be gone
}

// checkSignature signs a request again, with the headers that were signed, and compares.
func checkSignature(r *http.Request, body []byte) error {
	got := r.Header.Get("Authorization")
	_, signed, _ := strings.Cut(got, "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(signed, ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	credentials := aws.Credentials{AccessKeyID: s3test.AccessKey, SecretAccessKey: s3test.SecretKey}
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, again, fmt.Sprintf("%x", sha256.Sum256(body)), "cloudfront", "us-east-1", at); err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); got != want {
		return fmt.Errorf("signed as %q, want %q", got, want)
	}
	return nil
}

func TestInvalidate(t *testing.T) {
	e, rawURL := start(t)
	c := open(t, rawURL)
	c.SetNow(noon)
	const dir = "acme/tools/ubuntu/pool/jammy/main/h/hello/"
	for range 2 {
		if err := c.Invalidate(t.Context(), []string{dir + "hello_1~rc1+b*_all.deb", dir + "e1/hello_1_all.deb", dir + "e1/hello_1_all.deb"}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/" + dir + "e1/hello_1_all.deb", "/" + dir + "hello_1~rc1%2Bb%2A_all.deb", "/" + dir + "hello_1~rc1+b%2A_all.deb"}
	if len(e.batches) != 2 {
		t.Fatalf("got %d requests, want 2", len(e.batches))
	}
	first, second := e.batches[0], e.batches[1]
	if diff := cmp.Diff(want, first.Paths.Items); diff != "" || first.Paths.Quantity != len(want) {
		t.Errorf("%d paths (-want +got):\n%s", first.Paths.Quantity, diff)
	}
	if first.CallerReference == "" || first.CallerReference != second.CallerReference {
		t.Errorf("repeated as %q and %q", first.CallerReference, second.CallerReference)
	}
}

// CloudFront does nothing for a name that it knows, and refuses other paths under it.
func TestInvalidationReference(t *testing.T) {
	e, rawURL := start(t)
	c := open(t, rawURL)
	seen := map[string]string{}
	for _, tt := range []struct {
		name string
		now  time.Time
		keys []string
	}{
		{"one", noon, []string{"a"}},
		{"another path", noon, []string{"b"}},
		{"both", noon, []string{"a", "b"}},
		{"one, later", noon.Add(time.Hour), []string{"a"}},
	} {
		c.SetNow(tt.now)
		if err := c.Invalidate(t.Context(), tt.keys); err != nil {
			t.Fatal(err)
		}
		reference := e.batches[len(e.batches)-1].CallerReference
		if other, ok := seen[reference]; ok || reference == "" {
			t.Errorf("%q and %q are both called %q", tt.name, other, reference)
		}
		seen[reference] = tt.name
	}
}

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func TestInvalidateNothing(t *testing.T) {
	e, rawURL := start(t)
	if err := open(t, rawURL).Invalidate(t.Context(), nil); err != nil || len(e.batches) != 0 {
		t.Errorf("got %v and %d requests", err, len(e.batches))
	}
}

func TestInvalidateTooMuch(t *testing.T) {
	e, rawURL := start(t)
	var keys []string
	for i := range 3001 {
		keys = append(keys, fmt.Sprint(i))
	}
	if err := open(t, rawURL).Invalidate(t.Context(), keys); err == nil || len(e.batches) != 0 {
		t.Errorf("got %v and %d requests", err, len(e.batches))
	}
}

func TestInvalidateRefused(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		want   string
	}{
		{"NoSuchDistribution", 404, "correct its ID"},
		{"AccessDenied", 403, "cloudfront:CreateInvalidation"},
		{"SignatureDoesNotMatch", 403, "AWS_SECRET_ACCESS_KEY"},
		{"TooManyInvalidationsInProgress", 400, "repeat it in some minutes"},
		{"Unheard", 400, "refuses"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			e, rawURL := start(t)
			e.status, e.answer = tt.status, `<ErrorResponse><Error><Code>`+tt.code+`</Code></Error></ErrorResponse>`
			err := open(t, rawURL).Invalidate(t.Context(), []string{"a"})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--invalidate cloudfront://E123ABC") || strings.Contains(err.Error(), s3test.SecretKey) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A request whose answer was lost is repeated under the same name.
func TestLostAnswerIsRetried(t *testing.T) {
	e, rawURL := start(t)
	lost := false
	flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !lost {
			lost = true
			e.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		e.ServeHTTP(w, r)
	}))
	defer flaky.Close()
	rawURL, _, _ = strings.Cut(rawURL, "?")
	if err := open(t, rawURL+"?endpoint="+url.QueryEscape(flaky.URL)).Invalidate(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if len(e.batches) != 2 || e.batches[0].CallerReference != e.batches[1].CallerReference {
		t.Errorf("got %+v, want one batch twice", e.batches)
	}
}

func TestOpenRefusesURLs(t *testing.T) {
	for _, rawURL := range []string{"", "E123", "https://E123", "cloudfront://", "cloudfront://d111.cloudfront.net", "cloudfront://E123/path", "cloudfront://a:hunter2@E123",
		"cloudfront://E123?key=x", "cloudfront://E123?endpoint=localhost:80", "cloudfront://E123?endpoint=http://a:hunter2@h", "cloudfront://E123?region=%zz"} {
		c, err := cdn.Open(t.Context(), rawURL)
		if err == nil || !strings.Contains(err.Error(), "--invalidate") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, %v", rawURL, c, err)
		}
	}
}

func open(t *testing.T, rawURL string) *cdn.CDN {
	t.Helper()
	c, err := cdn.Open(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
