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
	//lint:ignore SA1019 it is the embedded default: what runs in this process runs on it
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// The bounds of a job, and of what goes before and after it.
const (
	maxJob       = 10_000   // uploads; the job's description names them all
	maxLeft      = 1 << 20  // uploads that earlier runs did not finish
	maxAsked     = 1_000    // uploads whose states are asked for at a time
	maxBatch     = 50       // uploads in one element
	large        = 64 << 20 // bytes; a larger upload is an element of its own
	maxAdopted   = 8        // settings that are compared at the same time
	maxPublishes = 8        // releases that are published at the same time
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
	held, err := d.adopt(ctx)
	if err != nil {
		return err
	}
	fresh, suspect, err := d.staged(ctx, held)
	if err != nil {
		return err
	}
	d.store(ctx, fresh, suspect)
	return d.publish(ctx)
}

// submit has one job store what it can take of staging, and does not wait for it: the rest is left to
// running workers, or to the next job. It returns [errDetached] if there is a job. The settings are not
// adopted here: a worker that publishes has done it.
func (d *drain) submit(ctx context.Context) error {
	fresh, suspect, err := d.staged(ctx, nil)
	if err != nil {
		return err
	}
	all := slices.Concat(fresh, suspect)
	lease := catalogdb.Lease{Owner: jobName(), For: detachedLease}
	tasks := take(ctx, d.resources, all[:min(len(all), d.maxJob)], lease)
	if len(tasks) == 0 {
		slog.Info("nothing to do")
		return nil
	}
	err = d.run(ctx, lease.Owner, batches(lease.Owner, tasks, isLarge), true)
	if !errors.Is(err, errDetached) {
		giveBack(ctx, d.resources.Catalog, tasks)
		return err
	}
	slog.Info("job submitted: a running worker publishes what it stores", "job", lease.Owner, "uploads", len(tasks), "left", len(all)-len(tasks))
	return err
}

func isLarge(u catalog.Upload) bool { return u.Size > large }

// adopt makes sure that the catalog's settings are no older than the published ones, by which uploads
// are judged, and returns the repositories of which that cannot be said: their uploads wait.
func (d *drain) adopt(ctx context.Context) (held map[catalog.Repository]bool, err error) {
	declared, err := tree.Repositories(ctx, d.resources.Bucket)
	if err != nil {
		return nil, fmt.Errorf("read the published settings: %w", err)
	}
	failed := make([]error, len(declared))
	var g errgroup.Group
	g.SetLimit(maxAdopted)
	for i, repository := range declared {
		g.Go(func() error { failed[i] = d.resources.Publisher.Settings(ctx, repository); return nil })
	}
	g.Wait() //nolint:errcheck // failed has the errors
	held = map[catalog.Repository]bool{}
	for i, repository := range declared {
		if err := failed[i]; err != nil && !errors.Is(err, catalogdb.ErrNotFound) { // gone from the bucket, and never here
			slog.Error("settings not compared with the published ones: uploads of the repository wait",
				"repository", repository.String(), "error", err)
			held[repository] = true
		}
	}
	return held, nil
}

// staged returns the uploads to be taken up: those that the catalog does not know, and those that were
// taken up before, not finished, and that nobody works on: they may be the reason why. Uploads of held
// repositories wait, and so do those that only a worker of repomill may judge.
func (d *drain) staged(ctx context.Context, held map[catalog.Repository]bool) (fresh, suspect []catalog.Upload, err error) {
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
		return other || held[repositoryOf(u.Object)]
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
func batches(run string, tasks []pipelines.Task, alone func(catalog.Upload) bool) (all []pipelines.Batch) {
	var together []pipelines.Task
	for _, t := range tasks {
		if alone(uploadOf(t)) {
			all = append(all, pipelines.Batch{Run: run, Tasks: []pipelines.Task{t}, Alone: true})
			continue
		}
		together = append(together, t)
	}
	for group := range slices.Chunk(together, maxBatch) {
		all = append(all, pipelines.Batch{Run: run, Tasks: group})
	}
	return all
}

// storeJob builds the job that stores batches, makes their rows, and prepares the releases that have
// changed. The elements are spread over all workers; without that, one would have them all.
func storeJob(workers pipelines.Config, name string, batches []pipelines.Batch) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	pipelines.Prepare(s, workers, name, pipelines.Store(s, workers, beam.Reshuffle(s, beam.CreateList(s, batches))))
	return p
}

// publish publishes, in this process, the settings and the releases that are behind. One that cannot be
// published keeps no other back.
func (d *drain) publish(ctx context.Context) error {
	r := d.resources
	repositories, err := r.Catalog.UnpublishedSettings(ctx)
	if err != nil {
		return fmt.Errorf("settings that are behind: %w", err)
	}
	for _, repository := range repositories {
		if err := r.Publisher.Settings(ctx, repository); err != nil && ctx.Err() == nil {
			slog.Error("settings not published; the next run tries again", "repository", repository.String(), "error", err)
		}
	}
	releases, err := r.Catalog.Unpublished(ctx)
	if err != nil || len(releases) == 0 {
		return err
	}
	var names []string
	var g errgroup.Group
	g.SetLimit(maxPublishes)
	for _, release := range releases {
		names = append(names, release.String())
		g.Go(func() error {
			if _, err := r.PublishPrepared(ctx, release, d.name); err != nil && ctx.Err() == nil {
				slog.Error("not published as it was prepared; it is tried once more",
					"release", release.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
	// What is left is published, faults are recorded, and uploaders are told.
	p, s := beam.NewPipelineWithRoot()
	pipelines.Publish(s, r.Config, beam.CreateList(s, names))
	_, err = direct.Execute(ctx, p)
	return err
}
