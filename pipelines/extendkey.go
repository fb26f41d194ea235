package pipelines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"repomill/pipelines/kms"
	"repomill/pipelines/objects"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// ExtendKey has a key in a KMS sign its public half again, by which it expires at a later time, or never if that is zero, and
// replaces the object with it, whose name it returns. If the public half is of another key, the error is [sign.ErrNotHere].
func ExtendKey(ctx context.Context, bucket objects.Bucket, url string, public []byte, until, now time.Time) (sign.Key, string, error) {
	key, err := kms.Open(ctx, url)
	if err != nil {
		return sign.Key{}, "", badKey(err)
	}
	defer key.Close() //nolint:errcheck // at the end
	if !sign.IsOf(public, key) {
		return sign.Key{}, "", sign.ErrNotHere
	}
	name, err := publicHalfKey(key)
	if err != nil {
		return sign.Key{}, "", err
	}
	extended, err := sign.ExtendRemote(public, key, until, now)
	if err != nil {
		return sign.Key{}, "", badKey(fmt.Errorf("signing key %s: %w", key, err))
	}
	meta, err := bucket.Stat(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return sign.Key{}, "", fmt.Errorf("--bucket: %w", err)
	}
	if _, err := bucket.Swap(ctx, meta.Version, layout.ObjectOf(name), bytes.NewReader(extended.Public)); err != nil {
		return sign.Key{}, "", fmt.Errorf("--bucket: the public half in %s: %w", name, err)
	}
	return extended, name, nil
}
