package worker

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// process takes leases on uploads and runs the pipeline that makes rows of those that it got, which it
// returns. One that an earlier attempt did not finish comes alone: it may be what stopped the program,
// and if it does so again, that counts against no other.
func (d *Dispatcher) process(ctx context.Context, uploads []catalog.Upload, alone bool) []pipelines.Task {
	l := Leases{d.Resources, catalogdb.Lease{Owner: d.owner + "-" + rand.Text()[:8], For: leaseTime}}
	tasks, refused := l.Take(ctx, uploads)
	d.endRefused(ctx, refused)
	if len(tasks) == 0 {
		return nil
	}
	stop := d.heartbeat(ctx, l, tasks)
	if ready := d.withSettings(ctx, tasks); len(ready) > 0 {
		p, s := beam.NewPipelineWithRoot()
		pipelines.Ingest(s, d.Resources.Config, beam.Create(s, pipelines.Batch{Tasks: ready, Alone: alone}))
		if err := d.Run(ctx, p); err != nil {
			d.Resources.Log.Error("pipeline failed; the catalog says what is left to do", "uploads", len(ready), "error", err)
		}
	}
	stop()
	d.reconcile(ctx, l, tasks)
	return tasks
}

// endRefused ends work on uploads that have no lease to give.
func (d *Dispatcher) endRefused(ctx context.Context, refused []Refused) {
	for _, r := range refused {
		switch {
		case r.Err != nil:
			d.tryAgain(ctx, r.Upload)
		case r.State.Final():
			if r.State == catalog.Rejected { // as poison, perhaps just now
				d.Resources.WriteVerdicts(ctx)
			}
			d.inFlight.done(r.Upload)
		default:
			d.inFlight.park(r.Upload, r.State == catalog.Stored)
		}
	}
}

// withSettings returns the tasks that can be judged. Others meet a fault: the settings of their repository may be too old.
func (d *Dispatcher) withSettings(ctx context.Context, tasks []pipelines.Task) (ready []pipelines.Task) {
	for _, t := range tasks {
		if err := d.settings.Pending(t.Object); err != nil {
			d.Resources.RecordFault(ctx, t.Upload(), t.Token, err.Error())
			continue
		}
		ready = append(ready, t)
	}
	return ready
}

// reconcile ends work on uploads that are stored or finished. What is not is tried again: the attempt ended in good order and
// does not count.
func (d *Dispatcher) reconcile(ctx context.Context, l Leases, tasks []pipelines.Task) {
	uploads := uploadsOf(tasks)
	defer d.writeProgressLater(ctx, uploads)
	states := l.Reconcile(ctx, tasks)
	for _, u := range uploads {
		switch state := states[u]; {
		case state.Final():
			d.inFlight.done(u)
			if state == catalog.Rejected {
				d.enqueueNewer(ctx, u)
			}
		case state == catalog.Stored:
			d.inFlight.park(u, true) // until its releases are published
		default:
			d.tryAgain(ctx, u)
		}
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

// heartbeat renews the leases of a run until stop is called and, if that takes long, writes verdict objects that say
// how far the uploads are.
func (d *Dispatcher) heartbeat(ctx context.Context, l Leases, tasks []pipelines.Task) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	renewed := l.Renew(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		progress := time.NewTicker(progressDelay(len(tasks)))
		defer progress.Stop()
		uploads, written := uploadsOf(tasks), make([]catalog.UploadState, len(tasks))
		for {
			select {
			case <-ctx.Done():
				return
			case <-progress.C:
				d.writeProgress(ctx, uploads, written)
			}
		}
	})
	return func() { cancel(); renewed(); running.Wait() }
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
