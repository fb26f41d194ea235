package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// checkScheme returns an error unless the URL has one of the schemes that a flag takes. use names them for the user.
func checkScheme(flag, url, use string, schemes ...string) error {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || !slices.Contains(schemes, scheme) || rest == "" && scheme != "dir" {
		return command.Usage("%s %q: use %s", flag, layout.Shown(url), use)
	}
	return nil
}

// useBucket names the URLs that --bucket takes.
const useBucket = "s3://BUCKET?region=R or file:///path/to/folder"

// checkSigningKeys returns an error for values that do not name a signing key. It does not show the value, which may be a
// private key.
func checkSigningKeys(urls []string) error {
	for _, url := range urls { // each may be a list
		scheme, _, _ := strings.Cut(strings.TrimSpace(url), "://")
		if !slices.Contains([]string{"file", "gcpkms", "awskms"}, scheme) {
			return command.Usage("--signing-key: use file:///path/to/signing-key.asc, gcpkms://projects/P/… or awskms://KEY?region=R")
		}
	}
	return nil
}

// checkCatalog returns an error for a URL that cannot name a catalog. It connects to no server.
func checkCatalog(url string) error {
	db, err := catalogdb.Open(url)
	if err != nil {
		return command.Usage("%w", err)
	}
	return db.Close()
}

// checkBucket returns an error for the URL of a published bucket with an unknown scheme, or of a folder that does not exist:
// opening would create it, and a typing error would be a new, empty repository.
func checkBucket(url string) error {
	if err := checkScheme("--bucket", url, useBucket, "s3", "file"); err != nil {
		return err
	}
	return checkFolder("--bucket", url)
}

// checkFolder returns an error for the file:// URL of a folder that does not exist.
func checkFolder(flag, url string) error {
	path, local := strings.CutPrefix(url, "file://")
	if !local {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return command.Fault(fmt.Errorf("%s: folder %s does not exist: name another one, or create it with mkdir", flag, path))
	case err != nil:
		return command.Fault(fmt.Errorf("%s: %w", flag, err))
	case !info.IsDir():
		return command.Fault(fmt.Errorf("%s: %s is not a folder", flag, path))
	}
	return nil
}

// openBucket opens a published bucket. A folder must exist.
func openBucket(ctx context.Context, url string) (objects.Bucket, error) {
	if err := checkBucket(url); err != nil {
		return nil, err
	}
	bucket, err := objects.OpenBucket(ctx, url)
	if err != nil {
		return nil, command.Fault(err)
	}
	return bucket, nil
}
