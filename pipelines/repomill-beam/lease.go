package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

const (
	leaseTime     = time.Minute     // of a job that is waited for: its leases are renewed
	detachedLease = 2 * time.Hour   // of one that is not; then a worker takes up what it did not finish
	returnLimit   = 5 * time.Second // for giving back the leases of a job, besides a millisecond for each
	maxTaken      = 200             // leases taken in one transaction
	maxReturns    = 8               // leases given back at the same time
)

// take takes leases on uploads. One that has none to give is finished, or somebody else's.
func take(ctx context.Context, r *pipelines.Resources, uploads []catalog.Upload, lease catalogdb.Lease) (tasks []pipelines.Task) {
	for some := range slices.Chunk(uploads, maxTaken) {
		tasks = append(tasks, takeSome(ctx, r, some, lease)...)
	}
	return tasks
}

// takeSome takes leases together or, if that fails, one by one, so that an upload that the catalog cannot
// take keeps no other one back.
func takeSome(ctx context.Context, r *pipelines.Resources, uploads []catalog.Upload, lease catalogdb.Lease) (tasks []pipelines.Task) {
	if ctx.Err() != nil {
		return nil
	}
	taken, err := r.Catalog.TakeAll(ctx, uploads, lease, r.Now(ctx))
	if err != nil && len(uploads) > 1 {
		for i := range uploads {
			tasks = append(tasks, takeSome(ctx, r, uploads[i:i+1], lease)...)
		}
		return tasks
	}
	if err != nil {
		if ctx.Err() == nil {
			slog.Error("lease not taken; the next run tries again", "upload", uploads[0].String(), "error", err)
		}
		return nil
	}
	for i, u := range uploads {
		if token := taken[i].Token; token != "" {
			tasks = append(tasks, pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token})
		}
	}
	return tasks
}

// keep renews leases until stop is called.
func keep(ctx context.Context, r *pipelines.Resources, lease catalogdb.Lease) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		renew := time.NewTicker(lease.For / 4)
		defer renew.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-renew.C:
				if err := r.Catalog.Renew(ctx, lease, r.Now(ctx)); err != nil && ctx.Err() == nil {
					slog.Error("leases not renewed", "error", err)
				}
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// giveBack gives up the leases that a job left, without counting the attempt, and returns the uploads.
// From then on no worker that still has one can end it: its token is void.
func giveBack(ctx context.Context, db *catalogdb.DB, tasks []pipelines.Task) (unfinished []catalog.Upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnLimit+time.Duration(len(tasks))*time.Millisecond)
	defer cancel()
	uploads := make([]catalog.Upload, len(tasks))
	for i, t := range tasks {
		uploads[i] = uploadOf(t)
	}
	states, err := db.States(ctx, uploads)
	if err != nil {
		slog.Error("states not read; what is finished is not affected by giving it back", "uploads", len(uploads), "error", err)
	}
	var g errgroup.Group
	g.SetLimit(maxReturns)
	for i, u := range uploads {
		if states[u] == catalog.Stored || states[u].Final() {
			continue
		}
		unfinished = append(unfinished, u)
		g.Go(func() error {
			if err := db.Return(ctx, u, tasks[i].Token); err != nil {
				slog.Error("lease not given up; it expires", "upload", u.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
	return unfinished
}

func uploadOf(t pipelines.Task) catalog.Upload {
	return catalog.Upload{Bucket: t.Bucket, Object: t.Object, Generation: t.Generation, Size: t.Size}
}

// firstLine returns an error without the stack or the log that may follow it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// repositoryOf returns the repository in a staging key, whatever it may be.
func repositoryOf(object string) catalog.Repository {
	owner, rest, _ := strings.Cut(object, "/")
	name, _, _ := strings.Cut(rest, "/")
	return catalog.Repository{Owner: owner, Name: name}
}
