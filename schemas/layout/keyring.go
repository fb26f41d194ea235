package layout

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// keyringBase returns "owner-name" as a package name. The "_" of a repository's name, which names of DEB packages cannot
// have, becomes a "+", which names of repositories cannot have.
func keyringBase(r catalog.Repository) string {
	return strings.ReplaceAll(r.Owner+"-"+r.Name, "_", "+")
}

// KeyringName returns the name of the package with a repository's keys: "acme-tools-archive-keyring" for DEB,
// "acme-tools-release" for RPM. A "_" in the name of the repository becomes a "+", which no such name has.
func KeyringName(r catalog.Repository, f catalog.Format) string {
	if f == catalog.DEB {
		return keyringBase(r) + "-archive-keyring"
	}
	return keyringBase(r) + "-release"
}

// KeyringPath returns the path of the file in which the keyring package installs the keys of a repository. Its bytes are
// those of the object [GPGKeyKey].
func KeyringPath(r catalog.Repository, f catalog.Format) string {
	if f == catalog.DEB {
		return "/usr/share/keyrings/" + KeyringName(r, f) + ".asc"
	}
	return "/etc/pki/rpm-gpg/RPM-GPG-KEY-" + keyringBase(r)
}

// SourceName returns the name, without extension, of the files that configure a repository on a host.
func SourceName(r catalog.Repository) string { return r.Owner + "_" + r.Name }

// RepoPath returns the path of the .repo file of a repository on a host with RPM client c.
func RepoPath(r catalog.Repository, c Client) string {
	if c == Zypper {
		return "/etc/zypp/repos.d/" + SourceName(r) + ".repo"
	}
	return "/etc/yum.repos.d/" + SourceName(r) + ".repo"
}

// keyringVersion is the version of a keyring package: a day, and the count of versions on it.
type keyringVersion struct{ day, serial int }

const keyringDay = "20060102"

func parseKeyringVersion(s string) (keyringVersion, bool) {
	day, serial, _ := strings.Cut(s, ".")
	d, err := strconv.Atoi(day)
	n, err2 := strconv.Atoi(serial)
	v := keyringVersion{d, n}
	if err != nil || err2 != nil || len(day) != len(keyringDay) || n <= 0 || v.String() != s {
		return keyringVersion{}, false
	}
	return v, true
}

func (v keyringVersion) String() string { return fmt.Sprintf("%d.%d", v.day, v.serial) }

// ValidKeyringVersion reports whether a version is one that [NextKeyringVersion] returns.
func ValidKeyringVersion(s string) bool {
	_, ok := parseKeyringVersion(s)
	return ok
}

// CompareKeyringVersions returns -1 if a is older than b, 0 if they are equal and 1 if a is newer, as dpkg and rpm compare
// them. A string that [ValidKeyringVersion] refuses is older than every valid version.
func CompareKeyringVersions(a, b string) int {
	v, _ := parseKeyringVersion(a)
	w, _ := parseKeyringVersion(b)
	return cmp.Or(cmp.Compare(v.day, w.day), cmp.Compare(v.serial, w.serial))
}

// KeyringSerial returns the number of a version within its day; 0 for an invalid version.
func KeyringSerial(s string) int {
	v, _ := parseKeyringVersion(s)
	return v.serial
}

// NextKeyringVersion returns a version for the day of now in UTC, such as "20261129.1". It is newer than all versions in
// than, even if the clock was set back.
func NextKeyringVersion(now time.Time, than ...string) string {
	next := keyringVersion{serial: 1}
	next.day, _ = strconv.Atoi(now.UTC().Format(keyringDay)) //nolint:errcheck // digits
	for _, s := range than {
		if v, ok := parseKeyringVersion(s); ok && CompareKeyringVersions(s, next.String()) >= 0 {
			next = keyringVersion{v.day, v.serial + 1}
		}
	}
	return next.String()
}
