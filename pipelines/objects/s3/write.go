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

// Create stores body as object o, visible only once body has ended with io.EOF. If the key exists the
// error is fs.ErrExist. A large body is held in memory part by part.
func (b *Bucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if err := checkKey(o.Key); err != nil {
		return err
	}
	_, err := b.store(ctx, newWrite(o, ""), body)
	return created(o.Key, err)
}

// created returns the error of a create. That a key is taken is true of an unsettled write as well.
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

// A write is one object on its way into the store.
type write struct {
	object layout.Object
	old    layout.Version // that it replaces; empty if the key must be free
	name   string         // drawn at random and kept with the object: how a write is known again
}

// metaWrite is the metadata that keeps a write's name.
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

// checkSize is the size in bytes from which on a body is sent only if the condition of its write holds
// when it is asked before: a store that refuses early breaks the connection on who still sends.
const checkSize = 1 << 20

// store reads body to its end and makes it visible under the conditions of w.
func (b *Bucket) store(ctx context.Context, w write, body io.Reader) (layout.Version, error) {
	part, err := readPart(body, nil)
	ended := err == io.EOF //nolint:errorlint // as io.Reader has it: what only wraps io.EOF is no end
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

// check asks whether the condition of a write holds now.
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
		CacheControl: aws.String(w.object.CacheControl),
		Metadata:     w.metadata(),
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

// partSize is that of the parts of a multipart upload, in bytes. S3 takes 10,000 of them.
const partSize = 8 << 20

// readPart appends to buf what body has, up to partSize bytes. It returns io.EOF with the last bytes, or
// any other error that ends body.
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

// checkKey refuses names that not every store can keep.
func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("object key %q is not a plain path: %w", key, fs.ErrInvalid)
	}
	return nil
}
