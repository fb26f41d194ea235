package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
)

// signingKeyBits is the size of a new RSA signing key: the strongest that every client reads, EL7 included.
const signingKeyBits = 4096

// prepareKeys makes the signing key at the first start, and only then: clients trust the key that
// signed what they have. Nor may another key take its place.
func (s *site) prepareKeys(ctx context.Context, cfg pipelines.Config) error {
	path := s.cmd.path("signing-key.asc")
	if _, err := os.Stat(path); err == nil {
		return s.checkKey(cfg)
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
func (s *site) checkKey(cfg pipelines.Config) error {
	signer, err := pipelines.ReadSigner(cfg.SigningKey)
	if err != nil {
		return err
	}
	if end := signer.Expires(); !end.IsZero() {
		s.log.Warn("the signing key expires; nothing can be published after that", "at", end.Format(time.RFC3339))
	}
	probe := []byte("repomill\n")
	sig, err := signer.Detach(probe, time.Now())
	if err != nil {
		return err
	}
	bucket := os.DirFS(s.cmd.path("bucket"))
	published, err := fs.Glob(bucket, "*/*/gpgkey")
	if err != nil {
		return err
	}
	for _, file := range published {
		armored, err := fs.ReadFile(bucket, file)
		if err != nil {
			return unreachable(err)
		}
		trusted, err := sign.ReadKeyring(armored)
		if err == nil {
			err = trusted.VerifyDetached(probe, sig)
		}
		if err != nil {
			return fmt.Errorf("the signing key %s in %s is not one that the clients of %s trust: restore the old key, or put both into the file (%w)",
				strings.Join(signer.Fingerprints(), ", "), s.cmd.path("signing-key.asc"), file, err)
		}
	}
	return nil
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
