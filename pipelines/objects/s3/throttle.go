package s3

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// throttledAttempts is how often a request is sent at most while the store answers that it gets too many; attempts that fail
	// otherwise are counted apart. The pauses between them, which double from
	// the first to the longest, are 5 to 10.5 seconds: less than the 20 that an upload has in a batch, and the minute of a commit. What
	// fails then begins again later, and does not count as a fault of the upload.
	throttledAttempts = 8
	firstPause        = 200 * time.Millisecond
	longestPause      = 2500 * time.Millisecond

	sayThrottled = time.Minute // between two lines of the log
)

// A patientRetryer repeats a request that the store throttles (503 SlowDown, 429) more often than one that fails otherwise, of which it leaves the
// number to the SDK. A throttled request takes nothing from the SDK's quota of retries either: when that is used up,
// requests would fail at once, and what they belong to would begin again and ask for more.
// See "Best practices design patterns: optimizing Amazon S3 performance" in the manual of Amazon S3.
type patientRetryer struct {
	aws.RetryerV2
	attempts  int // of a request that is not throttled
	throttles retry.IsErrorThrottles
	said      *atomic.Int64 // when the log named it, in Unix nanoseconds

	throttled, failed int // attempts of this request that were throttled, and that failed otherwise
}

// bePatient gives a client a [patientRetryer] around the retryer that it has.
func bePatient(o *s3.Options) {
	inner, ok := o.Retryer.(aws.RetryerV2)
	if !ok {
		return // the SDK's own are of the second version
	}
	shared := patientRetryer{
		RetryerV2: inner,
		attempts:  cmp.Or(o.RetryMaxAttempts, inner.MaxAttempts()),
		throttles: append(retry.IsErrorThrottles{retry.IsErrorThrottleFunc(isTooMany)}, retry.DefaultThrottles...),
		said:      new(atomic.Int64),
	}
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		own := shared // of this request: each has a stack of its own
		there, _ := stack.Finalize.Get("Retry")
		_, err := stack.Finalize.Swap("Retry", retry.NewAttemptMiddleware(&own, smithyhttp.RequestCloner, func(a *retry.Attempt) {
			if the, ok := there.(*retry.Attempt); ok { // what it has of the client: above all, by how much this clock is wrong
				a.ClientSkew, a.DisableClockSkewCorrection, a.LogAttempts, a.OperationMeter = the.ClientSkew, the.DisableClockSkewCorrection, the.LogAttempts, the.OperationMeter
			}
		}))
		return err
	})
}

// IsErrorRetryable implements [aws.Retryer]. The SDK repeats no 429 of which it does not know the code, or that has none.
func (p *patientRetryer) IsErrorRetryable(err error) bool {
	return p.isThrottled(err) || p.RetryerV2.IsErrorRetryable(err)
}

// MaxAttempts implements [aws.Retryer].
func (p *patientRetryer) MaxAttempts() int { return p.attempts + throttledAttempts - 1 }

// RetryDelay implements [aws.Retryer]. An error ends the attempts.
func (p *patientRetryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if p.isThrottled(err) {
		p.say()
		if p.throttled++; p.throttled < throttledAttempts {
			return pause(p.throttled), nil
		}
	} else if p.failed++; p.failed < p.attempts {
		return p.RetryerV2.RetryDelay(p.failed, err)
	}
	return 0, &retry.MaxAttemptsError{Attempt: attempt, Err: err}
}

// pause returns how long to wait after so many attempts: a random part, at least half, of what doubles, so that those that were refused together
// do not come back together.
func pause(attempt int) time.Duration {
	longest := min(firstPause<<min(attempt-1, 10), longestPause)
	return longest/2 + rand.N(longest/2)
}

// GetRetryToken implements [aws.Retryer].
func (p *patientRetryer) GetRetryToken(ctx context.Context, err error) (release func(error) error, _ error) {
	if p.isThrottled(err) {
		return func(error) error { return nil }, nil
	}
	return p.RetryerV2.GetRetryToken(ctx, err)
}

// isTooMany looks at the status: an answer to HEAD has no body, which would have the code.
func isTooMany(err error) aws.Ternary {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		switch answer.HTTPStatusCode() {
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			return aws.TrueTernary
		}
	}
	return aws.UnknownTernary
}

func (p *patientRetryer) isThrottled(err error) bool { return p.throttles.IsErrorThrottle(err).Bool() }

// say writes to the log, once in a while, that the store throttles.
func (p *patientRetryer) say() {
	now, last := time.Now().UnixNano(), p.said.Load()
	if now-last >= int64(sayThrottled) && p.said.CompareAndSwap(last, now) {
		slog.Warn("the bucket's store answers that it gets too many requests (503 SlowDown); they are repeated with pauses, and all work that writes to it is slower",
			"attempts", throttledAttempts)
	}
}
