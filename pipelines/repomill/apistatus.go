package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"repomill/pipelines/client"
	"repomill/publish/keys"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// apiStatus reports the state of repositories from the catalog.
type apiStatus struct {
	db        *catalogdb.DB
	downloads *downloadCounts
	hidden    hiddenNames // of one report
}

const (
	// statusRows is how many uploads and rejections a report has.
	statusRows = 20
	// statusChanges is how many entries of the audit log a report has.
	statusChanges = 50
	// maxStatusText is how many characters of a detail a report has: a program that fails may say much.
	maxStatusText = 1000
)

// uploadStates are all states of uploads.
var uploadStates = []catalog.UploadState{catalog.Received, catalog.Stored, catalog.Held, catalog.Published, catalog.Duplicate, catalog.Rejected}

// Report implements [status.Source].
func (a apiStatus) Report(ctx context.Context, r catalog.Repository, sees func(catalog.Repository) bool) (model.StatusPage, error) {
	a.hidden = hiddenNames{sees: sees, known: map[catalog.Repository]bool{}}
	var p model.StatusPage
	s, err := a.db.Settings(ctx, r)
	if err != nil {
		return p, err
	}
	p.Repository = model.Repository{Name: r, Description: s.Description, Private: s.Visibility != catalog.Public}
	if p.At, err = a.db.Clock(ctx); err != nil {
		return p, err
	}
	for _, part := range []func(context.Context, *model.StatusPage) error{a.releases, a.uploads, a.worker, a.pages, a.keys, a.changes} {
		if err := part(ctx, &p); err != nil {
			return p, err
		}
	}
	p.Downloads = a.downloads.of(ctx, r, p.At)
	return p, nil
}

func (a apiStatus) releases(ctx context.Context, p *model.StatusPage) error {
	states, err := a.db.ReleasesOf(ctx, p.Name)
	for _, s := range states {
		p.Releases = append(p.Releases, model.ReleaseStatus{Release: s.Release.String(), Latest: s.Revision.Number, Published: s.Published,
			Since: s.Since, Fault: shortText(s.Fault), Waiting: s.Published < s.Revision.Number})
	}
	return err
}

func (a apiStatus) uploads(ctx context.Context, p *model.StatusPage) error {
	waiting, err := a.db.WaitingUploads(ctx, p.Name)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		p.Waiting = append(p.Waiting, model.WaitingStatus{State: w.State, Count: w.Count, Oldest: w.Oldest})
	}
	if p.Pushes, err = a.recent(ctx, p.Name, uploadStates...); err != nil {
		return err
	}
	p.Rejections, err = a.recent(ctx, p.Name, catalog.Rejected)
	return err
}

func (a apiStatus) recent(ctx context.Context, r catalog.Repository, states ...catalog.UploadState) (all []model.UploadStatus, err error) {
	uploads, err := a.db.RecentUploads(ctx, r, statusRows, states...)
	for _, u := range uploads {
		dir, file := path.Split(layout.ShownStaging(u.Object))
		if u.Detail, err = a.hide(ctx, u.Detail, u.From, r); err != nil {
			return nil, err
		}
		all = append(all, model.UploadStatus{
			File: file, Target: strings.TrimSuffix(dir, "/"), State: u.State, Reason: u.Reason, Detail: shortText(u.Detail), Package: u.Package,
			Size: u.Size, Received: u.Received, Finished: u.Finished, By: u.Pusher.User, Job: u.Pusher.Job,
		})
	}
	return all, err
}

func (a apiStatus) worker(ctx context.Context, p *model.StatusPage) error {
	w, err := client.WorkerOf(ctx, a.db)
	p.Worker = model.WorkerStatus{Runs: w.Runs, Seen: w.Seen}
	return err
}

// pages reports how far pages are behind.
func (a apiStatus) pages(ctx context.Context, p *model.StatusPage) error {
	states, err := a.db.PageStates(ctx)
	for _, s := range states {
		if s.Repository == p.Name {
			p.Pages = &model.PagesStatus{Waiting: s.Requests, Oldest: s.Oldest, Whole: s.Whole, Fault: shortText(s.Fault)}
		}
	}
	return err
}

// keys reads the copy of the list of keys, which workers keep in the catalog.
func (a apiStatus) keys(ctx context.Context, p *model.StatusPage) error {
	_, list, err := a.db.SavedKeyList(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	var set keys.Set
	if err := json.Unmarshal(list, &set); err != nil {
		return fmt.Errorf("read the copy of the list of keys: %w", err)
	}
	for _, k := range set.Out() {
		state := model.KeyStatus{Fingerprint: k.Fingerprint, Role: string(k.Role)}
		if end := expiryOf(k); !end.IsZero() {
			end = end.UTC()
			state.Expires = &end
		}
		p.Keys = append(p.Keys, state)
	}
	return nil
}

func (a apiStatus) changes(ctx context.Context, p *model.StatusPage) error {
	entries, err := a.db.RecentChanges(ctx, p.Name, statusChanges)
	for _, e := range entries {
		if e.Elsewhere != nil {
			if e.Detail, err = a.hide(ctx, e.Detail, *e.Elsewhere, p.Name); err == nil {
				e.Why, err = a.hide(ctx, e.Why, *e.Elsewhere, p.Name)
			}
			if err != nil {
				return err
			}
		}
		p.Changes = append(p.Changes, model.ChangeStatus{At: e.At, By: e.By, Action: e.Action, Target: e.Target, Detail: shortText(e.Detail), Why: shortText(e.Why), Job: e.Job})
	}
	return err
}

// shortText returns the beginning of a text.
func shortText(s string) string {
	n := 0
	for at := range s {
		if n++; n > maxStatusText {
			return s[:at] + "…"
		}
	}
	return s
}
