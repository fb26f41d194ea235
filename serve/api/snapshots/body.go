package snapshots

import (
	"fmt"
	"net/http"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// A body is that of an answer about a snapshot. Its files are URLs.
type body struct {
	catalog.SnapshotBody
	URL string `json:"url"` // of this answer
}

func (h *handler) describe(s catalog.Snapshot) body {
	var files []string
	for _, path := range layout.SnapshotFiles(s) {
		files = append(files, h.PublicURL+"/"+path)
	}
	return body{s.Body(files), h.PublicURL + repositories + s.Target.Repository.String() + "/snapshots/" + fmt.Sprint(s.Number)}
}

// write answers with a snapshot: 200 if nothing is left to do for it, else 202.
func (h *handler) write(w http.ResponseWriter, s catalog.Snapshot) {
	status := http.StatusAccepted
	if settled(s) {
		status = http.StatusOK
	}
	api.WriteJSON(w, status, h.describe(s))
}
