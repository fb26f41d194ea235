package catalog

import (
	"fmt"
	"time"
)

// A Snapshot is a state of a repository that is kept, or is to be, as the catalog knows it.
type Snapshot struct {
	Number    int64         // of its row
	Target    PackageTarget // whose releases it has; without a component
	ID        string        // its time, as "20261129T021500Z"; empty before a worker has begun with it
	Name      string        // an alias; empty if there is none
	State     SnapshotState
	Asked     time.Time
	Until     *time.Time // when it is deleted by itself; nil if never
	By        Actor
	Automatic bool              // a rule asked for it
	Fault     string            // why it is not done yet, or failed
	SignedBy  string            // fingerprints of the keys that signed it, with "+" between them
	Releases  []SnapshotRelease // of a kept one, in order
}

// A SnapshotState is how far a snapshot is.
type SnapshotState string

// The states of a snapshot. A failed one was never taken, and is forgotten after a day.
const (
	SnapshotAsked    SnapshotState = "asked"
	SnapshotKept     SnapshotState = "kept"
	SnapshotDeleting SnapshotState = "deleting"
	SnapshotFailed   SnapshotState = "failed"
)

// A SnapshotRelease is a release as a snapshot has it.
type SnapshotRelease struct {
	Release  Release
	Revision int64
	Packages int // that the release shows; -1 if that is not known
}

// String returns the name of a snapshot with its identifier, or the one that it has.
func (s Snapshot) String() string {
	switch {
	case s.Name == "":
		return s.ID
	case s.ID == "":
		return s.Name
	}
	return s.ID + " (" + s.Name + ")"
}

// A SnapshotList names the snapshots of a repository, as the resolver reads it. The order is that of their identifiers.
type SnapshotList struct {
	Repository Repository     `json:"repository"`
	Snapshots  []SnapshotName `json:"snapshots"`
}

// A SnapshotName is what clients call a snapshot by.
type SnapshotName struct {
	ID   string `json:"id"`             // its time, as "20261129T021500Z"
	Name string `json:"name,omitempty"` // an alias; empty if there is none
}

// A SnapshotRule has workers take a snapshot of the whole repository in each period, and delete those that it took before the newest ones.
type SnapshotRule struct {
	Every SnapshotPeriod `json:"every"`
	Keep  int            `json:"keep"` // how many; those of snapshot create do not count
}

// A SnapshotPeriod is a period in which one snapshot is taken.
type SnapshotPeriod string

// The periods. A day begins at midnight in UTC, and a week on Monday.
const (
	Daily  SnapshotPeriod = "daily"
	Weekly SnapshotPeriod = "weekly"
)

// MaxSnapshotsKept bounds how many snapshots a rule keeps.
const MaxSnapshotsKept = 1000

// CheckSnapshotRule returns what is wrong with a rule, for the user.
func CheckSnapshotRule(r *SnapshotRule) error {
	switch {
	case r == nil:
		return nil
	case r.Every != Daily && r.Every != Weekly:
		return fmt.Errorf("snapshots %.40q: use %s or %s", r.Every, Daily, Weekly)
	case r.Keep < 1 || r.Keep > MaxSnapshotsKept:
		return fmt.Errorf("snapshots kept: %d; use 1 to %d", r.Keep, MaxSnapshotsKept)
	}
	return nil
}

// Begin returns when the period began in which a time is.
func (p SnapshotPeriod) Begin(t time.Time) time.Time {
	day := t.UTC().Truncate(24 * time.Hour)
	if p == Weekly {
		day = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	}
	return day
}

// String returns the rule in words.
func (r *SnapshotRule) String() string {
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("%s, the newest %d kept", r.Every, r.Keep)
}
