package catalogdb

import (
	"time"

	"repomill/schemas/catalog"
)

// A PageRequest asks for the pages of a version of a package to be made, and of those that name it.
type PageRequest struct {
	ID       int64
	Name     string
	Version  string    // as listed, with its epoch; empty: all versions of the name
	At       time.Time // since when clients see what changed
	Attempts int       // that failed
	Alone    bool      // no page but that of the version says what changed
	New      bool      // the list of names does not have the name: no page of it was ever made, or it was removed, or the catalog was lost
}

// A PageWork is what a process has taken of the pages of a repository: until its lease ends, no other process takes any.
type PageWork struct {
	Repository catalog.Repository
	Token      string        // of the lease
	Requests   []PageRequest // oldest first
	Front      bool          // settings, keys or the program have changed: the front page is to be made, and what names the repository
}

// A PageState is how far the pages of a repository are behind.
type PageState struct {
	Repository catalog.Repository
	Requests   int        // that wait
	Oldest     *time.Time // since when clients see the oldest change that has no pages; nil if there is none
	Whole      bool       // all pages are being made
	Fault      string     // why pages could not be made, if so
}

// A PagePackage is a package as pages say it: active and visible in a release, or withdrawn with its file still there.
type PagePackage struct {
	catalog.Package       // fragments as asked for
	Row             int64 // its number in the catalog
	In              []PagePlacement
	Contents        *Contents // of a DEB, if they were read
	Phase           *int      // the percentage of hosts that upgrade to it; nil for all
}

// A PagePlacement is a release that shows a package, or showed one that was withdrawn.
type PagePlacement struct {
	Release catalog.Release
	Since   *time.Time // when the revision with which it came, or went, was published
	From    *time.Time // of one that went, when the revision with which it came was
}

// A PageVersion is a version of a package of which clients see a package, or saw one whose file is still there.
type PageVersion struct {
	Version string
	First   time.Time // when the first of its packages was uploaded
}

// A PageName is a package in the list of names.
type PageName struct {
	Name, Summary, Version string // of the highest version that clients see
	Formats                []catalog.Format
	At                     time.Time // when a version came last
	Packages               int       // that clients see
	Level                  int       // of the highest list in which the name begins a part; 0 for most
}

// A PageFront is what the front page says of a repository, from one view.
type PageFront struct {
	Settings        catalog.Settings
	Packages, Names int // that clients see, by the list of names
	Releases        []PageRelease
	Changes         []PageChange // newest first
	Newest          []PageChange // some of each release, however long ago they came or went; newest first
	Snapshots       PageSnapshotCount
}

// A PageSnapshotCount is what the front page says of snapshots.
type PageSnapshotCount struct {
	Ever   bool   // there was one
	Kept   int    // that there are
	Newest string // identifier of the newest one; empty if there is none
}

// A PageRelease is a release and what is published of it.
type PageRelease struct {
	Release  catalog.Release
	Revision catalog.Revision // zero if none is published
	Since    *time.Time
}

// A PageChange is a package that came, or went.
type PageChange struct {
	Release catalog.Release
	Package catalog.Package // without fragments
	At      time.Time       // when that was published
}

// A PublicRepository is one in the list of all.
type PublicRepository struct {
	Repository  catalog.Repository
	Description string
	Formats     []catalog.Format
}
