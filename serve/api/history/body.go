package history

import (
	"time"

	"repomill/schemas/catalog"
)

// A Diff is how the packages that clients saw of a target at one point differ from those at another.
type Diff struct {
	Target string  `json:"target"`
	From   []State `json:"from"`
	To     []State `json:"to"`

	Same     int   `json:"same"` // packages
	Added    Group `json:"added"`
	Removed  Group `json:"removed"`
	Changed  Group `json:"changed"`  // another version
	Replaced Group `json:"replaced"` // the same version, with other bytes
}

// A State is what clients saw of a release.
type State struct {
	Release  string     `json:"release"`
	Revision int64      `json:"revision"` // 0 if it was not published yet
	Since    *time.Time `json:"since"`    // null if it is not known
}

// A Group is the packages that differ in one way.
type Group struct {
	Packages int          `json:"packages"`
	Bytes    int64        `json:"bytes"` // of their files at the second point, less those at the first
	First    []Difference `json:"first"` // the first of them, in the order of distributions and names
}

// A Difference is one name and architecture. From or To is nil if it is not there.
type Difference struct {
	Distribution string   `json:"distribution"`
	Component    string   `json:"component,omitempty"`
	Name         string   `json:"name"`
	Arch         string   `json:"arch"`
	From         *Version `json:"from,omitempty"`
	To           *Version `json:"to,omitempty"`
}

// A Version is a package at one of two points.
type Version struct {
	Version string `json:"version"`
	Size    int64  `json:"size"` // of its file, in bytes
	SHA256  string `json:"sha256"`
}

// A Plan is what a rollback would change.
type Plan struct {
	Target   string                `json:"target"`
	To       string                `json:"to"`
	Digest   string                `json:"digest"`   // for a rollback that does this, or nothing
	Withdraw int                   `json:"withdraw"` // packages
	Restore  int                   `json:"restore"`
	Releases []catalog.PlanRelease `json:"releases"`
	Changes  []catalog.PlanItem    `json:"changes"` // the first of them, in the order of releases and names
	LeftOut  LeftOut               `json:"left_out"`
}

// A LeftOut is what a rollback cannot bring back.
type LeftOut struct {
	Packages int                   `json:"packages"`
	First    []catalog.PlanLeftOut `json:"first"`
}

// A Result is what a rollback did.
type Result struct {
	Target    string  `json:"target"`
	To        string  `json:"to"`
	Withdrawn int     `json:"withdrawn"` // packages
	Restored  int     `json:"restored"`
	LeftOut   LeftOut `json:"left_out"`
	Published bool    `json:"published"` // clients see it; else workers are about to publish
}
