package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"repomill/schemas/layout"
)

// Get returns the bytes of key with their version and the store's time, all from one answer. For an
// absent key the error is fs.ErrNotExist, and the Meta still has the time. If the store has a checksum of the object,
// the last Read compares it, and fails if the bytes differ. The caller closes the body.
func (b *Bucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: b.bucket(), Key: b.key(key), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		meta, err := absent(key, err, code(err) == codeNoKey) // any web server can say 404
		return nil, meta, err
	}
	meta, err := metaOf(out.ETag, out.ContentLength, out.LastModified, out.ResultMetadata)
	if err != nil {
		out.Body.Close()
		return nil, meta, fmt.Errorf("read %s: %w", key, err)
	}
	return out.Body, meta, nil
}

// Stat is Get without the bytes.
func (b *Bucket) Stat(ctx context.Context, key string) (layout.Meta, error) {
	meta, _, err := b.head(ctx, key)
	return meta, err
}

// head returns the metadata of an object, and the name of its write.
func (b *Bucket) head(ctx context.Context, key string) (meta layout.Meta, write string, err error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b.bucket(), Key: b.key(key)})
	if err != nil {
		meta, err := absent(key, err, isAbsent(err))
		return meta, "", err
	}
	meta, err = metaOf(out.ETag, out.ContentLength, out.LastModified, out.ResultMetadata)
	if err != nil {
		return meta, "", fmt.Errorf("read %s: %w", key, err)
	}
	return meta, out.Metadata[metaWrite], nil
}

// absent returns the error of a read, and the store's time if the error is absence.
func absent(key string, err error, really bool) (layout.Meta, error) {
	if !really {
		return layout.Meta{}, fmt.Errorf("read %s: %w", key, err)
	}
	now, err := date(response(err))
	if err != nil {
		return layout.Meta{}, fmt.Errorf("read %s: %w", key, err)
	}
	return layout.Meta{Now: now}, fmt.Errorf("read %s: %w", key, fs.ErrNotExist)
}

func metaOf(etag *string, size *int64, modified *time.Time, answer middleware.Metadata) (layout.Meta, error) {
	now, err := date(rawResponse(answer))
	if err != nil {
		return layout.Meta{}, err
	}
	return layout.Meta{
		Version:  layout.Version(aws.ToString(etag)),
		Size:     aws.ToInt64(size),
		Modified: aws.ToTime(modified),
		Now:      now,
	}, nil
}

func rawResponse(answer middleware.Metadata) *http.Response {
	if r, ok := awsmiddleware.GetRawResponse(answer).(*smithyhttp.Response); ok {
		return r.Response
	}
	return nil
}

// List calls f for each object whose key begins with prefix, in the order of the store. One request lists up to a
// thousand objects.
func (b *Bucket) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: b.bucket(), Prefix: b.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, o := range page.Contents {
			meta, err := metaOf(o.ETag, o.Size, o.LastModified, page.ResultMetadata)
			if err != nil {
				return fmt.Errorf("list %s: %w", prefix, err)
			}
			if err := f(strings.TrimPrefix(aws.ToString(o.Key), b.place.prefix), meta); err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete removes version v of key. If it is already gone, that is success; if another version is there,
// the error is [layout.ErrConflict]. Delete compares the version before the request, and sends If-Match with it. A store
// without conditional deletes could remove a version that was written in between. In a bucket with versioning, removed
// objects can be restored.
func (b *Bucket) Delete(ctx context.Context, key string, v layout.Version) error {
	if err := checkKey(key); err != nil {
		return err
	}
	for range 2 { // a refusal may mean that another process has removed it
		meta, err := b.Stat(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if meta.Version != v {
			break
		}
		_, err = b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b.bucket(), Key: b.key(key), IfMatch: aws.String(string(v))})
		if err == nil || isAbsent(err) {
			return nil
		}
		if !isRefused(err) {
			return named("delete", key, err)
		}
	}
	return fmt.Errorf("delete %s: %w", key, layout.ErrConflict)
}
