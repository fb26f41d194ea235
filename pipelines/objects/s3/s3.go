// Package s3 stores the published bucket in Amazon S3 or a store with its protocol.
//
// The store must support If-None-Match and If-Match on PutObject and CompleteMultipartUpload: immutable keys and
// atomic swaps depend on them. Amazon S3 has them since November 2024; ask other providers before use. If-Match on
// DeleteObject is sent, too, after a comparison by the client.
//
// The credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the
// objects, and s3:ListBucket on the bucket, without which S3 answers 403 for absent keys. A resolver needs
// s3:GetObject and s3:ListBucket. Large objects are stored in parts; a crash, or a lost answer, may
// leave an unfinished upload, which the bucket's lifecycle rule AbortIncompleteMultipartUpload should remove after a few days.
package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/pipelines/awsidentity"
)

// A Bucket is a published bucket in S3, or the part of one below a prefix. The version of an object is
// its ETag. The SDK retries requests as by default; AWS_MAX_ATTEMPTS and AWS_RETRY_MODE configure it. What the store
// throttles (503 SlowDown) is repeated for some ten seconds. Its methods may be called concurrently.
type Bucket struct {
	client   *s3.Client
	place    place
	copySize int64 // bytes that one request copies
}

// OpenBucket opens the bucket of a URL
// s3://bucket[/prefix]?region=R[&endpoint=URL][&path-style=true][&profile=NAME]. Credentials, and a region that the URL
// does not have, come from AWS's default chain (environment, shared configuration, web identity, instance role) or from
// package awsidentity.
// It reads once from the bucket, so that a wrong setting is an error at start, which names the setting.
func OpenBucket(ctx context.Context, rawURL string) (*Bucket, error) {
	at, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	cfg, err := awsidentity.Load(ctx, at.options()...)
	if err != nil {
		return nil, fmt.Errorf("--bucket %s: read the AWS configuration: %w", at, err)
	}
	if cfg.Region == "" {
		return nil, fmt.Errorf("--bucket %s: no region is known; add ?region=R to the URL or set AWS_REGION", at)
	}
	b := &Bucket{client: s3.NewFromConfig(cfg, at.apply), place: at, copySize: defaultCopySize}
	if err := b.probe(ctx, cfg); err != nil {
		return nil, err
	}
	return b, nil
}

// Close does nothing: idle connections are closed after half a minute.
func (b *Bucket) Close() error { return nil }

func (b *Bucket) bucket() *string { return aws.String(b.place.bucket) }

func (b *Bucket) key(key string) *string { return aws.String(b.place.prefix + key) }
