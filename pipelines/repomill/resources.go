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

// checkScheme refuses the URL of a resource whose scheme is none of those that a flag takes. use says which those are.
func checkScheme(flag, url, use string, schemes ...string) error {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || !slices.Contains(schemes, scheme) || rest == "" && scheme != "dir" {
		return command.Usage("%s %q: use %s", flag, layout.Shown(url), use)
	}
	return nil
}

// useBucket says what --bucket takes.
const useBucket = "s3://BUCKET?region=R or file:///path/to/folder"

// checkSigningKeys refuses what cannot name a signing key. It is not shown: it may be the key itself.
func checkSigningKeys(urls []string) error {
	for _, url := range urls { // each of which may be a list
		scheme, _, _ := strings.Cut(strings.TrimSpace(url), "://")
		if !slices.Contains([]string{"file", "gcpkms", "awskms"}, scheme) {
			return command.Usage("--signing-key: use file:///path/to/signing-key.asc, gcpkms://projects/P/… or awskms://KEY?region=R")
		}
	}
	return nil
}

// checkCatalog refuses a URL that cannot name a catalog. No server is asked.
func checkCatalog(url string) error {
	db, err := catalogdb.Open(url)
	if err != nil {
		return command.Usage("%w", err)
	}
	return db.Close()
}

// checkBucket refuses the URL of a published bucket that cannot be one, and that of a folder which is not there: it would
// be made, and a slip of the pen would be a new, empty repository.
func checkBucket(url string) error {
	if err := checkScheme("--bucket", url, useBucket, "s3", "file"); err != nil {
		return err
	}
	return checkFolder("--bucket", url)
}

// checkFolder refuses the file:// URL of a folder that is not there.
func checkFolder(flag, url string) error {
	path, local := strings.CutPrefix(url, "file://")
	if !local {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return command.Fault(fmt.Errorf("%s: there is no folder %s: name the right one, or make it with mkdir", flag, path))
	case err != nil:
		return command.Fault(fmt.Errorf("%s: %w", flag, err))
	case !info.IsDir():
		return command.Fault(fmt.Errorf("%s: %s is not a folder", flag, path))
	}
	return nil
}

// openBucket opens a published bucket that is there.
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
