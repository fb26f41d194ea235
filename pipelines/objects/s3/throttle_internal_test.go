package s3

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A store throttles and fails in turn: each kind has attempts of its own. Answers to HEAD have no body, and so no code of an error:
// the status says that the store throttles.
func TestThrottledApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		answers  []int // the last one repeats
		requests int
		ok       bool
	}{
		{"throttled often, then a fault", []int{503, 429, 503, 503, 500, 200}, 6, true},
		{"a fault, then throttled", []int{500, 503, 500, 503, 200}, 5, true},
		{"faults alone", []int{500}, 3, false},
		{"faults among throttling", []int{503, 500, 503, 500, 500, 200}, 5, false},
		{"not found", []int{404}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.answers[min(requests, len(tt.answers)-1)])
				requests++
			}))
			defer server.Close()
			o := s3.Options{
				Retryer: retry.NewStandard(), BaseEndpoint: aws.String(server.URL), UsePathStyle: true, Region: "us-east-1",
				Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
			}
			bePatient(&o)
			_, err := s3.New(o).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			if requests != tt.requests || (err == nil) != tt.ok {
				t.Errorf("%d requests, %v; want %d, success %t", requests, err, tt.requests, tt.ok)
			}
		})
	}
}

// The store's clock is an hour ahead: a client learns that from the first answer, and its later requests are signed by the store's clock. A refused HEAD
// could not say why.
func TestClockSkewIsKept(t *testing.T) {
	t.Parallel()
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		there := time.Now().Add(time.Hour)
		w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || there.Sub(signed).Abs() > 15*time.Minute {
			w.WriteHeader(http.StatusForbidden)
			if r.Method != http.MethodHead {
				w.Write([]byte(`<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>`)) //nolint:errcheck // a test
			}
		}
	}))
	defer server.Close()
	o := s3.Options{
		Retryer: retry.NewStandard(), BaseEndpoint: aws.String(server.URL), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}
	bePatient(&o)
	c := s3.New(o)
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}); err != nil {
		t.Error(err)
	}
	if requests != 3 {
		t.Errorf("%d requests, want 3", requests)
	}
}
