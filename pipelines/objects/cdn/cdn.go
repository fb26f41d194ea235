// Package cdn invalidates cached objects in CloudFront.
//
// It is an optional step: a removed object is deleted in the bucket, and cached copies of it expire within a day. The
// tests check signature, path and body of the requests with a server that follows CloudFront's documentation. It was not
// tested against CloudFront itself.
package cdn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/smithy-go"

	"repomill/pipelines/awsidentity"
)

// A CDN is a CloudFront distribution in front of the bucket.
type CDN struct {
	client       *cloudfront.Client
	distribution string
	now          func() time.Time
}

// Open opens the distribution of a URL cloudfront://DISTRIBUTIONID[?region=R][&endpoint=URL]. Credentials come from
// AWS's default chain or from package awsidentity, and need cloudfront:CreateInvalidation. Open makes no request to CloudFront.
func Open(ctx context.Context, rawURL string) (*CDN, error) {
	at, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	cfg, err := awsidentity.Load(ctx, config.WithRegion(at.region))
	if err != nil {
		return nil, fmt.Errorf("--invalidate cloudfront://%s: read the AWS configuration: %w", at.distribution, err)
	}
	client := cloudfront.NewFromConfig(cfg, func(o *cloudfront.Options) {
		if at.endpoint != "" {
			o.BaseEndpoint = aws.String(at.endpoint)
		}
	})
	return &CDN{client: client, distribution: at.distribution, now: time.Now}, nil
}

// maxPaths is CloudFront's limit of paths in one invalidation.
const maxPaths = 3000

// timeLimit bounds one invalidation, with the retries of the SDK.
const timeLimit = time.Minute

// Invalidate removes the objects under keys from the caches of all edges. It takes effect some minutes after it
// returns. It makes one request, whose caller reference is a function of the keys and the hour: a repeat within the
// hour returns the invalidation that is in progress.
func (c *CDN) Invalidate(ctx context.Context, keys []string) error {
	paths := pathsOf(keys)
	if len(paths) == 0 {
		return nil
	}
	if len(paths) > maxPaths {
		return fmt.Errorf("invalidate %d paths: CloudFront takes %d at a time", len(paths), maxPaths)
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	_, err := c.client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: aws.String(c.distribution),
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: aws.String(reference(paths, c.now())),
			Paths:           &types.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths},
		},
	})
	if err != nil {
		return fmt.Errorf("--invalidate cloudfront://%s: %s: %w", c.distribution, advice(err), err)
	}
	return nil
}

// pathsOf returns the paths under which clients request keys, sorted, each once. Redirects of the resolver encode a
// plus; clients that address the CDN directly do not.
func pathsOf(keys []string) []string {
	var paths []string
	for _, key := range keys {
		strict := "/" + strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(key))
		paths = append(paths, strict, strings.ReplaceAll(strict, "%2B", "+"))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// reference returns the caller reference of an invalidation. A later invalidation of the same paths needs another one;
// otherwise CloudFront does nothing.
func reference(paths []string, now time.Time) string {
	sum := sha256.Sum256([]byte(strings.Join(paths, "\n")))
	return "repomill-" + now.UTC().Format("2006010215") + "-" + hex.EncodeToString(sum[:16])
}

// advice returns a clause that says what to do about an error.
func advice(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "CloudFront cannot be asked; check the network, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the workload's role"
	}
	switch api.ErrorCode() {
	case "NoSuchDistribution":
		return "there is no such distribution; correct its ID in the URL"
	case "AccessDenied":
		return "the credentials may not do this; allow them cloudfront:CreateInvalidation"
	case "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken":
		return "the credentials are wrong or expired; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
	case "TooManyInvalidationsInProgress":
		return "too many invalidations are under way; repeat it in some minutes"
	}
	return "CloudFront refuses"
}
