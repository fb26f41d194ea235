package worker

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// process ends a batch: with its uploads stored, finished, or to be tried again, and the releases scheduled that got rows. What the
// queue knew of an upload may be old: the catalog says what is to be done.
func (d *Dispatcher) process(ctx, work context.Context, b *batch) {
	uploads := b.uploads
	if b.kind == fresh || b.kind == large { // of the others it is known
		uploads = d.triage(work, b)
	}
	if len(uploads) == 0 {
		return
	}
	if stored := d.ingest(work, uploads, b.kind != fresh); stored {
		d.publishBehind(ctx, work, b.repository, d.releases.add)
	}
}

// triage returns the uploads of a batch that no process has worked on yet. Others are finished or stored, or have another place.
func (d *Dispatcher) triage(ctx context.Context, b *batch) (unknown []catalog.Upload) {
	d.statSizes(ctx, b.uploads)
	states, err := d.Resources.Catalog.States(ctx, b.uploads)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("states not read; the uploads will be tried again", "uploads", len(b.uploads), "upload", pipelines.NamesOf(b.uploads), "error", err)
	}
	for _, u := range b.uploads {
		state, known := states[u]
		switch {
		case err != nil:
			d.tryAgain(u, b.kind)
		case state.Settled():
			d.inFlight.done(u)
		case state == catalog.Stored: // until its releases are published
			d.inFlight.park(u)
		case known && !u.Promoted(): // promotions are known before they are begun with
			d.queue.put(u, suspect)
		case b.kind == fresh && u.Size > largeUpload:
			d.queue.put(u, large)
		default:
			unknown = append(unknown, u)
		}
	}
	return unknown
}

// statSizes asks for the sizes of uploads whose events did not say them: how long they may take depends on them.
func (d *Dispatcher) statSizes(ctx context.Context, uploads []catalog.Upload) {
	var g errgroup.Group
	g.SetLimit(batchStores)
	for i, u := range uploads {
		if u.Size > 0 || u.Promoted() {
			continue
		}
		g.Go(func() error {
			if now, err := d.Resources.Staging.Stat(ctx, u.Object); err == nil && now.Generation == u.Generation {
				uploads[i].Size = now.Size
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // a size that is not known is taken for a small one
}

// ingest takes leases on uploads and runs the pipeline that makes rows of those that it got. It reports whether releases have to be
// published, as far as the catalog answers. An upload that an earlier attempt did not finish comes alone: it may be what stopped the
// program, and if it does so again, that counts against no other.
func (d *Dispatcher) ingest(ctx context.Context, uploads []catalog.Upload, alone bool) (stored bool) {
	l := Leases{d.Resources, catalogdb.Lease{Owner: d.owner + "-" + rand.Text()[:8], For: leaseTime}}
	tasks, refused := l.Take(ctx, uploads)
	d.endRefused(ctx, refused)
	if len(tasks) == 0 {
		return false
	}
	stop := d.heartbeat(ctx, l, tasks)
	ready := d.withSettings(ctx, d.notRejected(ctx, tasks)) // also those that met a fault before, whose row may be a new one
	if len(ready) > 0 {
		p, s := beam.NewPipelineWithRoot()
		pipelines.Ingest(s, d.Resources.Config, beam.Create(s, pipelines.Batch{Tasks: ready, Alone: alone}))
		if err := d.Run(ctx, p); err != nil {
			d.Resources.Log.Error("pipeline failed; the catalog says what is left to do", "uploads", len(ready), "upload", pipelines.NamesOf(uploadsOf(ready)), "error", err)
		}
	}
	stop()
	return d.reconcile(ctx, l, tasks)
}

// endRefused ends work on uploads that have no lease to give.
func (d *Dispatcher) endRefused(ctx context.Context, refused []Refused) {
	for _, r := range refused {
		switch {
		case r.Err != nil:
			d.tryAgain(r.Upload, again)
		case r.State.Settled():
			if r.State == catalog.Rejected { // as poison, perhaps just now
				d.settle(d.Resources.WriteVerdicts(ctx))
			}
			d.inFlight.done(r.Upload)
		default:
			d.inFlight.park(r.Upload)
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

// notRejected returns the tasks whose uploads have no rejection beside them in staging, and rejects the others again. That of a catalog
// which was lost stays: what it rejected must not take the names of packages that wait for a release train, and are to be held again. An
// upload whose verdict cannot be read meets a fault.
func (d *Dispatcher) notRejected(ctx context.Context, tasks []pipelines.Task) (ready []pipelines.Task) {
	rejected, failed := make([]*catalog.Rejection, len(tasks)), make([]error, len(tasks))
	var g errgroup.Group
	g.SetLimit(batchStores)
	for i, t := range tasks {
		g.Go(func() error {
			rejected[i], failed[i] = d.Resources.RejectedBefore(ctx, t.Upload())
			return nil
		})
	}
	g.Wait() //nolint:errcheck // failed has the errors
	for i, t := range tasks {
		err := failed[i]
		if err == nil && rejected[i] != nil {
			err = d.Resources.Catalog.Reject(ctx, t.Upload(), t.Token, *rejected[i], d.Resources.Now(ctx))
		} else if err == nil {
			ready = append(ready, t)
		}
		if err != nil {
			d.Resources.RecordFault(ctx, t.Upload(), t.Token, err.Error())
		}
	}
	return ready
}

// reconcile ends work on uploads that are stored or finished, and reports whether one is stored. Others are tried again: the
// attempt ended in good order and does not count.
func (d *Dispatcher) reconcile(ctx context.Context, l Leases, tasks []pipelines.Task) (stored bool) {
	var unfinished []catalog.Upload
	states := l.Reconcile(ctx, tasks)
	for _, t := range tasks {
		u := t.Upload()
		state := states[u]
		if !state.Settled() {
			unfinished = append(unfinished, u)
		}
		switch {
		case state.Settled():
			d.inFlight.done(u)
			if state == catalog.Rejected && !u.Promoted() {
				d.enqueueNewer(ctx, u)
			}
		case state == catalog.Stored:
			stored = true
			d.inFlight.park(u) // until its releases are published
		default:
			d.tryAgain(u, again)
		}
	}
	d.writeProgressLater(ctx, unfinished)
	return stored
}

// enqueueNewer queues the present generation of a rejected upload's object, if it is another one: a folder gives no event when a file
// is replaced by itself, as chmod does.
func (d *Dispatcher) enqueueNewer(ctx context.Context, u catalog.Upload) {
	now, err := d.Resources.Staging.Stat(ctx, u.Object)
	if err != nil || now.Generation == u.Generation {
		return // gone, or the same; if staging does not answer, the scan finds it
	}
	if d.inFlight.add(now, nil, time.Now()) {
		d.queue.put(now, fresh)
	}
}

// heartbeat renews the leases of a run until stop is called and, if that takes long, writes verdict objects that say
// how far the uploads are.
func (d *Dispatcher) heartbeat(ctx context.Context, l Leases, tasks []pipelines.Task) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	renewed := l.Renew(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		uploads, written, begun := uploadsOf(tasks), make([]catalog.UploadState, len(tasks)), time.Now()
		progress := time.NewTicker(progressDelay(len(tasks)))
		defer progress.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-progress.C:
				if time.Since(begun) < allProgressAfter {
					d.writeProgress(ctx, firstOf(uploads), written)
				} else {
					d.writeProgress(ctx, uploads, written)
				}
			}
		}
	})
	return func() { cancel(); renewed(); running.Wait() }
}

// writeProgress writes the verdict objects of unfinished uploads whose state is not the one written before. Most are finished when it looks.
func (d *Dispatcher) writeProgress(ctx context.Context, uploads []catalog.Upload, written []catalog.UploadState) {
	states, err := d.Resources.Catalog.States(ctx, uploads)
	if err != nil {
		return // the final verdicts are written for certain
	}
	numbers := map[catalog.Upload]int{} // of what there is to write
	for i, u := range uploads {
		if state, known := states[u]; known && !state.Settled() && state != written[i] {
			numbers[u] = i
		}
	}
	verdicts, err := d.Resources.Catalog.Verdicts(ctx, slices.Collect(maps.Keys(numbers)))
	if err != nil {
		return
	}
	for u, v := range verdicts {
		if v.State.Settled() {
			continue
		}
		if err := d.Resources.WriteVerdict(ctx, u, v); err == nil {
			written[numbers[u]] = v.State
		}
	}
}

// writeProgressLater writes verdict objects that say how far uploads are if, after a while or when the dispatcher ends,
// these are not finished.
func (d *Dispatcher) writeProgressLater(ctx context.Context, uploads []catalog.Upload) {
	if len(uploads) == 0 {
		return
	}
	d.reporting.Go(func() {
		written := make([]catalog.UploadState, len(uploads))
		d.pauseUnlessEnding(progressDelay(len(uploads)))
		d.writeProgress(ctx, firstOf(uploads), written)
		if len(uploads) > maxProgress {
			d.pauseUnlessEnding(allProgressAfter)
			d.writeProgress(ctx, uploads, written)
		}
	})
}

// pauseUnlessEnding waits, or returns at once when the dispatcher ends.
func (d *Dispatcher) pauseUnlessEnding(t time.Duration) {
	select {
	case <-time.After(t):
	case <-d.ending:
	}
}

// firstOf returns those of many uploads whose progress is written soon: the others are finished together with them, as a rule, and a
// verdict object of progress costs more than a final one, which has to replace it.
func firstOf(uploads []catalog.Upload) []catalog.Upload {
	return uploads[:min(len(uploads), maxProgress)]
}

// progressDelay is how long so many uploads have to be unfinished before verdict objects say how far the first of them
// are: each costs what a final verdict does.
func progressDelay(uploads int) time.Duration {
	return progressAfter + time.Duration(min(uploads, maxProgress))*progressAfter/maxProgress
}
