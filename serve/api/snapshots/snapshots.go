// Package snapshots answers calls about the snapshots of a repository: it lists, takes and deletes them. A worker does what is asked for.
//
//	GET    /api/v1/repos/OWNER/NAME/snapshots            all of them
//	POST   /api/v1/repos/OWNER/NAME/snapshots            take one: {"name": "release-19.5", "keep": "90d", "distribution": "ubuntu/jammy"}, each may be left out
//	GET    /api/v1/repos/OWNER/NAME/snapshots/ID?wait=20s  one, by its identifier, name or number
//	DELETE /api/v1/repos/OWNER/NAME/snapshots/ID
package snapshots

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// A Catalog has the snapshots. It is called concurrently. For what does not exist, errors wrap [catalog.ErrNotFound].
type Catalog interface {
	// Settings returns the settings of a repository.
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)

	// Snapshots returns the snapshots of a repository, in the order in which they were asked for, without their releases.
	Snapshots(ctx context.Context, r catalog.Repository) ([]catalog.Snapshot, error)

	// Snapshot returns the one of a repository with an identifier, a name or a number.
	Snapshot(ctx context.Context, r catalog.Repository, name string) (catalog.Snapshot, error)

	// Take asks for a snapshot, and returns it as it is recorded. keep is how long it is kept, 0 for always. The error wraps
	// [ErrTaken], with the other one returned, if one has its name.
	Take(ctx context.Context, s catalog.Snapshot, keep time.Duration) (catalog.Snapshot, error)

	// Delete asks for the deletion of a snapshot. A repeat changes nothing.
	Delete(ctx context.Context, number int64) error
}

// A Scheduler has the rules by which snapshots are taken. It is called concurrently.
type Scheduler interface {
	// Schedule sets the rule of a repository, or none, in the name of the actor of the context, and waits until it is published, for at
	// most wait. An error may be an [*api.Error].
	Schedule(ctx context.Context, r catalog.Repository, rule *catalog.SnapshotRule, wait time.Duration) (published bool, err error)
}

// ErrTaken is returned by [Catalog.Take] for a name that another snapshot has.
var ErrTaken = errors.New("another snapshot has the name")

// A Config configures the handler.
type Config struct {
	Catalog   Catalog
	Scheduler Scheduler
	Gate      *api.Gate
	PublicURL string // of the resolver, without a slash at the end
}

// New returns the handler of the calls.
func New(c Config) *api.Door {
	h := &handler{c}
	return &api.Door{Gate: c.Gate, Calls: []api.Call{
		{Method: http.MethodGet, Path: "snapshots", Right: api.Read, Serve: h.there(h.list)},
		{Method: http.MethodPost, Path: "snapshots", Right: api.Manage, Serve: h.there(h.take)},
		{Method: http.MethodPost, Path: "snapshots/schedule", Right: api.Manage, Serve: h.there(h.schedule)},
		{Method: http.MethodGet, Path: "snapshots/ID", Right: api.Read, Serve: h.there(h.show)},
		{Method: http.MethodDelete, Path: "snapshots/ID", Right: api.Manage, Serve: h.there(h.delete)},
	}}
}

type handler struct{ Config }

const (
	repositories = "/api/v1/repos/"
	maxBody      = 16 << 10
	maxWait      = 20 * time.Second
	maxKeep      = 100 * 365 * 24 * time.Hour
	lookPeriod   = 200 * time.Millisecond
)

// there returns a call that is made if the repository exists.
func (h *handler) there(call func(http.ResponseWriter, *http.Request, api.Asked) error) func(http.ResponseWriter, *http.Request, api.Asked) error {
	return func(w http.ResponseWriter, r *http.Request, a api.Asked) error {
		repo := a.Target.Repository
		switch _, err := h.Catalog.Settings(r.Context(), repo); {
		case errors.Is(err, catalog.ErrNotFound):
			return api.NoRepository(repo)
		case err != nil:
			return api.Unavailable(err)
		}
		return call(w, r, a)
	}
}

func (h *handler) list(w http.ResponseWriter, r *http.Request, a api.Asked) error {
	found, err := h.Catalog.Snapshots(r.Context(), a.Target.Repository)
	if err != nil {
		return api.Unavailable(err)
	}
	all := make([]body, len(found))
	for i, s := range found {
		all[i] = h.describe(s)
	}
	api.WriteJSON(w, http.StatusOK, all)
	return nil
}

// show answers with a snapshot: 202 while it is in the making or being deleted, and the call does not wait for longer.
func (h *handler) show(w http.ResponseWriter, r *http.Request, a api.Asked) error {
	repo, which := a.Target.Repository, a.Names[0]
	wait := time.Duration(0)
	if text := r.URL.Query().Get("wait"); text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			return api.Invalid("wait", "use a time such as 20s")
		}
	}
	s, err := h.settled(r.Context(), repo, which, min(wait, maxWait))
	if err != nil {
		return noSnapshot(repo, which, err)
	}
	h.write(w, s)
	return nil
}

// settled returns a snapshot once nothing is left to do for it, or after a time.
func (h *handler) settled(ctx context.Context, repo catalog.Repository, which string, wait time.Duration) (s catalog.Snapshot, err error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		s, err = h.Catalog.Snapshot(ctx, repo, which)
		if err != nil || settled(s) {
			return s, err
		}
		select {
		case <-waiting.Done():
			return s, nil
		case <-time.After(lookPeriod):
		}
	}
}

func settled(s catalog.Snapshot) bool {
	return s.State == catalog.SnapshotKept || s.State == catalog.SnapshotFailed
}

// A request is the body of a call that takes a snapshot.
type request struct {
	Name         string `json:"name"`
	Keep         string `json:"keep"`         // such as 90d; empty for always
	Distribution string `json:"distribution"` // os/version; empty for all
}

// take asks for a snapshot, and waits for it shortly. A repeat while it is not made yet finds it by its name.
func (h *handler) take(w http.ResponseWriter, r *http.Request, a api.Asked) error {
	repo := a.Target.Repository
	want, keep, err := parse(r, repo)
	if err != nil {
		return err
	}
	ctx := catalog.WithActor(r.Context(), a.By.Actor())
	taken, err := h.Catalog.Take(ctx, want, keep)
	switch {
	case errors.Is(err, ErrTaken) && (taken.State != catalog.SnapshotAsked || taken.Target != want.Target):
		return api.Conflict(fmt.Sprintf("snapshot %s of %s has that name: choose another one, or delete that snapshot", taken, repo))
	case errors.Is(err, catalog.ErrNotFound):
		return api.Invalid("distribution", fmt.Sprintf("%s has no releases", want.Target))
	case err != nil && !errors.Is(err, ErrTaken):
		return api.Unavailable(err)
	}
	if now, err := h.settled(r.Context(), repo, fmt.Sprint(taken.Number), maxWait); err == nil {
		taken = now
	}
	h.write(w, taken)
	return nil
}

func parse(r *http.Request, repo catalog.Repository) (s catalog.Snapshot, keep time.Duration, err error) {
	var q request
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return s, 0, &api.Error{Status: http.StatusBadRequest, Message: "the body cannot be read"}
	case len(text) > maxBody:
		return s, 0, &api.Error{Status: http.StatusRequestEntityTooLarge, Message: "the body is too large"}
	case len(text) > 0:
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			return s, 0, &api.Error{Status: http.StatusBadRequest, Message: `the body is no JSON object with "name", "keep" and "distribution": ` + err.Error()}
		}
	}
	s.Target.Repository, s.Name = repo, q.Name
	if q.Name != "" {
		if err := layout.CheckSnapshotName(q.Name); err != nil {
			return s, 0, api.Invalid("name", err.Error())
		}
	}
	if q.Keep != "" {
		if keep, err = catalog.ParsePeriod(q.Keep); err != nil || keep > maxKeep {
			return s, 0, api.Invalid("keep", "use a duration such as 90d or 12h")
		}
	}
	if q.Distribution != "" {
		t, err := catalog.ParsePackageTarget(repo.String() + "/" + q.Distribution)
		if err != nil || t.Whole() || t.Component != "" {
			return s, 0, api.Invalid("distribution", "use os/version, such as ubuntu/jammy")
		}
		s.Target = t
	}
	return s, keep, nil
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request, a api.Asked) error {
	repo, which := a.Target.Repository, a.Names[0]
	s, err := h.Catalog.Snapshot(r.Context(), repo, which)
	if err == nil {
		err = h.Catalog.Delete(catalog.WithActor(r.Context(), a.By.Actor()), s.Number)
	}
	if err != nil {
		return noSnapshot(repo, which, err)
	}
	_, err = h.settled(r.Context(), repo, fmt.Sprint(s.Number), maxWait) // until it is gone
	if errors.Is(err, catalog.ErrNotFound) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s.State = catalog.SnapshotDeleting
	h.write(w, s)
	return nil
}

func noSnapshot(repo catalog.Repository, which string, err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return api.NotFound(fmt.Sprintf("%s has no snapshot %.100q", repo, which))
	}
	return api.Unavailable(err)
}
