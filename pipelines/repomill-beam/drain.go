package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// The limits of jobs, and of the queries before and after them.
const (
	maxJob        = 10_000        // uploads of a job; its description names them all
	maxLeft       = 1 << 20       // unfinished uploads of earlier runs
	maxAsked      = 1_000         // uploads in one query of states
	maxBatch      = 50            // uploads in one element
	large         = 64 << 20      // bytes; a larger upload has an element to itself
	leaseTime     = time.Minute   // leases of a job that this process waits for, and renews
	detachedLease = 2 * time.Hour // leases of a detached job; when they end, a worker processes unfinished uploads

	maxPublishes = 8 // releases published concurrently
)

// A drain processes all uploads in staging: workers of an engine store them, and this process publishes the releases.
type drain struct {
	resources *pipelines.Resources
	run       jobRunner
	name      string // name under which its jobs prepare index files
	maxJob    int    // uploads in one job
}

// work stores and publishes all uploads. It returns an error if staging or the catalog cannot be read. It logs failed jobs and
// publishes: the catalog records the work that is left.
func (d *drain) work(ctx context.Context) error {
	settings, err := worker.ImportSettings(ctx, d.resources)
	if err != nil {
		return err
	}
	fresh, suspect, err := d.staged(ctx, func(u catalog.Upload) bool { return settings.Pending(u.Object) != nil })
	if err != nil {
		return err
	}
	d.store(ctx, fresh, suspect)
	if err := d.publish(ctx); err != nil {
		return err
	}
	if n, err := d.resources.Catalog.FinishMoves(ctx, d.resources.Now(ctx)); err != nil || n == 0 {
		return err
	}
	return d.publish(ctx) // what was moved is withdrawn where it was
}

// submit submits one job that stores uploads, and does not wait for it. Running workers or the next job process the uploads that
// exceed the job. It returns [errDetached] if it has submitted a job. It imports no settings: a running worker has done that.
func (d *drain) submit(ctx context.Context) error {
	fresh, suspect, err := d.staged(ctx, waitsForNone)
	if err != nil {
		return err
	}
	all := slices.Concat(fresh, suspect)
	leases := d.leases(detachedLease)
	job := leases.Lease.Owner
	tasks, _ := leases.Take(ctx, all[:min(len(all), d.maxJob)])
	if len(tasks) == 0 {
		slog.Info("no uploads to process")
		return nil
	}
	err = d.run(ctx, job, batches(tasks, isLarge), true)
	if !errors.Is(err, errDetached) {
		leases.Reconcile(ctx, tasks)
		return err
	}
	slog.Info("job submitted; a running worker publishes its uploads", "job", job, "uploads", len(tasks), "left", len(all)-len(tasks))
	return err
}

func isLarge(u catalog.Upload) bool { return u.Size > large }

func waitsForNone(catalog.Upload) bool { return false }

// leases returns the leases of a new job, each for the given time.
func (d *drain) leases(length time.Duration) worker.Leases {
	return worker.Leases{Resources: d.resources, Lease: catalogdb.Lease{Owner: jobName(), For: length}}
}

// staged returns the uploads to process: fresh ones, which the catalog does not have, and suspect ones, which an earlier run has
// not finished and no process has a lease on, perhaps because they stop their worker. It leaves out held uploads, and those for
// distributions that are not in the built-in table.
func (d *drain) staged(ctx context.Context, held func(catalog.Upload) bool) (fresh, suspect []catalog.Upload, err error) {
	r := d.resources
	suspect, err = r.Catalog.Unfinished(ctx, r.Staging.Name(), r.Now(ctx), maxLeft)
	if err != nil {
		return nil, nil, fmt.Errorf("unfinished uploads: %w", err)
	}
	var listed []catalog.Upload
	if err := r.Staging.List(ctx, time.Now(), func(u catalog.Upload) { listed = append(listed, u) }); err != nil {
		return nil, nil, fmt.Errorf("staging: %w", err)
	}
	for some := range slices.Chunk(listed, maxAsked) {
		states, err := r.Catalog.States(ctx, some)
		if err != nil {
			return nil, nil, fmt.Errorf("states of uploads: %w", err)
		}
		for _, u := range some {
			if _, known := states[u]; !known {
				fresh = append(fresh, u)
			}
		}
	}
	asked, left, err := d.promotions(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("promotions: %w", err)
	}
	fresh, suspect = append(fresh, asked...), append(suspect, left...)
	table, others := layout.DefaultTable(), 0
	waits := func(u catalog.Upload) bool {
		other := isOthers(table, u.Object)
		if other {
			others++
		}
		return other || held(u)
	}
	fresh, suspect = slices.DeleteFunc(fresh, waits), slices.DeleteFunc(suspect, waits)
	if others > 0 {
		slog.Warn("uploads left to repomill worker: their distributions are not in the built-in table", "uploads", others)
	}
	return fresh, suspect, nil
}

// promotions returns those that were asked for, and those that an earlier run has not finished.
func (d *drain) promotions(ctx context.Context) (asked, left []catalog.Upload, err error) {
	r := d.resources
	if asked, err = r.Catalog.Unattempted(ctx, r.Now(ctx), maxLeft); err != nil {
		return nil, nil, err
	}
	known := map[catalog.Upload]bool{}
	for _, u := range asked {
		known[u] = true
	}
	left, err = r.Catalog.Unfinished(ctx, catalog.PromotionBucket, r.Now(ctx), maxLeft)
	return asked, slices.DeleteFunc(left, func(u catalog.Upload) bool { return known[u] }), err
}

// isOthers reports whether an upload is for a distribution that the built-in table does not have. Workers of an engine have no
// --distributions file, and would reject it.
func isOthers(table *layout.Table, object string) bool {
	staged, rej := layout.ParseStaging(object)
	if rej != nil {
		return false // any worker rejects it
	}
	_, rej = table.Lookup(staged.Distribution)
	return rej != nil
}

// jobName returns a new name for a job, which Flink and Dataflow accept.
func jobName() string { return "repomill-" + strings.ToLower(rand.Text()[:12]) }

// batches returns the elements of a job. An upload for which alone returns true has an element to itself.
func batches(tasks []pipelines.Task, alone func(catalog.Upload) bool) (all []pipelines.Batch) {
	var together []pipelines.Task
	for _, t := range tasks {
		if alone(t.Upload()) {
			all = append(all, pipelines.Batch{Tasks: []pipelines.Task{t}, Alone: true})
			continue
		}
		together = append(together, t)
	}
	for group := range slices.Chunk(together, maxBatch) {
		all = append(all, pipelines.Batch{Tasks: group})
	}
	return all
}

// storeJob builds the job that stores batches, makes their rows, and prepares the changed releases. Reshuffle spreads the
// elements over all workers; without it, one worker would process them all.
func storeJob(workers pipelines.Config, name string, batches []pipelines.Batch) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	touched := pipelines.Ingest(s, workers, beam.Reshuffle(s, beam.CreateList(s, batches)))
	pipelines.Prepare(s, workers, name, pipelines.Behind(s, workers, touched))
	return p
}

// publish publishes the settings and all releases that are behind, in this process. A release that fails does not keep back
// others.
func (d *drain) publish(ctx context.Context) error {
	r := d.resources
	if err := worker.PublishSettings(ctx, r); err != nil {
		return err
	}
	releases, err := r.Catalog.Unpublished(ctx)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(maxPublishes)
	for _, release := range releases {
		g.Go(func() error { r.PublishRelease(ctx, release, d.name); return nil }) // it logs and records its fault
	}
	return errors.Join(g.Wait(), ctx.Err())
}
