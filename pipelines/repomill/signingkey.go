package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// signingKeyBits is the size of a new RSA signing key: the strongest that every client reads, EL7 included.
const signingKeyBits = 4096

// prepareKeys makes the signing key at the first start, and only then: clients trust the key that
// signed what they have.
func (s *site) prepareKeys(ctx context.Context, cfg pipelines.Config) error {
	path := s.cmd.path("signing-key.asc")
	if _, err := os.Stat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return unreachable(err)
	}
	released, err := anyRelease(ctx, cfg.Catalog, s.cmd.path("bucket"))
	if err != nil {
		return err
	}
	if released {
		return fmt.Errorf("the signing key %s is missing, and releases exist that clients trust by it: restore the key from your backup (a new key would lock every client out)", path)
	}
	key, err := sign.Generate("repomill signing key", signingKeyBits, time.Now())
	if err != nil {
		return err
	}
	armored, err := key.Private()
	if err != nil {
		return err
	}
	if err := writeNew(path, armored); err != nil {
		return unreachable(fmt.Errorf("store signing key: %w", err))
	}
	fmt.Fprintf(s.io.out, "New signing key %s\n  in %s: back this up. Without it, clients must be set up anew.\n", strings.Join(key.Fingerprints(), ", "), path)
	return nil
}

// checkKey refuses a signing key that no client of what is published would trust. For a change of
// keys, the file has the old one and the new one for a while.
func checkKey(ctx context.Context, log *slog.Logger, bucket objects.Bucket, signer *sign.Signer, keyURL string) error {
	if end := signer.Expires(); end.After(time.Now()) {
		log.Warn("the signing key expires; nothing can be published after that", "at", end.Format(time.RFC3339))
	}
	probe := []byte("repomill\n")
	sig, err := signer.Detach(probe, time.Now())
	if err != nil {
		return fmt.Errorf("the signing key in %s is no good: %w; extend its life, or put another one beside it that clients trust", keyURL, err)
	}
	published, err := publishedKeys(ctx, bucket)
	if err != nil {
		return unreachable(err)
	}
	for _, key := range published {
		trusted, err := readKeyring(ctx, bucket, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = trusted.VerifyDetached(probe, sig)
		}
		if err != nil {
			return fmt.Errorf("the signing key %s in %s is not one that the clients of %s trust: restore the old key, or put both into the file (%w)",
				strings.Join(signer.Fingerprints(), ", "), keyURL, key, err)
		}
	}
	return nil
}

// publishedKeys returns the keys of the published gpgkey objects, one of each repository.
func publishedKeys(ctx context.Context, bucket objects.Bucket) (keys []string, err error) {
	err = bucket.List(ctx, layout.SettingsPrefix, func(key string, _ layout.Meta) error {
		name := strings.TrimSuffix(strings.TrimPrefix(key, layout.SettingsPrefix), ".json")
		if owner, repository, ok := strings.Cut(name, "/"); ok {
			keys = append(keys, layout.GPGKeyKey(catalog.Repository{Owner: owner, Name: repository}))
		}
		return nil
	})
	return keys, err
}

// maxKeyring bounds a file of public keys, in bytes.
const maxKeyring = 1 << 20

// readKeyring reads published public keys.
func readKeyring(ctx context.Context, bucket objects.Bucket, key string) (trusted sign.Keyring, err error) {
	body, _, err := bucket.Get(ctx, key)
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

// anyRelease reports whether something was published with a key: by the catalog's word or the bucket's.
func anyRelease(ctx context.Context, catalogURL, bucket string) (bool, error) {
	db, err := catalogdb.Open(catalogURL)
	if err != nil {
		return false, err
	}
	defer db.Close()
	states, err := db.Releases(ctx)
	if err != nil {
		return false, err
	}
	for _, s := range states {
		if s.Published > 0 {
			return true, nil
		}
	}
	if _, err := os.Stat(bucket); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	found, err := check.Find(os.DirFS(bucket))
	return len(found) > 0, err
}

// writeNew stores a secret in a file that only the owner reads, whole or not at all.
func writeNew(path string, body []byte) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
