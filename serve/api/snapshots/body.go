package snapshots

import (
	"fmt"
	"net/http"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// A Snapshot is the body of an answer about one.
type Snapshot struct {
	Number    int64                 `json:"number"`
	Target    string                `json:"target"`
	ID        string                `json:"id,omitempty"` // none before a worker has begun with it
	Name      string                `json:"name,omitempty"`
	State     catalog.SnapshotState `json:"state"`
	Asked     time.Time             `json:"asked"`
	Until     *time.Time            `json:"until,omitempty"`
	By        string                `json:"by,omitempty"`
	Why       string                `json:"why,omitempty"`
	Automatic bool                  `json:"automatic,omitempty"`
	Fault     string                `json:"fault,omitempty"`
	Releases  []Release             `json:"releases,omitempty"` // of one, not in a list
	Files     []string              `json:"files,omitempty"`    // URLs of the configuration of clients, of one
	URL       string                `json:"url"`                // of this answer
}

// A Release is a release as a snapshot has it.
type Release struct {
	Release  string `json:"release"`
	Revision int64  `json:"revision"`
}

func (h *handler) describe(s catalog.Snapshot) Snapshot {
	b := Snapshot{
		Number: s.Number, Target: s.Target.String(), ID: s.ID, Name: s.Name, State: s.State, Asked: s.Asked, Until: s.Until,
		By: s.By.User, Why: s.By.Why, Automatic: s.Automatic, Fault: s.Fault,
		URL: h.PublicURL + repositories + s.Target.Repository.String() + "/snapshots/" + fmt.Sprint(s.Number),
	}
	for _, one := range s.Releases {
		b.Releases = append(b.Releases, Release{one.Release.String(), one.Revision})
	}
	for _, path := range layout.SnapshotFiles(s) {
		b.Files = append(b.Files, h.PublicURL+"/"+path)
	}
	return b
}

// write answers with a snapshot: 200 if nothing is left to do for it, else 202.
func (h *handler) write(w http.ResponseWriter, s catalog.Snapshot) {
	status := http.StatusAccepted
	if settled(s) {
		status = http.StatusOK
	}
	api.WriteJSON(w, status, h.describe(s))
}
