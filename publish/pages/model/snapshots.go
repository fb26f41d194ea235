package model

import (
	"time"

	"repomill/schemas/catalog"
)

// A Snapshots is a page of the snapshots of a repository, newest first, and its twin. Pages are numbered as those of [Name].
type Snapshots struct {
	Repository
	Rule        *catalog.SnapshotRule // nil for none
	Total       int                   // of all pages; of the newest page alone
	Page, Pages int                   // from 1
	Snapshots   []Snapshot
}

// A SnapshotPage is the page of one snapshot.
type SnapshotPage struct {
	Repository
	Snapshot
	Distributions []Distribution // that it has
	Keyring       bool           // a package keeps the keys of DEB clients up to date
}

// A Snapshot is a state of a repository that is kept.
type Snapshot struct {
	ID        string // its time
	Alias     string // its name; may be empty
	Taken     time.Time
	Until     *time.Time // when it is deleted by itself; nil if never
	Automatic bool       // a rule took it
	Releases  []KeptRelease
}

// A KeptRelease is a release as a snapshot has it, and what came and went since the snapshot of it before.
type KeptRelease struct {
	catalog.Release
	Revision   int64
	Packages   int  // -1 if that is not known
	Known      bool // what came and went
	Came, Went int  // packages
}
