package kms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errDamaged says that a request or a response was damaged on the way.
var errDamaged = errors.New("the checksums of Google's answer are wrong, or show that the request was damaged on its way")

// maxAttempts is the number of attempts of one request.
const maxAttempts = 4

// ask retries a request until it succeeds, its error is not transient, or a limit is reached.
func (l limits) ask(ctx context.Context, request func(context.Context) error) error {
	var answer error // of the last attempt: if time runs out in a pause, gax returns only the context's error
	once := func(ctx context.Context, _ gax.CallSettings) error {
		ctx, cancel := context.WithTimeout(ctx, l.attempt)
		defer cancel()
		answer = request(ctx)
		return answer
	}
	r := &retryer{left: maxAttempts - 1, backoff: gax.Backoff{Initial: l.pause, Max: 20 * l.pause, Multiplier: 2}}
	err := gax.Invoke(ctx, once, gax.WithRetry(func() gax.Retryer { return r }))
	if err == nil {
		return nil
	}
	if answer != nil {
		err = answer
	}
	if transient(err) {
		return unavailable{err}
	}
	return err
}

// A retryer implements [gax.Retryer] with a bounded number of retries.
type retryer struct {
	left    int
	backoff gax.Backoff
}

// Retry reports whether to retry a request after err, and after which pause.
func (r *retryer) Retry(err error) (time.Duration, bool) {
	r.left--
	return r.backoff.Pause(), r.left >= 0 && transient(err)
}

// transient reports whether a retry may succeed. Signing is idempotent. Canceled is transient: requests are not cancelled
// here, so the service has seen the deadline of the attempt before the client did.
func transient(err error) bool {
	switch code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Aborted, codes.ResourceExhausted:
		return true
	}
	return errors.Is(err, errDamaged)
}

// code returns the gRPC code of an error; OK if it has none. Errors of the local context have the corresponding code.
func code(err error) codes.Code {
	var answer interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &answer):
		return answer.GRPCStatus().Code()
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	}
	return codes.OK
}

// explain wraps an error with the operation and what the operator can do. permission is the one that the operation
// needs.
func (g *googleKey) explain(verb, permission string, err error) error {
	switch code(err) {
	case codes.PermissionDenied: // Google's response for absent keys, too
		return fmt.Errorf("%s: grant %s (roles/cloudkms.signerVerifier) on the key to the identity that this runs as, and check the key's name: %w", verb, permission, err)
	case codes.Unauthenticated:
		return fmt.Errorf("%s: Google does not accept the credentials: %w", verb, err)
	case codes.NotFound:
		return fmt.Errorf("%s: there is no such key version; check its project, location, key ring, key and number: %w", verb, err)
	case codes.FailedPrecondition:
		return fmt.Errorf("%s: the key version is not enabled; enable it (gcloud kms keys versions enable), or, if it was destroyed, take it out of --signing-key while another key signs: %w", verb, err)
	case codes.InvalidArgument:
		if strings.Contains(err.Error(), "checksum") {
			return fmt.Errorf("%s: %w: %w", verb, errDamaged, err)
		}
		return fmt.Errorf("%w (%w)", advice("it is not for signatures", googleInstead), err)
	case codes.ResourceExhausted:
		return fmt.Errorf("%s: Google Cloud KMS says that requests are too many; raise the quota of the project in this location: %w", verb, err)
	case codes.Unavailable:
		return fmt.Errorf("%s: Google Cloud KMS cannot be reached; check the endpoint and the network: %w", verb, err)
	case codes.DeadlineExceeded, codes.Canceled:
		return fmt.Errorf("%s: Google Cloud KMS does not answer in time; check the endpoint and the network: %w", verb, err)
	}
	return fmt.Errorf("%s: %w", verb, err)
}
