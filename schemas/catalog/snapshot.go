package catalog

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
