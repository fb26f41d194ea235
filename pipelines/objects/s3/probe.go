package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	probeKey = ".repomill/probe" // is never written
	maxSkew  = 5 * time.Minute   // between the store's clock and ours; beyond, S3 accepts no signature soon
)

// probe reads an absent key. The answer shows whether the settings are right. A HEAD would not: its answer has no error
// code.
func (b *Bucket) probe(ctx context.Context, cfg aws.Config) error {
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("--bucket %s: found no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in the URL (profile=NAME), or give the workload a role: %w", b.place, err)
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: b.bucket(), Key: b.key(probeKey), Range: aws.String("bytes=0-0")})
	var answer *http.Response
	switch {
	case err == nil:
		out.Body.Close()
		answer = rawResponse(out.ResultMetadata)
	case code(err) == codeNoKey:
		answer = response(err)
	default:
		return fmt.Errorf("--bucket %s: %s: %w", b.place, b.advice(err, cfg.Region), err)
	}
	now, err := date(answer)
	if err != nil {
		return fmt.Errorf("--bucket %s: %w", b.place, err)
	}
	if skew := time.Since(now); skew.Abs() > maxSkew {
		return fmt.Errorf("--bucket %s: this machine's clock is %v from the store's (%s); set the clock", b.place, skew.Round(time.Second), now.Format(time.RFC3339))
	}
	return nil
}

// advice returns a clause that says what to do about an error.
func (b *Bucket) advice(err error, region string) string {
	if right := bucketRegion(err); right != "" && right != region {
		return fmt.Sprintf("the bucket is in region %s, not in %s; use region=%s in the URL", right, region, right)
	}
	switch code(err) {
	case "NoSuchBucket":
		return "there is no such bucket; create it, or correct the URL's bucket, region and endpoint"
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the latter is versitygw's
		return "the store does not know the access key; check AWS_ACCESS_KEY_ID or the URL's profile, and that the endpoint is the one they are for"
	case "SignatureDoesNotMatch":
		return "the secret key is not the access key's; check AWS_SECRET_ACCESS_KEY or the URL's profile"
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return "the session token is expired or foreign; renew AWS_SESSION_TOKEN or log in again"
	case "RequestTimeTooSkewed", "RequestExpired":
		return "this machine's clock differs too much from the store's; set the clock"
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem":
		return "the credentials may not read the bucket; allow them s3:GetObject and s3:ListBucket (without which absent keys are forbidden), and for publishing s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload"
	case "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect":
		return fmt.Sprintf("region %s is not the bucket's; correct region=R in the URL", region)
	case "InvalidBucketName":
		return "that is no name of a bucket; correct the URL"
	case "", "NotFound": // nothing that S3 says
		return b.unreachable(err)
	}
	return "the store refuses to be read"
}

// unreachable is the advice if there was no answer, or none of an S3 store.
func (b *Bucket) unreachable(err error) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("no such host %s; correct the URL's %s", dns.Name, b.origin())
	case errors.As(err, &authority):
		return "the store's certificate is from an unknown authority; name its file in AWS_CA_BUNDLE"
	case errors.As(err, &host):
		return fmt.Sprintf("the store's certificate is for another host; correct the URL's %s", b.origin())
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the store does not speak TLS there; use endpoint=http://..."
	case status(err) != 0:
		return fmt.Sprintf("what answers is no S3 store; correct the URL's %s", b.origin())
	}
	return fmt.Sprintf("the store cannot be reached; check the network and the URL's %s", b.origin())
}

// origin returns the name of the parameter that determines the host.
func (b *Bucket) origin() string {
	if b.place.endpoint != "" {
		return "endpoint"
	}
	return "region"
}

// bucketRegion returns the region of the bucket in the store's answer; empty if it has none.
func bucketRegion(err error) string {
	if r := response(err); r != nil {
		return r.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}
