package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/schemas/layout"
)

// Create stores body as object o, which becomes visible after body has ended with io.EOF. If the key exists the
// error is fs.ErrExist. Of a large body, one part at a time is in memory.
func (b *Bucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if err := checkKey(o.Key); err != nil {
		return err
	}
	_, err := b.store(ctx, newWrite(o, ""), body)
	return created(o.Key, err)
}

// created returns the error of a create. A refused and an unsettled write are both fs.ErrExist: in both cases the key
// exists.
func created(key string, err error) error {
	if errors.Is(err, errRefused) || errors.Is(err, errUnsettled) {
		err = fs.ErrExist
	}
	return named("create", key, err)
}

// Swap replaces version old of o's key, or creates it if old is empty, and returns the new version. At
// any other version it stores nothing and returns [layout.ErrConflict].
func (b *Bucket) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	if err := checkKey(o.Key); err != nil {
		return "", err
	}
	v, err := b.store(ctx, newWrite(o, old), body)
	if errors.Is(err, errRefused) {
		err = layout.ErrConflict
	}
	return v, named("swap", o.Key, err)
}

// A write is one write of an object, with its condition and its name.
type write struct {
	object layout.Object
	old    layout.Version // that it replaces; empty if the key must be free
	name   string         // drawn at random and kept with the object: how a write is known again
}

// metaWrite is the metadata key of the name of a write.
const metaWrite = "repomill-write"

func newWrite(o layout.Object, old layout.Version) write {
	return write{object: o, old: old, name: rand.Text()}
}

func (w write) metadata() map[string]string { return map[string]string{metaWrite: w.name} }

// conditions returns If-Match and If-None-Match.
func (w write) conditions() (match, noneMatch *string) {
	if w.old == "" {
		return nil, aws.String("*")
	}
	return aws.String(string(w.old)), nil
}

// checkSize is the size in bytes from which on the condition of a write is checked before the body is sent: a store that
// refuses early closes the connection while the client is still sending.
const checkSize = 1 << 20

// store reads body to its end and makes it visible under the conditions of w.
func (b *Bucket) store(ctx context.Context, w write, body io.Reader) (layout.Version, error) {
	part, err := readPart(body, nil)
	ended := err == io.EOF //nolint:errorlint // by the contract of io.Reader, an error that wraps io.EOF is not the end
	if err != nil && !ended {
		return "", err
	}
	if len(part) >= checkSize {
		if err := b.check(ctx, w); err != nil {
			return "", err
		}
	}
	if ended {
		return b.put(ctx, w, part)
	}
	return b.storeParts(ctx, w, part, body)
}

// check returns an error if the condition of a write does not hold now.
func (b *Bucket) check(ctx context.Context, w write) error {
	meta, err := b.Stat(ctx, w.object.Key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if meta.Version != w.old {
		return errRefused
	}
	return nil
}

func (b *Bucket) put(ctx context.Context, w write, body []byte) (layout.Version, error) {
	in := &s3.PutObjectInput{
		Bucket:       b.bucket(),
		Key:          b.key(w.object.Key),
		Body:         bytes.NewReader(body),
		ContentType:  aws.String(w.object.ContentType),
		CacheControl: aws.String(w.object.CacheControl), ContentDisposition: disposition(w.object),
		Metadata: w.metadata(),
	}
	in.IfMatch, in.IfNoneMatch = w.conditions()
	return b.commit(ctx, w, func(count func(*s3.Options)) (*string, error) {
		out, err := b.client.PutObject(ctx, in, count)
		if err != nil {
			return nil, err
		}
		return out.ETag, nil
	})
}

// partSize is the size of the parts of a multipart upload, in bytes. S3 accepts at most 10,000 parts.
const partSize = 8 << 20

// readPart appends up to partSize bytes of body to buf. It returns io.EOF with the last bytes, or the error in which body
// ends.
func readPart(body io.Reader, buf []byte) ([]byte, error) {
	for len(buf) < partSize {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(partSize-len(buf), max(len(buf), 64<<10)))
		}
		n, err := body.Read(buf[len(buf):min(cap(buf), partSize)])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// checkKey refuses keys that some stores cannot have.
func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("object key %q is not a plain path: %w", key, fs.ErrInvalid)
	}
	return nil
}

// disposition returns the header that names a package; nil for other objects.
func disposition(o layout.Object) *string {
	if name := o.ContentDisposition(); name != "" {
		return &name
	}
	return nil
}
