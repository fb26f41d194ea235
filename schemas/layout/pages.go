package layout

import (
	"path"
	"strconv"
	"strings"

	"repomill/schemas/catalog"
)

// The folders of pages. Keys are the public paths: a path that ends in a slash is the key with [indexPage] behind it.
const (
	assets       = "assets" // below the root; a reserved owner
	pageFolder   = "p"      // of packages, below a repository; a reserved os, as are the next two
	namesFolder  = "names"  // the list of all packages
	statusFolder = "status" // answered by the API
	filesFolder  = "_files" // of a package's pages

	indexPage  = "index.html"
	indexTwin  = "index.json"
	feedFile   = "feed.atom"
	statusFile = "status.json"
)

// RootPageKey is the key of the page of all public repositories.
const RootPageKey = indexPage

// AssetKey returns the key of a style sheet, a script or an icon, whose name contains a digest of it:
// "assets/style-0123456789abcdef.css".
func AssetKey(name string) string { return assets + "/" + name }

// OwnerPageKey returns the key of the page of an owner's public repositories.
func OwnerPageKey(owner string) string { return owner + "/" + indexPage }

// FrontPageKey returns the key of the page of a repository.
func FrontPageKey(r catalog.Repository) string { return r.String() + "/" + indexPage }

// FrontTwinKey returns the key of what [FrontPageKey] says, for programs.
func FrontTwinKey(r catalog.Repository) string { return r.String() + "/" + indexTwin }

// FeedKey returns the key of the Atom feed of a repository.
func FeedKey(r catalog.Repository) string { return r.String() + "/" + feedFile }

// StatusKey returns the key of the revisions of a repository, for programs that compare mirrors.
func StatusKey(r catalog.Repository) string { return r.String() + "/" + statusFile }

// NamesPageKey returns the key of the list of all packages of a repository, or of a part of it: level 0 has packages, and each
// higher one the parts of the level below. from is the first name of the part; empty for the first part. The list as a whole, the top
// of the tree, is that of level -1.
func NamesPageKey(r catalog.Repository, level int, from string) string {
	return namesKey(r, level, from) + ".html"
}

// NamesTwinKey returns the key of what [NamesPageKey] says, for programs.
func NamesTwinKey(r catalog.Repository, level int, from string) string {
	return namesKey(r, level, from) + ".json"
}

func namesKey(r catalog.Repository, level int, from string) string {
	dir := r.String() + "/" + namesFolder + "/"
	switch {
	case level < 0:
		return dir + "index"
	case from == "":
		return dir + strconv.Itoa(level)
	default:
		return dir + strconv.Itoa(level) + "/" + from
	}
}

// NamePageKey returns the key of the page of all versions of a package, which has its newest versions. Older ones are on pages with a
// number, from 1 for the oldest ([OlderPageKey]).
func NamePageKey(r catalog.Repository, name string) string { return nameDir(r, name) + "/" + indexPage }

// NameTwinKey returns the key of what [NamePageKey] says, for programs: "acme/tools/p/hello.json".
func NameTwinKey(r catalog.Repository, name string) string { return nameDir(r, name) + ".json" }

// NameFeedKey returns the key of the Atom feed of a package.
func NameFeedKey(r catalog.Repository, name string) string { return nameDir(r, name) + "/" + feedFile }

// OlderPageKey returns the key of a page of older versions of a package.
func OlderPageKey(r catalog.Repository, name string, number int) string {
	return nameDir(r, name) + "/_" + strconv.Itoa(number) + "/" + indexPage
}

// OlderTwinKey returns the key of what [OlderPageKey] says, for programs.
func OlderTwinKey(r catalog.Repository, name string, number int) string {
	return nameDir(r, name) + "/_" + strconv.Itoa(number) + ".json"
}

// VersionPageKey returns the key of the page of one version. The epoch is left out, as in file names: versions that differ in it
// alone share a page.
func VersionPageKey(r catalog.Repository, name, version string) string {
	_, version = cutEpoch(version)
	return nameDir(r, name) + "/" + versionFolder(version) + "/" + indexPage
}

// versionFolder returns the folder of a version without its epoch. A colon, which only versions with an epoch can have behind it,
// would read as the end of another epoch, and a folder that begins with a dot is hidden.
func versionFolder(version string) string {
	version = strings.ReplaceAll(version, ":", "_")
	if strings.HasPrefix(version, ".") {
		return "_" + version
	}
	return version
}

// FilesPageKey returns the key of the list of the files of a package, by the SHA-256 of the package. It never changes.
func FilesPageKey(r catalog.Repository, name, sha256 string) string {
	return nameDir(r, name) + "/" + filesFolder + "/" + sha256 + ".html"
}

// SnapshotsPageKey returns the key of the list of the snapshots of a repository, which has its newest ones. Older ones are on pages with
// a number, from 1 for the oldest ([OlderSnapshotsPageKey]).
func SnapshotsPageKey(r catalog.Repository) string { return SnapshotDir(r, "") + indexPage }

// SnapshotsTwinKey returns the key of what [SnapshotsPageKey] says, for programs.
func SnapshotsTwinKey(r catalog.Repository) string { return SnapshotDir(r, "") + indexTwin }

// OlderSnapshotsPageKey returns the key of a page of older snapshots.
func OlderSnapshotsPageKey(r catalog.Repository, number int) string {
	return SnapshotDir(r, "_"+strconv.Itoa(number)) + indexPage
}

// OlderSnapshotsTwinKey returns the key of what [OlderSnapshotsPageKey] says, for programs.
func OlderSnapshotsTwinKey(r catalog.Repository, number int) string {
	return SnapshotDir(r, "") + "_" + strconv.Itoa(number) + ".json"
}

// SnapshotPageKey returns the key of the page of one snapshot.
func SnapshotPageKey(r catalog.Repository, id string) string { return SnapshotDir(r, id) + indexPage }

// nameDir returns the folder of the pages of a package. A name that ends like a twin, foo.json, gets a "~", which no name has:
// the twin of foo and the folder of foo.json could not lie in one file system.
func nameDir(r catalog.Repository, name string) string {
	if strings.HasSuffix(name, ".json") {
		name += "~"
	}
	return r.String() + "/" + pageFolder + "/" + name
}

func cutEpoch(version string) (epoch, rest string) {
	epoch, rest, ok := strings.Cut(version, ":")
	if !ok || epoch == "" || strings.Trim(epoch, "0123456789") != "" {
		return "", version
	}
	return epoch, rest
}

// IsPage reports whether a key is one of those above: of a page, a twin, a feed or what pages load.
func IsPage(key string) bool {
	p := strings.Split(key, "/")
	switch {
	case len(p) == 1, len(p) == 2 && p[0] != assets:
		return p[len(p)-1] == indexPage
	case p[0] == assets:
		return len(p) == 2
	case len(p) == 3:
		return p[2] == indexPage || p[2] == indexTwin || p[2] == feedFile || p[2] == statusFile
	}
	return p[2] == pageFolder || p[2] == namesFolder || p[2] == snapshotsFolder && len(p) <= 5
}

func pageHeaders(key string) (contentType, cacheControl string) {
	cacheControl = cachePage
	if strings.HasPrefix(key, assets+"/") || strings.Contains(key, "/_files/") {
		cacheControl = cacheImmutable
	}
	switch path.Ext(key) {
	case ".html":
		return "text/html; charset=utf-8", cacheControl
	case ".json":
		return "application/json", cacheControl
	case ".atom":
		return "application/atom+xml; charset=utf-8", cacheControl
	case ".css":
		return "text/css; charset=utf-8", cacheControl
	case ".js":
		return "text/javascript; charset=utf-8", cacheControl
	case ".svg":
		return "image/svg+xml", cacheControl
	}
	return "application/octet-stream", cacheControl
}
