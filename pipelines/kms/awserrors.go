package kms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
)

// explain wraps an error with the operation and what the operator can do. permission is the one that the operation
// needs.
func (a *awsKey) explain(verb, permission string, err error) error {
	what := fmt.Sprintf("%s in region %s", verb, a.region)
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unanswered(what, err)
	}
	switch api.ErrorCode() {
	case "AccessDeniedException":
		return fmt.Errorf("%s: grant %s on the key to the identity that this runs as: %w", what, permission, err)
	case "NotFoundException":
		return fmt.Errorf("%s: there is no such key in this region and account; check the key and its region: %w", what, err)
	case "DisabledException":
		return fmt.Errorf("%s: the key is disabled; enable it (aws kms enable-key), or take it out of --signing-key while another key signs: %w", what, err)
	case "KMSInvalidStateException":
		return fmt.Errorf("%s: the state of the key does not allow that, such as one that waits for its deletion (aws kms cancel-key-deletion, then enable-key) or for its import: %w", what, err)
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		return fmt.Errorf("%w (%w)", advice("it is not for signatures", awsInstead), err)
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature",
		"ExpiredTokenException", "ExpiredToken", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "OptInRequired":
		return fmt.Errorf("%s: AWS does not accept the credentials that this runs with, or not in this region: %w", what, err)
	case "ThrottlingException", "LimitExceededException", "TooManyRequestsException":
		return unavailable{fmt.Errorf("%s: AWS KMS says that requests are too many; raise the account's quota for cryptographic operations in this region: %w", what, err)}
	}
	if api.ErrorFault() == smithy.FaultServer || serverFault(err) {
		return unavailable{fmt.Errorf("%s: AWS KMS has a fault: %w", what, err)}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// serverFault reports whether AWS answered with a server error.
func serverFault(err error) bool {
	var answer interface{ HTTPStatusCode() int }
	return errors.As(err, &answer) && answer.HTTPStatusCode() >= http.StatusInternalServerError
}

// unanswered returns the error for a request without a response from AWS KMS: because of the credentials, or of the network.
func unanswered(what string, err error) error {
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return unavailable{fmt.Errorf("%s: AWS KMS does not answer in time; check the endpoint and the network: %w", what, err)}
	case errors.As(err, &network):
		return unavailable{fmt.Errorf("%s: AWS KMS cannot be reached; check the endpoint and the network: %w", what, err)}
	}
	return fmt.Errorf("%s: AWS KMS was not asked; check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role), the region and the endpoint: %w", what, err)
}
