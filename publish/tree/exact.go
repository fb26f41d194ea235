package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
)

// OpenIndex returns a reader of the text of an index. The bytes are verified at the end: only a Read that returns
// io.EOF says that they are what was published. The caller closes it.
func OpenIndex(ctx context.Context, b Reader, x Index) (io.ReadCloser, error) {
	body, err := OpenPacked(ctx, b, x.Packed)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{newExact(body, Object{Key: x.Packed.Key + ", decompressed", Size: x.Open.Size, SHA256: x.Open.SHA256}), body}, nil
}

// OpenPacked returns a reader of the decompressed bytes of object o. A size or digest that differs from o is an error of
// Read, at the end at the latest. The caller closes it.
func OpenPacked(ctx context.Context, b Reader, o Object) (io.ReadCloser, error) {
	body, _, err := b.Get(ctx, o.Key)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(newExact(body, o))
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("read %s: %w", o.Key, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{z, body}, nil
}

// exact is a reader that compares its bytes with a known size and digest. If they differ it returns an error, in
// place of io.EOF or as soon as there are too many bytes.
type exact struct {
	in   io.Reader
	want Object
	size int64
	hash hash.Hash
}

func newExact(in io.Reader, want Object) *exact {
	return &exact{in: in, want: want, hash: sha256.New()}
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.in.Read(p)
	e.size += int64(n)
	e.hash.Write(p[:n]) //nolint:errcheck // a hash
	switch {
	case e.size > e.want.Size:
		return 0, fmt.Errorf("read %s: more than the %d bytes that it should have", e.want.Key, e.want.Size)
	case errors.Is(err, io.EOF) && (e.size < e.want.Size || hex.EncodeToString(e.hash.Sum(nil)) != e.want.SHA256):
		return n, fmt.Errorf("read %s: it is not the object that was published, of %d bytes with SHA-256 %s", e.want.Key, e.want.Size, e.want.SHA256)
	}
	return n, err
}

// ProblemOf describes how a stored object differs from its description, as in "has not its 7 bytes"; it is empty if the object does not.
func ProblemOf(ctx context.Context, b Reader, o Object) (string, error) {
	body, _, err := b.Get(ctx, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return "is missing", nil
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	h := sha256.New()
	switch n, err := io.Copy(h, io.LimitReader(body, o.Size+1)); {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", o.Key, err)
	case n != o.Size:
		return fmt.Sprintf("has not its %d bytes", o.Size), nil
	case hex.EncodeToString(h.Sum(nil)) != o.SHA256:
		return fmt.Sprintf("has other bytes than its SHA-256 %s", o.SHA256), nil
	}
	return "", nil
}
