// Package layout has the functions of keys and names: staging keys, object keys, public paths and their
// inverses, and the table of distributions. Its functions are pure.
//
// Object keys are the public paths, so that a bucket by itself is a complete repository.
package layout

import (
	"path"
	"strings"

	"repomill/schemas/catalog"
)

// DebDir returns the folder of a DEB release, such as "acme/tools/ubuntu/dists/jammy".
func DebDir(r catalog.Release) string {
	return OSDir(r) + "/dists/" + r.Distribution.Version
}

// OSDir returns the folder that DEB clients use as their base URL, such as "acme/tools/ubuntu".
// A Filename in an index is relative to it.
func OSDir(r catalog.Release) string {
	return r.Repository.String() + "/" + r.Distribution.OS
}

// RPMDir returns the folder that RPM clients use as their base URL, such as "acme/tools/el/9/x86_64".
// A location in an index is relative to it.
func RPMDir(r catalog.Release) string { return r.String() }

// PointerKey returns the key of the one object that commits a release: InRelease or repodata/repomd.xml.
func PointerKey(r catalog.Release) string {
	if r.Arch == "" {
		return DebDir(r) + "/InRelease"
	}
	return RPMDir(r) + "/repodata/repomd.xml"
}

// PoolName returns the name of a DEB package relative to [OSDir], as its Filename field has it, such
// as "pool/jammy/main/h/hello/hello_2.10-3_amd64.deb". The prefix is the first letter of the package
// name, or the first four if it starts with "lib". The epoch is left out of file names, as
// dpkg-name(1) does; if it is not zero, the file lies in a folder of the epoch, such as "e1". The name of
// a variant has that before its ending ([CutVariant]).
func PoolName(p catalog.Package) string {
	folder, _ := epochFolder(p.Version)
	return strings.Join([]string{"pool", p.Distribution.Version, p.Component, poolPrefix(p.Name), p.Name, folder + DebFile(p)}, "/")
}

func poolPrefix(name string) string {
	if strings.HasPrefix(name, "lib") && len(name) > 3 {
		return name[:4]
	}
	return name[:1]
}

// DebFile returns the last element of [PoolName], such as "hello_2.10-3_amd64.deb".
func DebFile(p catalog.Package) string {
	_, version := epochFolder(p.Version)
	return p.Name + "_" + version + "_" + p.Arch + variantEnd(p.Variant) + ".deb"
}

// PoolKey returns the object key of a DEB package.
func PoolKey(p catalog.Package) string {
	return p.Repository.String() + "/" + p.Distribution.OS + "/" + PoolName(p)
}

// RPMName returns the name of an RPM package relative to [RPMDir], as its location has it, such as
// "hello-2.10-3.el9.x86_64.rpm", or "e1/hello-2.10-3.el9.x86_64.rpm" with a non-zero epoch.
// The name of a variant has that before its ending ([CutVariant]).
func RPMName(p catalog.Package) string {
	folder, version := epochFolder(p.Version)
	return folder + p.Name + "-" + version + "." + p.Arch + variantEnd(p.Variant) + ".rpm"
}

// RPMKey returns the object key of an RPM package in one architecture directory.
func RPMKey(p catalog.Package, dir string) string {
	return p.Repository.String() + "/" + p.Distribution.String() + "/" + dir + "/" + RPMName(p)
}

// PackagesPrefix returns the common prefix of the keys of a release's package files.
func PackagesPrefix(r catalog.Release) string {
	if r.Arch == "" {
		return OSDir(r) + "/pool/" + r.Distribution.Version + "/"
	}
	return RPMDir(r) + "/"
}

// epochFolder splits "[epoch:]version" into "e<epoch>/" and version; an absent or zero epoch has no folder.
func epochFolder(version string) (folder, rest string) {
	epoch, rest, ok := strings.Cut(version, ":")
	if !ok {
		return "", version
	}
	if epoch = strings.TrimLeft(epoch, "0"); epoch == "" {
		return "", rest
	}
	return "e" + epoch + "/", rest
}

// rpmDirs maps an RPM architecture to the $basearch of dnf, if that is another name
// (dnf/rpm/__init__.py, _BASEARCH_MAP).
var rpmDirs = map[string]string{
	"i386": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "athlon": "i386", "geode": "i386",
	"armv6hl": "armhfp", "armv7hl": "armhfp", "armv7hnl": "armhfp", "armv8hl": "armhfp",
	"armv5tel": "arm", "armv5tejl": "arm", "armv5tl": "arm", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm",
	"amd64": "x86_64", "ia32e": "x86_64", "x86_64_v2": "x86_64", "x86_64_v3": "x86_64", "x86_64_v4": "x86_64",
	"ppc64iseries": "ppc64", "ppc64p7": "ppc64", "ppc64pseries": "ppc64",
	"src": SRPMS, "nosrc": SRPMS,
}

// SRPMS is the directory of source RPMs.
const SRPMS = "SRPMS"

// The directories of x86 systems. Packages for 32-bit x86 may be in both.
const (
	I386 = "i386"
	X86  = "x86_64"
)

// Noarch is the architecture of RPM packages that belong to every architecture directory.
const Noarch = "noarch"

// RPMDirOf returns the architecture directory of an RPM architecture, such as "i386" for "i686".
// It must not be called with [Noarch], which has no directory of its own.
func RPMDirOf(arch string) string {
	if d, ok := rpmDirs[arch]; ok {
		return d
	}
	return arch
}

// RPMDirs returns, in order, the directories in which an RPM package appears: that of its architecture or, out of set,
// for noarch all but SRPMS, and for multilib those of x86.
func RPMDirs(k catalog.Package, set []string) []string {
	belongs := func(dir string) bool { return dir == I386 || dir == X86 }
	switch {
	case k.Arch == Noarch:
		belongs = func(dir string) bool { return dir != SRPMS }
	case !k.Multilib:
		return []string{RPMDirOf(k.Arch)}
	}
	var dirs []string
	for _, d := range set {
		if belongs(d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// OfferedArch returns the architecture (DEB) or directory (RPM) that the settings of a repository must have for a package;
// "" for a package of every architecture.
func OfferedArch(k catalog.Package) string {
	switch {
	case k.Arch == "all" && k.Format == catalog.DEB, k.Arch == Noarch && k.Format == catalog.RPM:
		return ""
	case k.Format == catalog.DEB:
		return k.Arch
	case k.Multilib:
		return X86
	default:
		return RPMDirOf(k.Arch)
	}
}

// GPGKeyKey returns the key of the repository's armoured public keys.
func GPGKeyKey(r catalog.Repository) string { return r.String() + "/gpgkey" }

// PackageKeyKey returns the key of one of the repository's package keys, such as
// "acme/tools/gpgkeys/acme-tools-3D645A26AB9FBD22.pub.gpg". Clients may ask for it below gpgkey as well.
func PackageKeyKey(r catalog.Repository, id string) string {
	return r.String() + "/gpgkeys/" + r.Owner + "-" + r.Name + "-" + id + ".pub.gpg"
}

// InstanceKeyKey is the key of the armoured public keys with which an instance signs all its repositories. It
// lies outside of every repository, so that a request for it does not reveal a repository.
const InstanceKeyKey = "gpg.key"

// SharedKeyKey returns the key of a package key outside of every repository, such as "gpgkey/3D645A26AB9FBD22".
func SharedKeyKey(id string) string { return sharedKeys + "/" + id }

// IsSharedKey reports whether a key is one that [SharedKeyKey] returns.
func IsSharedKey(key string) bool { return strings.HasPrefix(key, sharedKeys+"/") }

const sharedKeys = "gpgkey"

// MetadataKeyKey returns the key of the public keys beside the pointer of an RPM release: where zypper looks for
// the key of a signature.
func MetadataKeyKey(r catalog.Release) string { return PointerKey(r) + ".key" }

// SourcesKey returns the key of the deb822 client configuration of a DEB distribution.
func SourcesKey(r catalog.Repository, d catalog.Distribution) string {
	return r.String() + "/" + d.String() + ".sources"
}

// RepoKey returns the key of the dnf and zypper client configuration of an RPM distribution.
func RepoKey(r catalog.Repository, d catalog.Distribution) string {
	return r.String() + "/" + d.String() + ".repo"
}

// SettingsKey returns the key of a repository's settings. It is never served.
func SettingsKey(r catalog.Repository) string { return SettingsPrefix + r.String() + ".json" }

// KeysKey is the key of the list of signing, standby and retired keys. It is never served.
const KeysKey = SettingsPrefix + "keys.json"

// FormatKey is the key of the number of the bucket's format. It is never served.
const FormatKey = SettingsPrefix + "format.json"

// HintKeyKey returns the key of a public key beside the pointer of an RPM release, named as rpm names the key. repomd.xml
// refers to it, and zypper imports it.
func HintKeyKey(r catalog.Release, rpmName string) string {
	return RPMDir(r) + "/repodata/" + rpmName + ".asc"
}

// SigningKeyKey returns the key of the public half of a signing key that a KMS keeps, by the SHA-256 of its public key
// (the DER of its SubjectPublicKeyInfo): so one key has one public half. It is never served.
func SigningKeyKey(publicKeySHA256 string) string {
	return SettingsPrefix + "signing-keys/" + publicKeySHA256 + ".asc"
}

// ManifestKey returns the key of the record of one publish. It is never served.
func ManifestKey(r catalog.Release, revision string, pointerSHA256 string) string {
	return HistoryPrefix(r) + revision + "-" + pointerSHA256 + ".json"
}

// VerdictKey returns the staging key of an upload's verdict.
func VerdictKey(object string) string { return ".results/" + object + ".json" }

// SettingsPrefix is the prefix of the keys of all settings.
const SettingsPrefix = ".repomill/"

// RepositoryPrefixes returns the prefixes of the keys of all objects of a repository, but for its settings.
func RepositoryPrefixes(r catalog.Repository) []string {
	return []string{r.String() + "/", installDir(r) + "/", SettingsPrefix + r.String() + "/", ".history/" + r.String() + "/", ".prepared/" + r.String() + "/", SnapshotsPrefix(r)}
}

// DistributionPrefixes returns the prefixes of the keys of all objects of a distribution of either format, but for those of
// [DistributionKeys].
func DistributionPrefixes(r catalog.Repository, d catalog.Distribution) []string {
	of := catalog.Release{Repository: r, Distribution: d}
	return []string{DebDir(of) + "/", PackagesPrefix(of), of.String() + "/", installDir(r) + "/" + d.String() + "/", HistoryPrefix(of), PreparedPrefix(of)}
}

// DistributionKeys returns the keys of the objects of a distribution that lie beside those of others.
func DistributionKeys(r catalog.Repository, d catalog.Distribution) []string {
	return []string{SourcesKey(r, d), RepoKey(r, d)}
}

// ComponentPrefixes returns the prefixes of the keys of the indexes of a component, and of its packages.
func ComponentPrefixes(r catalog.Repository, d catalog.Distribution, component string) []string {
	of := catalog.Release{Repository: r, Distribution: d}
	return []string{DebDir(of) + "/" + component + "/", PackagesPrefix(of) + component + "/"}
}

// IsByHash reports whether a key is that of a DEB index under its immutable name ([ByHashKey]).
func IsByHash(key string) bool { return strings.Contains(key, "/by-hash/") }

// IsPointer reports whether a key has the name of a pointer.
func IsPointer(key string) bool {
	return strings.HasSuffix(key, "/InRelease") || strings.HasSuffix(key, "/repodata/repomd.xml")
}

// HistoryPrefix returns the prefix of the keys of a release's manifests.
func HistoryPrefix(r catalog.Release) string { return ".history/" + r.String() + "/" }

// PreparedPrefix returns the prefix of the keys of index files that a job has rendered for the next revision of a release.
// They are never served.
func PreparedPrefix(r catalog.Release) string { return ".prepared/" + r.String() + "/" }

// Hidden reports whether a key has a segment that starts with ".". Such keys are internal to repomill: they are never
// served, and ignored in staging.
func Hidden(key string) bool {
	return strings.HasPrefix(key, ".") || strings.Contains(key, "/.")
}

// ByHashKey returns the immutable name of a DEB index, given its plain key and lower-case SHA-256.
func ByHashKey(key, sha256 string) string {
	return path.Dir(key) + "/by-hash/SHA256/" + sha256
}
