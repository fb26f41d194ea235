package layout

import (
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// A Ref is the object to which a public path refers.
type Ref struct {
	Repository catalog.Repository // zero for keys outside of every repository, which are public
	Key        string             // object key
	File       string             // name under which clients should keep it; empty if the path ends in it

	// MovedTo is the public path, without the leading slash, at which clients get what they ask for. Nothing is at the path itself:
	// Key is empty, or that of the object without which nothing is there either.
	MovedTo   string
	Temporary bool // MovedTo may be another one later

	// Snapshot is set if Key is that of a snapshot's own object: the segment that says which snapshot, an identifier or a name, as the
	// client has it. [FindSnapshot] says what it means.
	Snapshot string
}

// Parse reads a public path, decoded once and without the leading slash, and returns the object key
// that it refers to. Besides the keys themselves it accepts GitLab's layout of 2026, which has the
// codename in the base URL (serve/CONTRACT.md, "Paths"):
//
//	owner/name/os/codename/dists/codename/... is owner/name/os/dists/codename/...
//	owner/name/os/codename/pool/codename/component/... is owner/name/os/pool/codename/component/...
//	owner/name/os/codename/pool/component/... is owner/name/os/pool/codename/component/...
//
// and the old place of package keys:
//
//	owner/name/gpgkey/owner-name-KEYID.pub.gpg is owner/name/gpgkeys/owner-name-KEYID.pub.gpg
//
// and another place of the instance's keys:
//
//	gpgkey/gpg.key is gpg.key
//	gpgkey/owner/KEYID.pub.gpg is gpgkey/KEYID
//
// and names of systems where what sets clients up is kept by distribution:
//
//	install/repositories/owner/name/rocky/9.4/config_file.repo is install/repositories/owner/name/el/9/config_file.repo
//
// and direct downloads of packages:
//
//	owner/name/packages/el/9/hello-2.10-3.el9.x86_64.rpm/download is owner/name/el/9/x86_64/hello-2.10-3.el9.x86_64.rpm
//
// and the paths of pages (pageRef), and those below snapshots, of which most are the same without "snapshots/ID":
//
//	owner/name/snapshots/20261129T021500Z/os/pool/... is owner/name/os/pool/...
//
// Parse does not check that the object exists. ok is false for a path that no published object can have.
func Parse(path string) (ref Ref, ok bool) {
	p := strings.Split(path, "/")
	if key, ok := sharedKey(p); ok {
		return Ref{Key: key}, true
	}
	if ref, ok := installRef(p); ok && len(path) <= MaxStagingKey {
		return ref, true
	}
	if len(path) > MaxStagingKey {
		return Ref{}, false
	}
	if ref, ok := pageRef(p); ok {
		return ref, true
	}
	if len(p) < 3 || !plainSegments(p) {
		return folderRef(p)
	}
	repository := catalog.Repository{Owner: p[0], Name: p[1]}
	if CheckRepository(repository) != nil {
		return Ref{}, false
	}
	if p[2] == snapshotsFolder {
		return snapshotRef(repository, p)
	}
	rest, file, ok := download(p[2:])
	if !ok {
		rest = canonical(p)[2:]
	}
	if !published(rest) && !packageKey(repository, rest) {
		return folderRef(p)
	}
	return Ref{Repository: repository, Key: repository.String() + "/" + strings.Join(rest, "/"), File: file}, true
}

// sharedKey returns the key of an object outside of every repository, given the segments of a path in any spelling.
func sharedKey(p []string) (key string, ok bool) {
	if len(p) == 3 && !validName(p[1]) {
		return "", false
	}
	switch p = canonical(p); {
	case len(p) == 1 && p[0] == InstanceKeyKey:
		return InstanceKeyKey, true
	case len(p) == 2 && p[0] == sharedKeys:
		return SharedKeyKey(p[1]), keyIDPattern.MatchString(p[1])
	}
	return "", false
}

// IsKey reports whether the object is a public key of a repository, or the file of all its public keys.
func (r Ref) IsKey() bool {
	rest, ok := strings.CutPrefix(r.Key, r.Repository.String()+"/gpgkey")
	return ok && (rest == "" || strings.HasPrefix(rest, "s/"))
}

// plainSegments reports whether all segments look like those of a published key: no control characters,
// no separators of any system, no leading dot, and nothing that needs quoting beyond percent-encoding.
// It runs for each request of every client, and is faster than a regular expression.
func plainSegments(p []string) bool {
	return !slices.ContainsFunc(p, func(s string) bool { return s == "" || !alphanumeric(s[0]) && s[0] != '_' || !all(s, segmentByte) })
}

func segmentByte(c byte) bool { return alphanumeric(c) || strings.IndexByte("._+~^:-", c) >= 0 }

// packageKey reports whether p, the segments below owner/name, are those of a package key.
func packageKey(r catalog.Repository, p []string) bool {
	if len(p) != 2 || p[0] != "gpgkeys" {
		return false
	}
	id, ok := strings.CutPrefix(p[1], r.Owner+"-"+r.Name+"-")
	id, ends := strings.CutSuffix(id, ".pub.gpg")
	return ok && ends && keyIDPattern.MatchString(id)
}

var keyIDPattern = regexp.MustCompile(`^[0-9A-F]{16}$`)

// published reports whether p, the segments below owner/name, can be those of a published object.
func published(p []string) bool {
	if len(p) == 1 {
		return p[0] == "gpgkey"
	}
	if checkDistributionName(catalog.Distribution{OS: p[0], Version: "x"}) != nil {
		return false
	}
	switch {
	case len(p) == 2:
		name, ext := cutLast(p[1], ".")
		return (ext == "sources" || ext == "repo") && validName(name)
	case p[1] == "dists":
		return publishedDist(p[2:])
	case p[1] == "pool":
		return publishedPool(p[2:])
	default:
		return publishedRPM(p[1:])
	}
}

// publishedDist takes the segments below "dists".
func publishedDist(p []string) bool {
	if len(p) < 2 || !validVersion(p[0]) {
		return false
	}
	switch p = p[1:]; len(p) {
	case 1:
		return p[0] == "InRelease" || p[0] == "Release" || p[0] == "Release.gpg"
	case 2: // component/Contents-amd64.gz
		return strings.HasPrefix(p[1], "Contents-")
	case 3: // component/binary-amd64/Packages.gz
		return indexFolder(p[1])
	case 5: // component/binary-amd64/by-hash/SHA256/<hex>
		return indexFolder(p[1]) && p[2] == "by-hash" && p[3] == "SHA256" && sha256Pattern.MatchString(p[4])
	}
	return false
}

func validVersion(s string) bool {
	return validName(s) && !slices.Contains(reservedVersions, s)
}

var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func indexFolder(s string) bool {
	return strings.HasPrefix(s, "binary-") || s == "source" || s == "i18n"
}

// publishedPool takes the segments below "pool": codename/component/prefix/package/[e<epoch>/]file.
func publishedPool(p []string) bool {
	if len(p) == 6 && epochPattern.MatchString(p[4]) {
		p = append(p[:4:4], p[5])
	}
	return len(p) == 5 && validVersion(p[0]) && validName(p[1]) &&
		strings.HasPrefix(p[3], p[2]) && strings.HasSuffix(p[4], ".deb")
}

var epochPattern = regexp.MustCompile(`^e[1-9][0-9]*$`)

// publishedRPM takes version/arch/[e<epoch>/]file.rpm or version/arch/repodata/file.
func publishedRPM(p []string) bool {
	if len(p) < 3 || !validVersion(p[0]) || !ValidArch(p[1]) {
		return false
	}
	switch p = p[2:]; len(p) {
	case 1:
		return strings.HasSuffix(p[0], ".rpm")
	case 2:
		return p[0] == "repodata" || epochPattern.MatchString(p[0]) && strings.HasSuffix(p[1], ".rpm")
	}
	return false
}

func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+len(sep):]
}
