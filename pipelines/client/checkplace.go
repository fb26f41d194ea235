package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A checkPlace is a tree that check reads, and the releases in it.
type checkPlace struct {
	tree  check.Tree
	shown string // name of the place in messages
	found []check.Found

	snapshot bool // the releases are below a snapshot
}

// nameOf returns the name of a release in messages.
func (p checkPlace) nameOf(f check.Found, r check.Release) string {
	if f.Base == "" && len(p.found) == 1 {
		return p.shown
	}
	return cmp.Or(r.Name, p.shown)
}

// findPlace finds the releases at a place or below it.
func findPlace(ctx context.Context, place string, table *layout.Table) (checkPlace, error) {
	scheme, rest, is := strings.Cut(place, "://")
	switch scheme = strings.ToLower(scheme); {
	case !is && place == "":
		return checkPlace{}, command.Usage("name what to check: a folder such as ./data/bucket, or a URL")
	case !is:
		return findInFolder(place)
	case scheme == "file":
		return findInFolder(rest)
	case scheme == "http" || scheme == "https":
		return findAtURL(ctx, place, table)
	}
	return checkPlace{}, command.Usage("%s:// cannot be checked: name a folder, or the http or https URL where clients read it", scheme)
}

// insideRelease are path endings inside a release. They are removed from a place to get the release or its repository.
var insideRelease = []string{"/InRelease", "/Release", "/Release.gpg", "/repodata/repomd.xml", "/repodata/repomd.xml.asc", "/repodata", "/dists"}

func trimPlace(place string) string {
	for _, end := range insideRelease {
		place = strings.TrimSuffix(strings.TrimRight(place, "/"), end)
	}
	return place
}

func findInFolder(place string) (checkPlace, error) {
	dir, err := filepath.Abs(place)
	if err != nil {
		return checkPlace{}, command.Fault(err)
	}
	dir = trimPlace(dir)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		advice := ""
		if first, _, _ := strings.Cut(place, "/"); strings.Contains(first, ":") || strings.Contains(strings.Trim(first, "."), ".") {
			advice = "; a URL begins with http:// or https://"
		}
		return checkPlace{}, command.Fault(fmt.Errorf("folder %s does not exist%s", place, advice))
	case err != nil:
		return checkPlace{}, command.Fault(err)
	case !info.IsDir():
		return checkPlace{}, command.Fault(fmt.Errorf("%s is a file: name the folder of a release, or one above it", place))
	}
	found, err := check.Find(os.DirFS(dir))
	if err != nil {
		return checkPlace{}, command.Fault(err)
	}
	if len(found) > 0 {
		return checkPlace{tree: check.Dir(dir), shown: place, found: found}, nil
	}
	if _, err := os.Stat(filepath.Join(dir, "InRelease")); err == nil && path.Base(path.Dir(dir)) == "dists" {
		return checkPlace{tree: check.Dir(path.Dir(path.Dir(dir))), shown: place, found: []check.Found{{Format: catalog.DEB, Codename: path.Base(dir)}}}, nil
	}
	return checkPlace{}, command.Fault(fmt.Errorf("there is no release at or below %s: neither dists/CODENAME/InRelease nor repodata/repomd.xml", place))
}
