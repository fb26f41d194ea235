package s3

import (
	"net/http"
	"net/http/httptest"
	"testing"

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
