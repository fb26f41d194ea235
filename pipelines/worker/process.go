package worker

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// process takes leases on uploads and runs the pipeline that makes rows of those that it got, which it
// returns. One that was taken up before and not finished comes alone: it may be what stopped the program,
// and if it does so again, that counts against no other.
func (d *Dispatcher) process(ctx context.Context, uploads []catalog.Upload, alone bool, progress func()) []pipelines.Task {
	// The owner is of this run alone: when it ends, no lease of it is renewed any more.
	lease := catalogdb.Lease{Owner: d.owner + "-" + rand.Text()[:8], For: leaseTime}
	defer d.Resources.OnProgress(lease.Owner, progress)()
	tasks := d.lease(ctx, uploads, lease)
	if len(tasks) == 0 {
		return nil
	}
	stop := d.heartbeat(ctx, tasks, lease)
	p, s := beam.NewPipelineWithRoot()
	pipelines.Store(s, d.Resources.Config, beam.Create(s, pipelines.Batch{Run: lease.Owner, Tasks: tasks, Alone: alone}))
	if err := d.Run(ctx, p); err != nil {
		d.Resources.Log.Error("pipeline failed; the catalog says what is left to do", "uploads", len(tasks), "error", err)
	}
	stop()
	d.reconcile(ctx, tasks)
	return tasks
}

// lease takes leases on uploads. One that has none to give is finished, or another process has it.
func (d *Dispatcher) lease(ctx context.Context, uploads []catalog.Upload, lease catalogdb.Lease) (tasks []pipelines.Task) {
	for group := range slices.Chunk(uploads, pipelines.MaxGroup) {
		tasks = append(tasks, d.leaseGroup(ctx, group, lease)...)
	}
	return tasks
}

// leaseGroup takes leases together or, if that fails, one by one, so that an upload that the catalog cannot
// take keeps no other one back.
func (d *Dispatcher) leaseGroup(ctx context.Context, group []catalog.Upload, lease catalogdb.Lease) (tasks []pipelines.Task) {
	taken, err := d.Resources.Catalog.TakeAll(ctx, group, lease, d.Resources.Now(ctx))
	switch {
	case err == nil: // also at the end: who has a lease gives it back
	case ctx.Err() != nil:
		return nil
	case len(group) > 1:
		for i := range group {
			tasks = append(tasks, d.leaseGroup(ctx, group[i:i+1], lease)...)
		}
		return tasks
	default:
		d.Resources.Log.Error("lease not taken; will be tried again", "upload", group[0].String(), "error", err)
		d.tryAgain(ctx, group[0])
		return nil
	}
	for i, u := range group {
		switch token, state := taken[i].Token, taken[i].State; {
		case token != "":
			d.Resources.LogUpload(slog.LevelDebug, u, string(catalog.Received), "worker", lease.Owner)
			tasks = append(tasks, pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token})
		case state.Final():
			if state == catalog.Rejected { // as poison, perhaps just now
				d.Resources.WriteVerdicts(ctx)
			}
			d.inFlight.done(u)
		default:
			d.inFlight.park(u, state == catalog.Stored)
		}
	}
	return tasks
}

// reconcile asks the catalog for the states of the uploads of a run: a successful run is not evidence. What
// is not finished is given back and tried again: the attempt ended in good order and does not count.
func (d *Dispatcher) reconcile(ctx context.Context, tasks []pipelines.Task) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnLimit)
	defer cancel()
	uploads := uploadsOf(tasks)
	defer d.writeProgressLater(ctx, uploads)
	states, err := d.Resources.Catalog.States(ctx, uploads)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("states not read; the uploads will be tried again", "uploads", len(uploads), "error", err)
	}
	for i, u := range uploads {
		switch state := states[u]; {
		case state.Final():
			d.inFlight.done(u)
			if state == catalog.Rejected {
				d.enqueueNewer(ctx, u)
			}
			continue
		case state == catalog.Stored:
			d.inFlight.park(u, true) // until its releases are published
			continue
		}
		if err := d.Resources.Catalog.Return(last, u, tasks[i].Token); err != nil {
			d.Resources.Log.Error("lease not given up; it expires", "upload", u.String(), "error", err)
		}
		d.tryAgain(ctx, u)
	}
}

// enqueueNewer queues what lies under the name of a rejected upload by now, if it is another generation: of a folder nothing
// says that a file was replaced by itself, as chmod does.
func (d *Dispatcher) enqueueNewer(ctx context.Context, u catalog.Upload) {
	now, err := d.Resources.Staging.Stat(ctx, u.Object)
	if err != nil || now.Generation == u.Generation {
		return // gone, or the same; what cannot be looked at now, the sweep finds
	}
	time.AfterFunc(0, func() { d.enqueue(ctx, queue.Event{Upload: now}) }) // who calls this makes the room for it
}

func uploadsOf(tasks []pipelines.Task) []catalog.Upload {
	uploads := make([]catalog.Upload, len(tasks))
	for i, t := range tasks {
		uploads[i] = t.Upload()
	}
	return uploads
}

// heartbeat renews the leases of a run until stop is called and, if that takes long, writes verdict objects that say
// how far the uploads are.
func (d *Dispatcher) heartbeat(ctx context.Context, tasks []pipelines.Task, lease catalogdb.Lease) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		renew := time.NewTicker(lease.For / 4)
		defer renew.Stop()
		progress := time.NewTicker(progressDelay(len(tasks)))
		defer progress.Stop()
		uploads, written := uploadsOf(tasks), make([]catalog.UploadState, len(tasks))
		for {
			select {
			case <-ctx.Done():
				return
			case <-progress.C:
				d.writeProgress(ctx, uploads, written)
			case <-renew.C:
				if err := d.Resources.Catalog.Renew(ctx, lease, d.Resources.Now(ctx)); err != nil && ctx.Err() == nil {
					d.Resources.Log.Error("leases not renewed", "error", err)
				}
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// writeProgress writes the verdict objects of unfinished uploads whose state is not the one written before.
func (d *Dispatcher) writeProgress(ctx context.Context, uploads []catalog.Upload, written []catalog.UploadState) {
	verdicts, err := d.Resources.Catalog.Verdicts(ctx, uploads)
	if err != nil {
		return // the final verdicts are written for certain
	}
	for i, u := range uploads {
		v, ok := verdicts[u]
		if !ok || v.State.Final() || v.State == written[i] {
			continue
		}
		if err := d.Resources.WriteVerdict(ctx, u, v); err == nil {
			written[i] = v.State
		}
	}
}

// writeProgressLater writes verdict objects that say how far uploads are if, after a while or when the dispatcher ends,
// these are not finished.
func (d *Dispatcher) writeProgressLater(ctx context.Context, uploads []catalog.Upload) {
	d.reporting.Go(func() {
		select {
		case <-time.After(progressDelay(len(uploads))):
		case <-d.ending:
		}
		d.writeProgress(ctx, uploads, make([]catalog.UploadState, len(uploads)))
	})
}

// progressDelay is how long so many uploads have to be unfinished before verdict objects say how far they
// are: each costs what a final verdict does.
func progressDelay(uploads int) time.Duration {
	return min(progressAfter+time.Duration(uploads)*progressAfter/20, maxProgressDelay)
}
