package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"repomill/schemas/layout"
)

const (
	maxParts  = 10_000 // S3's own limit
	buffers   = 3      // parts of an upload that are in memory: one is read while two are sent
	abortTime = 10 * time.Second
)

// An upload is a multipart upload. The object becomes visible when it is complete.
type upload struct {
	b     *Bucket
	write write
	id    *string
	parts []*types.CompletedPart // in order; each is filled in when it is sent
	sum   *checksum              // nil if the store makes its own
}

// storeParts stores part and the rest of body in a multipart upload.
func (b *Bucket) storeParts(ctx context.Context, w write, part []byte, body io.Reader) (v layout.Version, err error) {
	u, err := b.begin(ctx, w, b.client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			u.abort(ctx)
		}
	}()
	if err := u.sendAll(ctx, part, body); err != nil {
		return "", err
	}
	return u.complete(ctx)
}

func (b *Bucket) begin(ctx context.Context, w write, checked bool) (*upload, error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket:       b.bucket(),
		Key:          b.key(w.object.Key),
		ContentType:  aws.String(w.object.ContentType),
		CacheControl: aws.String(w.object.CacheControl), ContentDisposition: disposition(w.object),
		Metadata: w.metadata(),
	}
	u := &upload{b: b, write: w}
	if checked {
		u.sum = new(checksum)
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject
	}
	out, err := b.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("begin the upload: %w", err)
	}
	u.id = out.UploadId
	return u, nil
}

// sendAll sends part and the rest of body. If body ends in an error, it returns that.
func (u *upload) sendAll(ctx context.Context, part []byte, body io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	free := make(chan []byte, buffers)
	for range buffers - 1 {
		free <- nil
	}
	send := func(part []byte) {
		done := u.add(part)
		group.Go(func() error {
			defer func() { free <- part }()
			return u.send(ctx, done, part)
		})
	}
	var err error
	for err == nil && ctx.Err() == nil && len(u.parts) < maxParts {
		send(part)
		part, err = readPart(body, (<-free)[:0])
	}
	switch {
	case err == io.EOF: //nolint:errorlint // see store
		if len(part) > 0 {
			send(part)
		}
	case err != nil:
		cancel()
		group.Wait() //nolint:errcheck // cancelled
		return err
	case ctx.Err() == nil:
		group.Go(func() error { return fmt.Errorf("the object has more than %d parts of %d bytes", maxParts, partSize) })
	}
	return group.Wait()
}

// add gives a part its number.
func (u *upload) add(part []byte) *types.CompletedPart {
	p := &types.CompletedPart{PartNumber: aws.Int32(int32(len(u.parts) + 1))}
	u.parts = append(u.parts, p)
	if u.sum != nil {
		u.sum.add(part)
	}
	return p
}

func (u *upload) send(ctx context.Context, p *types.CompletedPart, part []byte) error {
	out, err := u.b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:     u.b.bucket(),
		Key:        u.b.key(u.write.object.Key),
		UploadId:   u.id,
		PartNumber: p.PartNumber,
		Body:       bytes.NewReader(part),
	})
	if err != nil {
		return fmt.Errorf("send part %d: %w", *p.PartNumber, err)
	}
	p.ETag, p.ChecksumCRC32 = out.ETag, out.ChecksumCRC32
	return nil
}

// complete makes the object visible.
func (u *upload) complete(ctx context.Context) (layout.Version, error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          u.b.bucket(),
		Key:             u.b.key(u.write.object.Key),
		UploadId:        u.id,
		MultipartUpload: &types.CompletedMultipartUpload{},
	}
	for _, p := range u.parts {
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, *p)
	}
	in.IfMatch, in.IfNoneMatch = u.write.conditions()
	if u.sum != nil {
		in.ChecksumCRC32, in.ChecksumType = aws.String(u.sum.String()), types.ChecksumTypeFullObject
		in.MpuObjectSize = aws.Int64(u.sum.size)
	}
	return u.b.commit(ctx, u.write, func(count func(*s3.Options)) (*string, error) {
		out, err := u.b.client.CompleteMultipartUpload(ctx, in, count)
		if err != nil {
			return nil, err
		}
		return out.ETag, nil
	})
}

// abort removes the parts that were sent, also after ctx has ended. If it fails, the bucket's lifecycle rule removes them.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	u.b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{ //nolint:errcheck // see above
		Bucket:   u.b.bucket(),
		Key:      u.b.key(u.write.object.Key),
		UploadId: u.id,
	})
}

// A checksum is the CRC-32 of an object, as S3 has it, and its size in bytes.
type checksum struct {
	crc  uint32
	size int64
}

func (c *checksum) add(part []byte) {
	c.crc = crc32.Update(c.crc, crc32.IEEETable, part)
	c.size += int64(len(part))
}

func (c *checksum) String() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, c.crc))
}
