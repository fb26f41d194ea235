package main

import (
	"context"
	"log/slog"
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
	maxTakes      = 8               // leases taken, or given back, at the same time
)

// take takes leases on uploads. One that has none to give is finished, or somebody else's.
func take(ctx context.Context, db *catalogdb.DB, uploads []catalog.Upload, lease catalogdb.Lease) []pipelines.Task {
	tokens := make([]string, len(uploads))
	var g errgroup.Group
	g.SetLimit(maxTakes)
	for i, u := range uploads {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			token, _, err := db.Take(ctx, u, lease, time.Now())
			if err != nil && ctx.Err() == nil {
				slog.Error("lease not taken; the next run tries again", "upload", u.String(), "error", err)
			}
			tokens[i] = token
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
	var tasks []pipelines.Task
	for i, u := range uploads {
		if tokens[i] != "" {
			tasks = append(tasks, pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: tokens[i]})
		}
	}
	return tasks
}

// keep renews leases until stop is called.
func keep(ctx context.Context, db *catalogdb.DB, lease catalogdb.Lease) (stop func()) {
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
				if err := db.Renew(ctx, lease, time.Now()); err != nil && ctx.Err() == nil {
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
	finished := make([]bool, len(tasks))
	var g errgroup.Group
	g.SetLimit(maxTakes)
	for i, t := range tasks {
		g.Go(func() error {
			u := uploadOf(t)
			if state, err := db.State(ctx, u); err == nil && state != catalog.Received {
				finished[i] = true
			} else if err := db.Return(ctx, u, t.Token); err != nil {
				slog.Error("lease not given up; it expires", "upload", u.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
	for i, t := range tasks {
		if !finished[i] {
			unfinished = append(unfinished, uploadOf(t))
		}
	}
	return unfinished
}

func uploadOf(t pipelines.Task) catalog.Upload {
	return catalog.Upload{Bucket: t.Bucket, Object: t.Object, Generation: t.Generation, Size: t.Size}
}

// repositoryOf returns the repository in a staging key, whatever it may be.
func repositoryOf(object string) catalog.Repository {
	owner, rest, _ := strings.Cut(object, "/")
	name, _, _ := strings.Cut(rest, "/")
	return catalog.Repository{Owner: owner, Name: name}
}
