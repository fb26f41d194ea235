// Package s3 keeps the published bucket in Amazon S3 or a store that speaks its protocol.
//
// The store must honour If-None-Match and If-Match on PutObject and CompleteMultipartUpload: they are
// what makes a key immutable and a swap fair. Amazon S3 does since November 2024; ask other providers
// before use. If-Match on DeleteObject is sent as well, behind a comparison of our own.
//
// The credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the
// objects and s3:ListBucket on the bucket, without which S3 calls absent keys forbidden. Who only reads
// needs s3:GetObject and s3:ListBucket. Large objects are stored in parts; a crash, or a lost answer, may
// leave an unfinished upload, which the bucket's lifecycle rule AbortIncompleteMultipartUpload should remove after a few days.
package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A Bucket is a published bucket in S3, or the part of one below a prefix. The version of an object is
// its ETag. Requests that fail are repeated as the SDK does by default; AWS_MAX_ATTEMPTS and
// AWS_RETRY_MODE change that.
type Bucket struct {
	client   *s3.Client
	place    place
	copySize int64 // bytes that one request copies
}

// OpenBucket opens the bucket of a URL
// s3://bucket[/prefix]?region=R[&endpoint=URL][&path-style=true][&profile=NAME]. What the URL does not
// say comes from AWS's usual places: environment, shared configuration, web identity, instance role.
// It reads once from the bucket, so that wrong settings are told at start, by the name of the one to fix.
func OpenBucket(ctx context.Context, rawURL string) (*Bucket, error) {
	at, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, at.options()...)
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

// Close does nothing: idle connections end by themselves, half a minute later.
func (b *Bucket) Close() error { return nil }

func (b *Bucket) bucket() *string { return aws.String(b.place.bucket) }

func (b *Bucket) key(key string) *string { return aws.String(b.place.prefix + key) }
