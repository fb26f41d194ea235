package catalog

import "time"

// A SnapshotBody is a snapshot as JSON, for commands and the API.
type SnapshotBody struct {
	Number    int64                 `json:"number"`
	Target    string                `json:"target"`
	ID        string                `json:"id,omitempty"` // none before a worker has begun with it
	Name      string                `json:"name,omitempty"`
	State     SnapshotState         `json:"state"`
	Asked     time.Time             `json:"asked"`
	Until     *time.Time            `json:"until,omitempty"`
	By        string                `json:"by,omitempty"`
	Why       string                `json:"why,omitempty"`
	Automatic bool                  `json:"automatic,omitempty"`
	Fault     string                `json:"fault,omitempty"`
	Releases  []SnapshotReleaseBody `json:"releases,omitempty"` // none in a list of the API
	Files     []string              `json:"files,omitempty"`    // the configuration of clients
}

// A SnapshotReleaseBody is a release as a snapshot has it, as JSON.
type SnapshotReleaseBody struct {
	Release  string `json:"release"`
	Revision int64  `json:"revision"`
}

// Body returns the snapshot as JSON, with the places of the configuration of clients.
func (s Snapshot) Body(files []string) SnapshotBody {
	b := SnapshotBody{
		Number: s.Number, Target: s.Target.String(), ID: s.ID, Name: s.Name, State: s.State, Asked: s.Asked, Until: s.Until,
		By: s.By.User, Why: s.By.Why, Automatic: s.Automatic, Fault: s.Fault, Files: files,
	}
	for _, one := range s.Releases {
		b.Releases = append(b.Releases, SnapshotReleaseBody{one.Release.String(), one.Revision})
	}
	return b
}
