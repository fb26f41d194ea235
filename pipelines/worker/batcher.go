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

// A batcher is a queue of uploads that are worked on in batches, several at a time. It knows which uploads of a repository wait
// or are worked on: the publishes of that repository wait for them, and those of others do not.
type batcher struct {
	uploads chan queued
	batch   int // most uploads in one
	runs    int // most batches at a time
	process processor

	mu    sync.Mutex
	last  int64                                    // number of the upload that was put last
	ahead map[catalog.Repository]map[int64]waiting // by number; without empty maps
}

// A queued upload has the number of its place in the queue.
type queued struct {
	catalog.Upload
	number int64
}

// A waiting upload has no row yet.
type waiting struct {
	until time.Time // when publishes wait for it no longer; zero if it is not worked on yet
}

func newBatcher(batch, runs int, process processor) *batcher {
	return &batcher{
		uploads: make(chan queued, maxWaiting), batch: batch, runs: runs, process: process,
		ahead: map[catalog.Repository]map[int64]waiting{},
	}
}

// put queues an upload. It returns when there is room, or ctx ends.
func (b *batcher) put(ctx context.Context, u catalog.Upload) {
	q := b.number(u)
	select {
	case b.uploads <- q:
	case <-ctx.Done():
		b.end([]queued{q})
	}
}

// number gives an upload its number, and notes that it waits.
func (b *batcher) number(u catalog.Upload) queued {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	r := repositoryOf(u.Object)
	if b.ahead[r] == nil {
		b.ahead[r] = map[int64]waiting{}
	}
	b.ahead[r][b.last] = waiting{}
	return queued{u, b.last}
}

// begin notes that a batch is worked on.
func (b *batcher) begin(batch []queued) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := time.Now().Add(awaited(batch))
	for _, q := range batch {
		b.ahead[repositoryOf(q.Object)][q.number] = waiting{until}
	}
}

// end notes that a batch was worked on.
func (b *batcher) end(batch []queued) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range batch {
		r := repositoryOf(q.Object)
		delete(b.ahead[r], q.number)
		if len(b.ahead[r]) == 0 {
			delete(b.ahead, r)
		}
	}
}

// aheadOf returns a function that reports whether all uploads of a repository that are queued now have been worked on, but those
// that hang.
func (b *batcher) aheadOf(r catalog.Repository) (reached func() bool) {
	b.mu.Lock()
	last := b.last
	b.mu.Unlock()
	return func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		now := time.Now()
		for number, w := range b.ahead[r] {
			if number <= last && (w.until.IsZero() || now.Before(w.until)) {
				return false
			}
		}
		return true
	}
}

// awaited returns how long publishes wait for a batch.
func awaited(batch []queued) time.Duration {
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
		b.begin(batch)
		running.Go(func() {
			b.process(work, uploadsIn(batch))
			b.end(batch)
			<-places
		})
	}
}

// gather waits for an upload and returns it with those that follow it closely, or until ctx ends.
func (b *batcher) gather(ctx context.Context) (batch []queued) {
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

func uploadsIn(batch []queued) []catalog.Upload {
	uploads := make([]catalog.Upload, len(batch))
	for i, q := range batch {
		uploads[i] = q.Upload
	}
	return uploads
}
