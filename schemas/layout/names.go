package layout

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// validName reports whether s can be an owner, a repository, an os, a distribution version or a component.
// Such a name needs no quoting in URLs, paths, scripts and configuration files: 1 to 63 lower-case letters,
// digits, '.', '_' and '-', starting with a letter or digit.
func validName(s string) bool {
	return len(s) >= 1 && len(s) <= 63 && nameByte(s[0]) && alphanumeric(s[0]) && all(s, nameByte)
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// all reports whether each byte of s is good.
func all(s string, good func(byte) bool) bool {
	for i := range len(s) {
		if !good(s[i]) {
			return false
		}
	}
	return true
}

// archPattern matches the architectures of both formats.
var archPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

// apiOwner and appOwner begin the paths of the API and of packagecloud's pages, apiRepositories those of the API about a repository.
const (
	apiOwner, appOwner = "api", "app"
	apiRepositories    = apiOwner + "/v1/repos/"
)

// reservedOwners are first path segments that a server needs for itself, now or for old clients.
var reservedOwners = []string{installOwner, apiOwner, appOwner, "priv", InstanceKeyKey, sharedKeys, "healthz", "readyz", "livez", "statusz", "metrics", assets, indexPage, "log"}

// reservedOS are third path segments that are not operating systems.
var reservedOS = []string{downloads, "gpgkey", "gpgkeys", pageFolder, namesFolder, statusFolder, snapshotsFolder, "changelogs",
	indexPage, indexTwin, feedFile, statusFile}

// reservedVersions are fourth path segments that are not distribution versions, and fifth ones that
// are not architectures.
var reservedVersions = []string{"dists", "pool"}

// ValidArch reports whether s can be an architecture.
func ValidArch(s string) bool {
	return archPattern.MatchString(s) && !slices.Contains(reservedVersions, s)
}

// CheckRepository returns a rejection of an owner or name that a repository cannot have; nil if both are valid.
func CheckRepository(r catalog.Repository) *catalog.Rejection {
	if rej := checkName("owner", r.Owner); rej != nil {
		return rej
	}
	if slices.Contains(reservedOwners, r.Owner) {
		return &catalog.Rejection{Reason: catalog.ReservedName, Detail: fmt.Sprintf("owner %q is reserved for the server; choose another owner", r.Owner)}
	}
	if r.Name == indexPage {
		return &catalog.Rejection{Reason: catalog.ReservedName, Detail: fmt.Sprintf("repository %q is the name of a page; choose another name", r.Name)}
	}
	return checkName("repository", r.Name)
}

func checkDistributionName(d catalog.Distribution) *catalog.Rejection {
	if rej := checkName("os", d.OS); rej != nil {
		return rej
	}
	if slices.Contains(reservedOS, d.OS) {
		return &catalog.Rejection{Reason: catalog.ReservedName, Detail: fmt.Sprintf("os %q is reserved; use os/version, such as ubuntu/jammy or el/9", d.OS)}
	}
	if slices.Contains(reservedVersions, d.Version) {
		return &catalog.Rejection{Reason: catalog.ReservedName, Detail: fmt.Sprintf("version %q is a folder of every DEB repository; use os/version, such as ubuntu/jammy", d.Version)}
	}
	return checkName("version", d.Version)
}

// CheckComponent returns a rejection of a name that a component cannot have; nil if it is valid.
func CheckComponent(s string) *catalog.Rejection {
	rej := checkName("component", s)
	if rej != nil && strings.Contains(s, "/") {
		rej.Detail += "; a component is one path segment, without a slash"
	}
	return rej
}

func checkName(what, s string) *catalog.Rejection {
	if validName(s) {
		return nil
	}
	return &catalog.Rejection{
		Reason: catalog.BadPath,
		Detail: fmt.Sprintf("%s %.100q: use 1 to 63 lower-case letters, digits, '.', '_' and '-', starting with a letter or digit", what, s),
	}
}
