package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"repomill/pipelines"
	"repomill/publish"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// maxKeyring bounds a file of public keys, in bytes.
const maxKeyring = 1 << 20

// checkKey refuses a signing key by which clients would not trust what they have had until now.
func checkKey(ctx context.Context, r *pipelines.Resources) error {
	if r.Signer == nil { // detached
		return nil
	}
	probe := []byte("repomill\n")
	signature, err := r.Signer.Detach(probe, time.Now())
	if err != nil {
		return fmt.Errorf("--signing-key: %w", err)
	}
	declared, err := publish.Declared(ctx, r.Bucket)
	if err != nil {
		return unreachable(fmt.Errorf("--bucket: %w", err))
	}
	for _, repository := range declared {
		trusted, err := publishedKeyring(ctx, r, repository)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return unreachable(fmt.Errorf("--bucket: the keys of %s: %w", repository, err))
		}
		if err := trusted.VerifyDetached(probe, signature); err != nil {
			return fmt.Errorf("--signing-key: the clients of %s do not trust it: restore the old key, or put both into the file (%w)", repository, err)
		}
	}
	return nil
}

// publishedKeyring returns the keys that clients of a repository trust, or fs.ErrNotExist.
func publishedKeyring(ctx context.Context, r *pipelines.Resources, repository catalog.Repository) (trusted sign.Keyring, err error) {
	body, _, err := r.Bucket.Get(ctx, layout.GPGKeyKey(repository))
	if err != nil {
		return trusted, err
	}
	defer body.Close()
	armored, err := io.ReadAll(io.LimitReader(body, maxKeyring))
	if err != nil {
		return trusted, err
	}
	return sign.ReadKeyring(armored)
}
