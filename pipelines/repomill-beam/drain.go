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
	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// The bounds of a job, and of what goes before and after it.
const (
	maxJob       = 10_000   // uploads; the job's description names them all
	maxBatch     = 50       // uploads in one element
	large        = 64 << 20 // bytes; a larger upload is an element of its own
	maxAdopted   = 8        // settings that are compared at the same time
	maxPublishes = 8        // releases that are published at the same time
)

// A drain carries all that is in staging to clients: workers of an engine store it, and this process
// publishes it.
type drain struct {
	resources *pipelines.Resources
	workers   pipelines.Config // what travels: without the signing key
	engine    *engine
	name      string // of what its jobs prepare
	detach    bool   // submit one job, and leave the rest to a running worker
}

// run returns an error if a resource cannot be reached; of what met a fault the catalog tells. What a job
// could not finish is tried once more, each upload by itself, so that none suffers from another.
func (d *drain) run(ctx context.Context) error {
	held := map[catalog.Repository]bool{}
	if !d.detach { // a worker that publishes has done it
		var err error
		if held, err = d.adopt(ctx); err != nil {
			return err
		}
	}
	fresh, suspect, err := d.staged(ctx, held)
	if err != nil {
		return err
	}
	if d.detach {
		all := slices.Concat(fresh, suspect)
		return d.submit(ctx, all[:min(len(all), maxJob)])
	}
	var again []catalog.Upload
	for chunk := range slices.Chunk(fresh, maxJob) {
		again = append(again, d.carry(ctx, chunk, isLarge)...)
	}
	for chunk := range slices.Chunk(append(suspect, again...), maxJob) {
		d.carry(ctx, chunk, func(catalog.Upload) bool { return true })
	}
	return d.publish(ctx)
}

func isLarge(u catalog.Upload) bool { return u.Size > large }

// adopt makes sure that the catalog's settings are no older than the published ones, by which uploads
// are judged, and returns the repositories of which that cannot be said: their uploads wait.
func (d *drain) adopt(ctx context.Context) (held map[catalog.Repository]bool, err error) {
	declared, err := publish.Declared(ctx, d.resources.Bucket)
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
			slog.Error("settings not compared with the published ones: uploads of the repository wait", "repository", repository.String(), "error", err)
			held[repository] = true
		}
	}
	return held, nil
}

// staged returns the uploads to be taken up: those that are new, as far as is known, and those that were
// taken up before and not finished, which may be the reason why.
func (d *drain) staged(ctx context.Context, held map[catalog.Repository]bool) (fresh, suspect []catalog.Upload, err error) {
	r, now := d.resources, time.Now()
	suspect, err = r.Catalog.Unfinished(ctx, r.Staging.Name(), now, maxJob)
	if err != nil {
		return nil, nil, fmt.Errorf("unfinished uploads: %w", err)
	}
	known := map[string]bool{}
	for _, u := range suspect {
		known[u.Object+" "+u.Generation] = true
	}
	err = r.Staging.List(ctx, now, func(u catalog.Upload) {
		if !known[u.Object+" "+u.Generation] {
			fresh = append(fresh, u)
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("staging: %w", err)
	}
	waits := func(u catalog.Upload) bool { return held[repositoryOf(u.Object)] }
	return slices.DeleteFunc(fresh, waits), slices.DeleteFunc(suspect, waits), nil
}

// carry has a job store uploads, each that is alone in an element of its own, and returns those that are
// not finished although the job ended.
func (d *drain) carry(ctx context.Context, uploads []catalog.Upload, alone func(catalog.Upload) bool) (again []catalog.Upload) {
	lease := catalogdb.Lease{Owner: jobName(), For: leaseTime}
	tasks := take(ctx, d.resources.Catalog, uploads, lease)
	if len(tasks) == 0 || ctx.Err() != nil {
		return giveBack(ctx, d.resources.Catalog, tasks)
	}
	stop := keep(ctx, d.resources.Catalog, lease)
	slog.Info("job submitted", "job", lease.Owner, "uploads", len(tasks))
	begin := time.Now()
	if err := d.engine.Run(ctx, lease.Owner, storeJob(d.workers, d.name, batches(lease.Owner, tasks, alone)), false); err != nil {
		slog.Error("job failed; the catalog says what is left to do", "job", lease.Owner, "uploads", len(tasks), "error", err)
	}
	stop()
	again = giveBack(ctx, d.resources.Catalog, tasks)
	slog.Info("job ended", "job", lease.Owner, "uploads", len(tasks), "unfinished", len(again), "took", time.Since(begin).Round(time.Millisecond).String())
	return again
}

// submit has a job store uploads, and does not wait for it.
func (d *drain) submit(ctx context.Context, uploads []catalog.Upload) error {
	lease := catalogdb.Lease{Owner: jobName(), For: detachedLease}
	tasks := take(ctx, d.resources.Catalog, uploads, lease)
	if len(tasks) == 0 {
		slog.Info("nothing to do")
		return nil
	}
	err := d.engine.Run(ctx, lease.Owner, storeJob(d.workers, d.name, batches(lease.Owner, tasks, isLarge)), true)
	if !errors.Is(err, errDetached) {
		giveBack(ctx, d.resources.Catalog, tasks)
		return err
	}
	slog.Info("job submitted: a running worker publishes what it stores", "job", lease.Owner, "uploads", len(tasks))
	return err
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

// publish publishes, in this process, the releases and the settings that are behind.
func (d *drain) publish(ctx context.Context) error {
	r := d.resources
	repositories, err := r.Catalog.UnpublishedSettings(ctx)
	if err != nil {
		return fmt.Errorf("settings that are behind: %w", err)
	}
	for _, repository := range repositories {
		if err := r.Publisher.Settings(ctx, repository); err != nil {
			return fmt.Errorf("publish the settings of %s: %w", repository, err)
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
				slog.Error("not published as it was prepared; it is tried once more", "release", release.String(), "error", err)
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
