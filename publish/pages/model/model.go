// Package model has what the pages of a repository say, as plain data. Package pages fills it from rows; packages html and twin
// render it, for people and for programs. It holds what clients can see and nothing else.
package model

import (
	"slices"
	"time"

	"repomill/publish/pages/facts"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Repository is what all pages of a repository say.
type Repository struct {
	Name        catalog.Repository
	Description string // one line of its owner; may be empty
	Private     bool
	Snapshots   bool // it has a list of snapshots, which may be empty by now
	Mutable     bool // a version can get other bytes
}

// A Front is the page of a repository, and its twin.
type Front struct {
	Repository
	Packages      int       // that clients see: of each name, version and architecture
	Names         int       // of packages
	AsOf          time.Time // when the newest revision was published; zero if none was
	Distributions []Distribution
	Releases      []Release
	Keys          []Key // with which releases are signed
	PackageKeys   []Key // with which packages are signed, besides
	Keyring       bool  // a package keeps the keys of DEB clients up to date
	Changes       []Change
	Retention     []catalog.Retention   // rules by which versions stay; none: until they are withdrawn
	SnapshotRule  *catalog.SnapshotRule // nil for none
	Kept          int                   // snapshots
	Newest        string                // identifier of the newest snapshot; empty if there is none
	Deleted       *Deleted              // nil for a repository that is not
}

// A Deleted is what pages say of the deletion of a repository: not who deleted it, and why.
type Deleted struct {
	At, Until time.Time
	Removing  bool // it cannot be brought back any more
}

// A Distribution is one for which a repository has packages.
type Distribution struct {
	layout.Distro
	Settings catalog.DistributionSettings
	Package  string // the name of a package that can be installed; empty if there is none
}

// A Release is the state of one release.
type Release struct {
	catalog.Release
	Revision  catalog.Revision // that clients see
	Published time.Time        // when that was published here
	Verified  *time.Time       // when its pointer was last read back, and its signature checked
}

// A Key is a public key.
type Key struct {
	Fingerprint string     // upper-case hexadecimal digits
	User        string     // user ID, as the key says
	Expires     *time.Time // nil: never
}

// A Change is a version that came, or went.
type Change struct {
	Name, Version string
	Format        catalog.Format
	At            time.Time // when that was published
	Distributions []string  // os/version
	Withdrawn     bool
	Reason        string // of a withdrawal
}

// A Name is a page of the versions of a package, newest first, and its twin. Pages are numbered from the oldest; the newest has all
// that is on no older one, and no number in its URL.
type Name struct {
	Repository
	Package     string
	Summary     string // of the newest version
	Homepage    string // as the package says: any text
	Page, Pages int    // from 1
	AsOf        time.Time
	Versions    []Version
}

// A Version is all that clients can see of one version of a package: the packages of its distributions and architectures.
type Version struct {
	Version  string
	First    time.Time // when the first of its packages was published
	Packages []Package // in the order of distributions, components, architectures
}

// A VersionPage is the page of one version.
type VersionPage struct {
	Repository
	Package string
	Version // without an epoch: its packages may differ in that
}

// A Package is one that clients can see, or could before it was withdrawn.
type Package struct {
	catalog.Package             // without fragments
	In              []Placement // the releases that show it, or showed it
	Facts           *facts.Facts
	Files           string // key of the page of its files; empty if there is none
	Phase           *int   // the percentage of hosts that upgrade to it; nil for all
	NoFiles         string // why there is none: "not read: larger than 16 MiB"; may be empty
}

// Current returns the packages without those whose version has other bytes now, unless there are no others.
func Current(packages []Package) []Package {
	current := slices.DeleteFunc(slices.Clone(packages), func(k Package) bool { return k.Replaced() })
	if len(current) == 0 {
		return packages
	}
	return current
}

// A Placement is a release that shows a package.
type Placement struct {
	Release catalog.Release
	Since   *time.Time // when that was published; nil if it is not known
	From    *time.Time // of a package that was withdrawn, since when the release showed it; nil if it is not known
	Key     string     // of the package file for this release
}

// Files is the page of the files of a package.
type Files struct {
	Repository
	Package catalog.Package
	Paths   []File
}

// A File is a file, folder or link that a package installs.
type File struct {
	Path string // absolute
	Kind string // "dir", "ghost", "link" or empty for a file
}

// A Names is a list of packages, or a part of one, and its twin.
type Names struct {
	Repository
	Level          int    // as of [layout.NamesPageKey]
	From           string // its first name; empty for the first part
	Total          int    // packages in the whole repository; of the top alone
	Lines          []Line // of level 0, and of a top that has all names
	Parts          []Part // of higher levels
	Previous, Next *Part
}

// A Line is a package in a list.
type Line struct {
	Name, Summary string
	Version       string // the highest one
	Formats       []catalog.Format
	At            time.Time // when a version came last
}

// A Part is a part of a list: the names from From up to To.
type Part struct {
	Level    int
	From, To string // From is empty for the first part of its level
}

// A Root is the list of public repositories, or of those of one owner.
type Root struct {
	Owner   string // empty: of all
	Entries []RootEntry
	Owners  []Owner // instead of entries, if there are too many
}

// A RootEntry is a repository in the list.
type RootEntry struct {
	Name        catalog.Repository
	Description string
	Formats     []catalog.Format
}

// An Owner is an owner in the list.
type Owner struct {
	Name         string
	Repositories int
}

// A Page is an object to be written: its key and its bytes.
type Page struct {
	Key  string
	Body []byte
}
