// Package cdn asks CloudFront to forget objects before their time.
//
// Nothing depends on it: an object that must be gone is deleted in the bucket, and the edges forget it by
// themselves within a day. Tests hold the requests against CloudFront's documentation, with a server of
// their own that checks signature, path and body; against CloudFront itself this was not tried.
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
)

// A CDN is a CloudFront distribution in front of the bucket.
type CDN struct {
	client       *cloudfront.Client
	distribution string
	now          func() time.Time
}

// Open opens the distribution of a URL cloudfront://DISTRIBUTIONID[?region=R][&endpoint=URL]. Credentials
// come from AWS's usual places and need cloudfront:CreateInvalidation. Nothing is asked before it is needed.
func Open(ctx context.Context, rawURL string) (*CDN, error) {
	at, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(at.region))
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

// maxPaths is how many paths CloudFront takes at a time.
const maxPaths = 3000

// timeLimit is for one invalidation, with all that the SDK repeats of it.
const timeLimit = time.Minute

// Invalidate makes every edge ask the bucket again for the objects under keys, from some minutes later on.
// All are one request to CloudFront, whose reference follows from the keys and the hour: who repeats it
// soon is answered with the invalidation that is under way.
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

// pathsOf returns the paths under which clients ask for keys, sorted, each once. Beside the strict
// spelling that our redirects have, clients that ask the CDN themselves leave a plus as it is.
func pathsOf(keys []string) []string {
	var paths []string
	for _, key := range keys {
		strict := "/" + strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(key))
		paths = append(paths, strict, strings.ReplaceAll(strict, "%2B", "+"))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// reference names an invalidation. A later one of the same paths must have another name, or CloudFront
// would do nothing.
func reference(paths []string, now time.Time) string {
	sum := sha256.Sum256([]byte(strings.Join(paths, "\n")))
	return "repomill-" + now.UTC().Format("2006010215") + "-" + hex.EncodeToString(sum[:16])
}

// advice says in one clause what to do about an error.
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
