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

// The bounds of a job, and of what goes before and after it.
const (
	maxJob        = 10_000        // uploads; the job's description names them all
	maxLeft       = 1 << 20       // uploads that earlier runs did not finish
	maxAsked      = 1_000         // uploads whose states are asked for at a time
	maxBatch      = 50            // uploads in one element
	large         = 64 << 20      // bytes; a larger upload is an element of its own
	leaseTime     = time.Minute   // of a job that is waited for: its leases are renewed
	detachedLease = 2 * time.Hour // of one that is not; then a worker takes up what it did not finish

	maxPublishes = 8 // releases that are published at the same time
)

// A drain carries what is in staging to clients: workers of an engine store it, and this process
// publishes it.
type drain struct {
	resources *pipelines.Resources
	run       jobRunner
	name      string // of what its jobs prepare
	maxJob    int    // uploads in one job
}

// work carries all that it can, and returns an error if it cannot know what there is. That a job or a
// publish fails is logged: the catalog tells what is left to do.
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
	return d.publish(ctx)
}

// submit has one job store what it can take of staging, and does not wait for it: the rest is left to
// running workers, or to the next job. It returns [errDetached] if there is a job. The settings are not
// imported here: a worker that publishes has done it.
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
		slog.Info("nothing to do")
		return nil
	}
	err = d.run(ctx, job, batches(tasks, isLarge), true)
	if !errors.Is(err, errDetached) {
		leases.Reconcile(ctx, tasks)
		return err
	}
	slog.Info("job submitted: a running worker publishes what it stores", "job", job, "uploads", len(tasks), "left", len(all)-len(tasks))
	return err
}

func isLarge(u catalog.Upload) bool { return u.Size > large }

func waitsForNone(catalog.Upload) bool { return false }

// leases returns the leases of a job that has none yet.
func (d *drain) leases(length time.Duration) worker.Leases {
	return worker.Leases{Resources: d.resources, Lease: catalogdb.Lease{Owner: jobName(), For: length}}
}

// staged returns the uploads to be taken up: those that the catalog does not know, and those that were
// taken up before, not finished, and that no process works on: they may be the reason why. Uploads that
// are held wait, and so do those that only a worker of repomill may judge.
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
		slog.Warn("uploads to distributions that are not in the built-in table are left alone: repomill worker takes them", "uploads", others)
	}
	return fresh, suspect, nil
}

// isOthers reports whether an upload is to a distribution that the built-in table does not have: an
// engine's workers, which have no --distributions file, would reject it.
func isOthers(table *layout.Table, object string) bool {
	staged, rej := layout.ParseStaging(object)
	if rej != nil {
		return false // rejected by whoever reads it
	}
	_, rej = table.Lookup(staged.Distribution)
	return rej != nil
}

// jobName returns a name that Flink and Dataflow accept, and that no other job has.
func jobName() string { return "repomill-" + strings.ToLower(rand.Text()[:12]) }

// batches returns the elements of a job.
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

// storeJob builds the job that stores batches, makes their rows, and prepares the releases that have
// changed. The elements are spread over all workers; without that, one would have them all.
func storeJob(workers pipelines.Config, name string, batches []pipelines.Batch) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	touched := pipelines.Ingest(s, workers, beam.Reshuffle(s, beam.CreateList(s, batches)))
	pipelines.Prepare(s, workers, name, pipelines.Behind(s, workers, touched))
	return p
}

// publish publishes, in this process, the settings and the releases that are behind. One that cannot be
// published keeps no other back.
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
		g.Go(func() error { r.PublishRelease(ctx, release, d.name); return nil }) // which logs and records what fails
	}
	return errors.Join(g.Wait(), ctx.Err())
}
