package worker

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// maxAwaited is how long publishes wait for a batch in which nothing goes on: it has an upload that hangs.
const maxAwaited = 5 * time.Second

// A carrier carries a batch. It calls progress for each upload that it is through with.
type carrier func(ctx context.Context, batch []catalog.Upload, progress func())

// A lane is a queue of uploads that are carried in batches, several at a time.
type lane struct {
	uploads chan catalog.Upload
	batch   int // most uploads in one
	runs    int // most batches at a time
	carry   carrier

	mu       sync.Mutex
	queued   int64               // uploads that were ever put
	gathered int64               // uploads that were ever taken, in the same order
	running  map[int64]time.Time // when something went on last in a batch, by what was gathered before it
}

func newLane(batch, runs int, carry carrier) *lane {
	return &lane{uploads: make(chan catalog.Upload, maxWaiting), batch: batch, runs: runs, carry: carry, running: map[int64]time.Time{}}
}

// put queues an upload. It returns when there is room, or ctx ends.
func (l *lane) put(ctx context.Context, u catalog.Upload) {
	select {
	case l.uploads <- u:
		l.mu.Lock()
		l.queued++
		l.mu.Unlock()
	case <-ctx.Done():
	}
}

// ahead returns a function that reports whether all that is queued now has been carried.
func (l *lane) ahead() (reached func() bool) {
	l.mu.Lock()
	mark := l.queued
	l.mu.Unlock()
	return func() bool { return l.carried() >= mark }
}

// carried returns how many uploads were carried, up to the first that was not.
func (l *lane) carried() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.gathered
	for before, last := range l.running {
		if time.Since(last) < maxAwaited {
			n = min(n, before)
		}
	}
	return n
}

// begin notes that a batch is gathered, and returns what tells that something goes on in it, and what ends it.
func (l *lane) begin(batch []catalog.Upload) (progress, end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.gathered
	l.gathered += int64(len(batch))
	l.running[before] = time.Now()
	progress = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, there := l.running[before]; there {
			l.running[before] = time.Now()
		}
	}
	end = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, before)
	}
	return progress, end
}

// work carries batches until ctx ends, and returns when those in hand are through. What waits then is
// in staging still: the next start finds it.
func (l *lane) work(ctx, work context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, l.runs)
	for {
		select { // first a place, then the batch: while all places are taken, uploads pile up for it
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := l.gather(ctx)
		if ctx.Err() != nil {
			return
		}
		progress, end := l.begin(batch)
		running.Go(func() {
			l.carry(work, batch, progress)
			end()
			<-places
		})
	}
}

// gather waits for an upload and returns it with those that follow it closely, or until ctx ends.
func (l *lane) gather(ctx context.Context) (batch []catalog.Upload) {
	select {
	case u := <-l.uploads:
		batch = append(batch, u)
	case <-ctx.Done():
		return nil
	}
	end := time.NewTimer(maxCollect)
	defer end.Stop()
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	for len(batch) < l.batch {
		select {
		case u := <-l.uploads:
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
