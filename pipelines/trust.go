package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"repomill/pipelines/objects"
	"repomill/publish"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// maxKeyring bounds a file of public keys, in bytes.
const maxKeyring = 1 << 20

// A BadKey says why nothing may be signed with a key.
type BadKey struct {
	err error
}

func (b *BadKey) Error() string { return b.err.Error() }

// Unwrap returns the cause.
func (b *BadKey) Unwrap() error { return b.err }

// Permanent reports that no retry helps.
func (b *BadKey) Permanent() bool { return true }

// CheckKey returns a [BadKey] if the clients of what is published would not trust what the signing key signs now,
// and other errors if the bucket does not say. For a change of keys, the file has the old one and the new one for a
// while. A key that will expire is logged. Without a key there is nothing to check.
func (r *Resources) CheckKey(ctx context.Context) error {
	if r.Signer == nil {
		return nil
	}
	now := time.Now()
	if end := r.Signer.Expires(); end.After(now) {
		r.Log.Warn("the signing key expires; nothing can be published after that", "at", end.Format(time.RFC3339))
	}
	probe := []byte("repomill\n")
	signature, err := r.Signer.Detach(probe, now)
	if err != nil {
		return &BadKey{fmt.Errorf("--signing-key: the key in %s is no good: %w; extend its life, or put another one beside it that clients trust",
			r.Config.SigningKey, err)}
	}
	declared, err := publish.Declared(ctx, r.Bucket)
	if err != nil {
		return fmt.Errorf("--bucket: %w", err)
	}
	for _, repository := range declared {
		armored, err := publishedKeys(ctx, r.Bucket, repository)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("--bucket: the keys of %s: %w", repository, err)
		}
		trusted, err := sign.ReadKeyring(armored)
		if err == nil {
			err = trusted.VerifyDetached(probe, signature)
		}
		if err != nil {
			return &BadKey{fmt.Errorf("--signing-key: the key %s in %s is not one that the clients of %s trust: restore the old key, or put both into the file (%w)",
				strings.Join(r.Signer.Fingerprints(), ", "), r.Config.SigningKey, repository, err)}
		}
	}
	return nil
}

// publishedKeys returns the file of the keys that clients of a repository trust, or fs.ErrNotExist.
func publishedKeys(ctx context.Context, bucket objects.Bucket, repository catalog.Repository) ([]byte, error) {
	body, _, err := bucket.Get(ctx, layout.GPGKeyKey(repository))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxKeyring))
}
