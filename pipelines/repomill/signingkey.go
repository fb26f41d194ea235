package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
)

// signingKeyBits is the size of a new RSA signing key: the strongest that every client reads, EL7 included.
const signingKeyBits = 4096

// prepareKeys generates a signing key and a standby key at the first start. It returns an error if releases exist and the file
// of keys does not: clients trust the key that signed their releases. It does nothing for keys that --signing-key names.
func (s *site) prepareKeys(ctx context.Context, cfg pipelines.Config) error {
	if cfg.SigningKey != s.cmd.ownKey() {
		return nil
	}
	path := s.cmd.path("signing-key.asc")
	if _, err := os.Stat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return command.Fault(err)
	}
	released, err := anyRelease(ctx, cfg.Catalog, s.cmd.path("bucket"))
	if err != nil {
		return err
	}
	if released {
		return fmt.Errorf("the signing key %s is missing, and releases exist that clients trust by it: restore the key from your backup (clients would refuse a new key)", path)
	}
	var armored []byte
	var names []string
	for _, name := range []string{"repomill signing key", "repomill standby signing key"} {
		key, err := sign.Generate(name, signingKeyBits, time.Now())
		if err != nil {
			return err
		}
		private, err := key.Private()
		if err != nil {
			return err
		}
		armored, names = append(armored, private...), append(names, key.Fingerprints()...)
	}
	if err := writeNew(path, armored); err != nil {
		return command.Fault(fmt.Errorf("store signing key: %w", err))
	}
	fmt.Fprintf(s.io.out, "New signing key %s\n  and a standby key %s, which clients get with it,\n  in %s: back this file up. Without it, every client has to be set up again.\n",
		names[0], names[1], path)
	return nil
}

// anyRelease reports whether the catalog or the bucket has a published release.
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
