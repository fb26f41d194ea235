package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

const (
	maxLeased   = 50              // leases taken in one transaction
	maxReturns  = 8               // leases given back at the same time
	returnLimit = 5 * time.Second // for giving back the leases of a run, besides a millisecond for each, also when work has to end
)

// Leases are the leases of one run of the ingest pipeline. The owner is of that run alone: when it ends, no lease of it is
// renewed any more.
type Leases struct {
	Resources *pipelines.Resources
	Lease     catalogdb.Lease
}

// A Refused upload has no lease to give: it is finished or stored, another process works on it, or the catalog failed.
type Refused struct {
	Upload catalog.Upload
	State  catalog.UploadState
	Err    error // of the catalog
}

// Take takes leases on uploads until ctx ends. It returns a task for each lease, and the uploads that have none to give.
func (l Leases) Take(ctx context.Context, uploads []catalog.Upload) (tasks []pipelines.Task, refused []Refused) {
	for group := range slices.Chunk(uploads, maxLeased) {
		got, not := l.take(ctx, group)
		tasks, refused = append(tasks, got...), append(refused, not...)
	}
	return tasks, refused
}

// take takes leases together or, if that fails, one by one, so that an upload that the catalog cannot take keeps no other one
// back.
func (l Leases) take(ctx context.Context, group []catalog.Upload) (tasks []pipelines.Task, refused []Refused) {
	r := l.Resources
	taken, err := r.Catalog.TakeAll(ctx, group, l.Lease, r.Now(ctx))
	switch {
	case err == nil: // also when ctx has ended: the leases have to be given back
	case ctx.Err() != nil:
		return nil, nil
	case len(group) > 1:
		for i := range group {
			got, not := l.take(ctx, group[i:i+1])
			tasks, refused = append(tasks, got...), append(refused, not...)
		}
		return tasks, refused
	default:
		r.Log.Error("lease not taken; will be tried again", "upload", group[0].String(), "error", err)
		return nil, []Refused{{Upload: group[0], Err: err}}
	}
	for i, u := range group {
		token := taken[i].Token
		if token == "" {
			refused = append(refused, Refused{Upload: u, State: taken[i].State})
			continue
		}
		r.LogUpload(slog.LevelDebug, u, string(catalog.Received), "worker", l.Lease.Owner)
		tasks = append(tasks, pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token})
	}
	return tasks, refused
}

// Renew renews the leases until stop is called or ctx ends.
func (l Leases) Renew(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		renew := time.NewTicker(l.Lease.For / 4)
		defer renew.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-renew.C:
				if err := l.Resources.Catalog.Renew(ctx, l.Lease, l.Resources.Now(ctx)); err != nil && ctx.Err() == nil {
					l.Resources.Log.Error("leases not renewed", "error", err)
				}
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// Reconcile returns the states of the uploads of a run as the catalog has them: a successful run is not evidence. It works also
// after ctx has ended. The leases of those that are neither stored nor finished are given back, without counting the attempt: from then on
// no worker that still has such a lease can end the upload.
func (l Leases) Reconcile(ctx context.Context, tasks []pipelines.Task) (states map[catalog.Upload]catalog.UploadState) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnLimit+time.Duration(len(tasks))*time.Millisecond)
	defer cancel()
	r := l.Resources
	states, err := r.Catalog.States(ctx, uploadsOf(tasks))
	if err != nil {
		r.Log.Error("states not read; the uploads will be tried again", "uploads", len(tasks), "upload", pipelines.NamesOf(uploadsOf(tasks)), "error", err)
	}
	var g errgroup.Group
	g.SetLimit(maxReturns)
	for _, t := range tasks {
		u := t.Upload()
		if states[u] == catalog.Stored || states[u].Settled() {
			continue
		}
		g.Go(func() error {
			if err := r.Catalog.Return(ctx, u, t.Token); err != nil {
				r.Log.Error("lease not given up; it expires", "upload", u.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
	return states
}

func uploadsOf(tasks []pipelines.Task) []catalog.Upload {
	uploads := make([]catalog.Upload, len(tasks))
	for i, t := range tasks {
		uploads[i] = t.Upload()
	}
	return uploads
}
