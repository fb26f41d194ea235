package snapshots

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

const maxWhy = 300 // bytes

// off is the period of no rule.
const off = "off"

// A scheduling is the body of a call that sets the rule, and of its answer.
type scheduling struct {
	Every     string `json:"every"` // "daily", "weekly" or "off"
	Keep      int    `json:"keep,omitempty"`
	Why       string `json:"why,omitempty"`
	Published bool   `json:"published"` // of an answer
}

// schedule sets the rule of a repository.
func (h *handler) schedule(w http.ResponseWriter, r *http.Request, a api.Asked) error {
	repo := a.Target.Repository
	var q scheduling
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return &api.Error{Status: http.StatusBadRequest, Message: `the body is no JSON object with "every", "keep" and "why": ` + err.Error()}
	}
	var rule *catalog.SnapshotRule
	if q.Every != off {
		rule = &catalog.SnapshotRule{Every: catalog.SnapshotPeriod(q.Every), Keep: q.Keep}
	}
	if err := catalog.CheckSnapshotRule(rule); err != nil {
		return api.Invalid("every", err.Error()+"; or every off")
	}
	actor := a.By.Actor()
	if actor.Why = q.Why; len(actor.Why) > maxWhy || catalog.CheckDescription(actor.Why) != nil {
		return api.Invalid("why", "use one line of printable text, of at most 300 characters")
	}
	published, err := h.Scheduler.Schedule(catalog.WithActor(r.Context(), actor), repo, rule, maxWait)
	var answer *api.Error
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, catalog.ErrNotFound):
		return api.NoRepository(repo)
	case err != nil:
		return api.Unavailable(err)
	}
	status := http.StatusOK
	if !published {
		status = http.StatusAccepted
	}
	q.Published = published
	api.WriteJSON(w, status, q)
	return nil
}
