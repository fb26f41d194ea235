package s3

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Answers to HEAD have no body, and so no code of an error: the status says that the store throttles.
func TestThrottledByStatus(t *testing.T) {
	o := s3.Options{Retryer: retry.NewStandard()}
	bePatient(&o)
	for status, want := range map[int]bool{429: true, 503: true, 400: false, 404: false} {
		err := &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}}}
		if got := o.Retryer.IsErrorRetryable(err); got != want {
			t.Errorf("%d is repeated: %t, want %t", status, got, want)
		}
	}
}
