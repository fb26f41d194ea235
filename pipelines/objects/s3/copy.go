package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"repomill/schemas/layout"
)

const (
	defaultCopySize = 512 << 20 // bytes that one request copies; S3 takes up to 5 GiB
	copies          = 4         // requests of one copy at a time
)

// Copy makes o a copy of the object under key from, inside the store, or returns fs.ErrExist. It uses a multipart upload
// for every size, because that ends in a conditional request. Few stores support If-None-Match in CopyObject; others
// ignore it and replace the object.
func (b *Bucket) Copy(ctx context.Context, from string, o layout.Object) error {
	if err := errors.Join(checkKey(from), checkKey(o.Key)); err != nil {
		return err
	}
	source, err := b.Stat(ctx, from)
	if err != nil {
		return err
	}
	if source.Size == 0 { // which has no parts
		return b.Create(ctx, o, strings.NewReader(""))
	}
	return created(o.Key, b.copyParts(ctx, from, source, newWrite(o, "")))
}

func (b *Bucket) copyParts(ctx context.Context, from string, source layout.Meta, w write) (err error) {
	if err := b.check(ctx, w); err != nil {
		return err
	}
	u, err := b.begin(ctx, w, false)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			u.abort(ctx)
		}
	}()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(copies)
	for begin := int64(0); begin < source.Size; begin += b.copySize {
		part := u.add(nil)
		group.Go(func() error { return u.copy(groupCtx, part, from, source, begin) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = u.complete(ctx)
	return err
}

// copy copies a range of the source, which must have the same version, into a part.
func (u *upload) copy(ctx context.Context, p *types.CompletedPart, from string, source layout.Meta, begin int64) error {
	in := &s3.UploadPartCopyInput{
		Bucket:            u.b.bucket(),
		Key:               u.b.key(u.write.object.Key),
		UploadId:          u.id,
		PartNumber:        p.PartNumber,
		CopySource:        aws.String(copySource(u.b.place.bucket, u.b.place.prefix+from)),
		CopySourceIfMatch: aws.String(string(source.Version)),
	}
	if source.Size > u.b.copySize {
		in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", begin, min(begin+u.b.copySize, source.Size)-1))
	}
	out, err := u.b.client.UploadPartCopy(ctx, in)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	if out.CopyPartResult == nil {
		return fmt.Errorf("copy %s: the store's answer is empty", from)
	}
	p.ETag = out.CopyPartResult.ETag
	return nil
}

// copySource returns bucket/key, percent-encoded: the SDK does not encode this header, and stores read a plus as a
// blank.
func copySource(bucket, key string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(bucket + "/" + key))
}
