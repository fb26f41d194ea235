package worker

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// How long publishes wait for a batch: for as long as one takes that is well. One that takes longer has an upload that hangs.
const (
	minAwaited    = 5 * time.Second
	uploadAwaited = 25 * time.Millisecond // besides, for each upload,
	mibAwaited    = time.Second / 32      // and for each MiB
)

// A processor works on a batch.
type processor func(ctx context.Context, batch []catalog.Upload)

// A batcher is a queue of uploads that are worked on in batches, several at a time.
type batcher struct {
	uploads chan catalog.Upload
	batch   int // most uploads in one
	runs    int // most batches at a time
	process processor

	mu       sync.Mutex
	queued   int64               // uploads that were ever put
	gathered int64               // uploads that were ever taken, in the same order
	running  map[int64]time.Time // until when publishes wait for a batch, by what was gathered before it
}

func newBatcher(batch, runs int, process processor) *batcher {
	return &batcher{uploads: make(chan catalog.Upload, maxWaiting), batch: batch, runs: runs, process: process, running: map[int64]time.Time{}}
}

// put queues an upload. It returns when there is room, or ctx ends.
func (b *batcher) put(ctx context.Context, u catalog.Upload) {
	select {
	case b.uploads <- u:
		b.mu.Lock()
		b.queued++
		b.mu.Unlock()
	case <-ctx.Done():
	}
}

// ahead returns a function that reports whether all that is queued now has been processed.
func (b *batcher) ahead() (reached func() bool) {
	b.mu.Lock()
	mark := b.queued
	b.mu.Unlock()
	return func() bool { return b.processed() >= mark }
}

// processed returns how many uploads were processed, up to the first that was not.
func (b *batcher) processed() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.gathered
	for before, until := range b.running {
		if time.Now().Before(until) {
			n = min(n, before)
		}
	}
	return n
}

// begin notes that a batch is gathered, and returns what notes that it is processed.
func (b *batcher) begin(batch []catalog.Upload) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.gathered
	b.gathered += int64(len(batch))
	b.running[before] = time.Now().Add(awaited(batch))
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.running, before)
	}
}

// awaited returns how long publishes wait for a batch.
func awaited(batch []catalog.Upload) time.Duration {
	wait := minAwaited
	for _, u := range batch {
		wait += uploadAwaited + time.Duration(u.Size>>20)*mibAwaited
	}
	return min(wait, maxHold)
}

// work processes batches until ctx ends, and returns when those that run have ended. What waits then is
// in staging still: the next start finds it.
func (b *batcher) work(ctx, work context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, b.runs)
	for {
		select { // first a place, then the batch: while all places are taken, uploads pile up for it
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := b.gather(ctx)
		if ctx.Err() != nil {
			return
		}
		end := b.begin(batch)
		running.Go(func() {
			b.process(work, batch)
			end()
			<-places
		})
	}
}

// gather waits for an upload and returns it with those that follow it closely, or until ctx ends.
func (b *batcher) gather(ctx context.Context) (batch []catalog.Upload) {
	select {
	case u := <-b.uploads:
		batch = append(batch, u)
	case <-ctx.Done():
		return nil
	}
	end := time.NewTimer(maxCollect)
	defer end.Stop()
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	for len(batch) < b.batch {
		select {
		case u := <-b.uploads:
			batch = append(batch, u)
			silence.Reset(quiet)
		case <-silence.C:
			return batch
		case <-end.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}
