package layout

import (
	"strings"

	"repomill/schemas/catalog"
)

// A Spelling names the rule by which a path that is not the key of an object refers to it (serve/CONTRACT.md, "Paths").
// Metrics and statistics count by it.
type Spelling string

// The spellings of paths. Those of earlier servers show which hosts are still configured for one.
const (
	Plain          Spelling = ""                // the path is the key
	CodenameBase   Spelling = "codename-base"   // the codename is in the base URL: GitLab's layout of 2026
	KeyPlace       Spelling = "key-place"       // the earlier places of keys
	DirectDownload Spelling = "direct-download" // packagecloud's links to packages
	InstallQuery   Spelling = "install-query"   // packagecloud's scripts: the distribution is in the query
	InstallSystem  Spelling = "install-system"  // the name of a system in place of the distribution's
)

// Spellings returns all of them but [Plain].
func Spellings() []Spelling {
	return []Spelling{CodenameBase, KeyPlace, DirectDownload, InstallQuery, InstallSystem}
}

// Spelling returns how a path, decoded once and without the leading slash, names r, which [Parse] returned for it or for its
// [InstallPath].
func (r Ref) Spelling(path string) Spelling {
	switch {
	case path == r.Key, r.IsPage(), inSnapshot(path): // no path of an earlier server
		return Plain
	case r.IsInstall() && strings.Count(path, "/") < strings.Count(r.Key, "/"):
		return InstallQuery
	case r.IsInstall():
		return InstallSystem
	case r.File != "":
		return DirectDownload
	case r.IsKey() || r.Repository == (catalog.Repository{}):
		return KeyPlace
	}
	return CodenameBase
}

// inSnapshot reports whether a path of a repository lies below a snapshot.
func inSnapshot(path string) bool {
	p := strings.SplitN(path, "/", 4)
	return len(p) == 4 && p[2] == snapshotsFolder
}
