package layout

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// pageRef returns what a path of pages refers to, given its segments; of a path that ends in a slash, the last one is empty.
// Paths are the keys of pages. The folder of a page leads to it with its slash; without it, and by the URLs of packagecloud's
// pages, clients are sent to its place:
//
//	owner/name/                                 is owner/name/index.html
//	owner/name/p/hello/2:9.0-1/                 is owner/name/p/hello/9.0-1/index.html
//	owner/name                                  moved to owner/name/
//	owner/name/packages/el/9/hello-1-1.src.rpm  moved to owner/name/p/hello/1-1/
//	owner/name/snapshots/ID/                    is owner/name/snapshots/ID/index.html, with a name or a time for ID, too
//	owner/name/status/                          moved to api/v1/repos/owner/name/status/
//	app/owner/name/search                       moved to owner/name/names/
//
// [Parse] asks folderRef, below, for folders of clients.
func pageRef(p []string) (ref Ref, ok bool) {
	switch {
	case len(p) == 1 && (p[0] == "" || p[0] == indexPage):
		return Ref{Key: RootPageKey}, true
	case len(p) == 2 && p[0] == assets:
		return Ref{Key: AssetKey(p[1])}, assetPattern.MatchString(p[1])
	case len(p) == 1, len(p) == 2 && isFolder(p[1:]):
		return ownerRef(p)
	case len(p) == 4 && p[0] == appOwner && p[3] == "search":
		r := catalog.Repository{Owner: p[1], Name: p[2]}
		return Ref{Repository: r, MovedTo: r.String() + "/" + namesFolder + "/", Temporary: true}, CheckRepository(r) == nil
	}
	if len(p) > 3 && !slices.Contains(reservedOS, p[2]) { // most paths: of packages and indexes
		return Ref{}, false
	}
	r := catalog.Repository{Owner: p[0], Name: p[1]}
	if CheckRepository(r) != nil {
		return Ref{}, false
	}
	key, to, ok := repositoryPage(r, p[2:])
	for segment := range strings.SplitSeq(key, "/") {
		ok = ok && len(segment) <= maxSegment // no page has a longer one, and file systems fail to look for it
	}
	ref = Ref{Repository: r, Key: key, MovedTo: to, Temporary: strings.HasPrefix(to, apiRepositories)}
	if len(p) == 5 && key == SnapshotPageKey(r, p[3]) && !olderPattern.MatchString(p[3]) {
		ref.Snapshot = p[3]
	}
	return ref, ok
}

// maxSegment bounds in bytes the segments of keys of pages: that is what file systems take. Names of packages are shorter.
const maxSegment = 255

// assetPattern matches the names of what pages load: a digest is a part of them.
var assetPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}-[0-9a-f]{8,64}\.(css|js|svg|png|ico)$`)

// isFolder reports whether segments behind a folder name its page.
func isFolder(p []string) bool { return len(p) == 1 && (p[0] == "" || p[0] == indexPage) }

func ownerRef(p []string) (ref Ref, ok bool) {
	if CheckRepository(catalog.Repository{Owner: p[0], Name: "x"}) != nil {
		return Ref{}, false
	}
	ref.Key = OwnerPageKey(p[0])
	if len(p) == 1 { // perhaps a file that browsers and robots ask every host for
		ref.MovedTo = p[0] + "/"
	}
	return ref, true
}

// installPage is the last segment of packagecloud's page with the lines that install a repository.
const installPage = "install"

// repositoryPage takes the segments below owner/name.
func repositoryPage(r catalog.Repository, p []string) (key, to string, ok bool) {
	dir := r.String() + "/"
	switch {
	case len(p) == 0:
		return "", dir, true
	case isFolder(p):
		return FrontPageKey(r), "", true
	case len(p) == 1 && slices.Contains([]string{indexTwin, feedFile, statusFile}, p[0]):
		return dir + p[0], "", true
	case p[0] == statusFolder:
		return "", apiRepositories + dir + statusFolder + "/", len(p) == 1 || len(p) == 2 && p[1] == ""
	case p[0] == namesFolder && len(p) == 1, p[0] == pageFolder && (len(p) == 1 || isFolder(p[1:])):
		return "", dir + namesFolder + "/", true
	case p[0] == namesFolder:
		key, ok = namesPage(r, p[1:])
		return key, "", ok
	case p[0] == snapshotsFolder:
		return snapshotsPage(r, p[1:])
	case len(p) == 1 && p[0] == installPage:
		return "", dir, true
	case p[0] == downloads:
		to, ok = downloadPage(r, p[1:])
		return "", to, ok
	case p[0] == pageFolder && len(p) > 1 && plainSegments(p[1:2]):
		return namePage(r, p[1], p[2:])
	}
	return "", "", false
}

// namesPage takes the segments below "names".
func namesPage(r catalog.Repository, p []string) (key string, ok bool) {
	if isFolder(p) {
		return NamesPageKey(r, -1, ""), true
	}
	last := p[len(p)-1]
	stem, kind := cutLast(last, ".")
	if kind != "html" && kind != "json" || stem == "" || !plainSegments(p) {
		return "", false
	}
	switch {
	case len(p) == 1:
		ok = last == indexTwin || levelPattern.MatchString(stem)
	case len(p) == 2:
		ok = levelPattern.MatchString(p[0])
	}
	return r.String() + "/" + namesFolder + "/" + strings.Join(p, "/"), ok
}

// snapshotsPage takes the segments below "snapshots".
func snapshotsPage(r catalog.Repository, p []string) (key, to string, ok bool) {
	dir := SnapshotDir(r, "")
	if len(p) == 0 {
		return "", dir, true
	}
	older, twin := strings.CutSuffix(p[0], ".json")
	_, isID := ParseSnapshotID(p[0])
	switch folder := isID || olderPattern.MatchString(p[0]) || CheckSnapshotName(p[0]) == nil; {
	case isFolder(p), len(p) == 1 && (p[0] == indexTwin || twin && olderPattern.MatchString(older)):
		return dir + cmp.Or(p[0], indexPage), "", true
	case len(p) == 1:
		return "", dir + p[0] + "/", folder
	default:
		return dir + p[0] + "/" + indexPage, "", folder && isFolder(p[1:])
	}
}

var (
	levelPattern = regexp.MustCompile(`^(0|[1-9][0-9]?)$`)
	olderPattern = regexp.MustCompile(`^_[1-9][0-9]{0,8}$`)
)

// namePage takes the segments below the folder of a package.
func namePage(r catalog.Repository, name string, p []string) (key, to string, ok bool) {
	dir := nameDir(r, name) + "/"
	switch {
	case len(p) == 0 && strings.HasSuffix(name, ".json"):
		return r.String() + "/" + pageFolder + "/" + name, "", name != ".json"
	case len(p) == 0:
		return "", dir, true
	case isFolder(p):
		return dir + indexPage, "", true
	case len(p) == 1 && p[0] == feedFile:
		return dir + feedFile, "", true
	case len(p) == 2 && p[0] == filesFolder:
		sum, ends := strings.CutSuffix(p[1], ".html")
		return FilesPageKey(r, name, sum), "", ends && sha256Pattern.MatchString(sum)
	}
	older, twin := strings.CutSuffix(p[0], ".json")
	if twin && len(p) == 1 && olderPattern.MatchString(older) {
		return dir + p[0], "", true
	}
	folder, ok := p[0], olderPattern.MatchString(p[0])
	if !ok {
		_, version := cutEpoch(p[0])
		folder = versionFolder(version)
		ok = folder != "" && folder != filesFolder && p[0][0] != '.' && all(folder, segmentByte)
	}
	if len(p) == 1 {
		return "", dir + folder + "/", ok
	}
	return dir + folder + "/" + indexPage, "", ok && isFolder(p[1:])
}

// downloadPage takes the segments below "packages" of a page of packagecloud, and returns the path of the page in its place.
func downloadPage(r catalog.Repository, p []string) (to string, ok bool) {
	if len(p) > 0 && p[len(p)-1] == "" {
		p = p[:len(p)-1]
	}
	switch {
	case len(p) == 0:
		return r.String() + "/", true
	case len(p) < 2 || len(p) > 3 || !plainSegments(p) || checkDistributionName(defaultTable().System(p[0], p[1])) != nil:
		return "", false
	case len(p) == 2:
		return r.String() + "/", true
	}
	name, version, ok := nameVersion(p[2])
	return nameDir(r, name) + "/" + versionFolder(version) + "/", ok
}

// folderRef returns where a person who opens a folder of packages or indexes finds them: on the page of the repository. The folder may
// be the URI of a .sources file, or the baseurl of a .repo file, with its slash or without. Nothing is at a folder itself, and no
// client asks for one.
//
//	owner/name/debian/               moved to owner/name/
//	owner/name/el/9/x86_64           moved to owner/name/
//	owner/name/debian/dists/trixie/  moved to owner/name/
func folderRef(p []string) (ref Ref, ok bool) {
	if len(p) < 3 {
		return Ref{}, false
	}
	r, last := catalog.Repository{Owner: p[0], Name: p[1]}, p[len(p)-1]
	if last == "" {
		p = p[:len(p)-1]
	} else if strings.Contains(last, ".") || len(p) < 4 || len(p) > 5 || slices.Contains(reservedVersions, p[3]) { // rather a file
		return Ref{}, false
	}
	if len(p) < 3 || !plainSegments(p) || CheckRepository(r) != nil || checkDistributionName(catalog.Distribution{OS: p[2], Version: "x"}) != nil {
		return Ref{}, false
	}
	return Ref{Repository: r, MovedTo: r.String() + "/", Temporary: true}, true
}

// nameVersion returns what the name of a package's file says: the name of the package and its version without an epoch.
func nameVersion(file string) (name, version string, ok bool) {
	switch stem, kind := cutLast(file, "."); kind {
	case "deb":
		rest, arch := cutLast(stem, "_")
		name, version = cutLast(rest, "_")
		return name, version, name != "" && version != "" && arch != ""
	case "rpm":
		stem, arch := cutLast(stem, ".")
		rest, release := cutLast(stem, "-")
		name, version = cutLast(rest, "-")
		return name, version + "-" + release, name != "" && version != "" && release != "" && arch != ""
	}
	return "", "", false
}

// IsPage reports whether the path is one of a page, a twin, a feed or what pages load, or one that leads to them. They are
// answered with bytes: relative links of a page are those of its public path.
func (r Ref) IsPage() bool { return r.MovedTo != "" || IsPage(r.Key) }

// IsPackagePage reports whether the path is one of a page of a package, for people.
func (r Ref) IsPackagePage() bool {
	return r.MovedTo == "" && strings.HasPrefix(r.Key, r.Repository.String()+"/"+pageFolder+"/") && strings.HasSuffix(r.Key, ".html")
}

// ToAPI reports whether the path leads to the API, which asks for a token of its own.
func (r Ref) ToAPI() bool { return strings.HasPrefix(r.MovedTo, apiRepositories) }
