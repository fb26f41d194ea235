package catalog

import "time"

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
