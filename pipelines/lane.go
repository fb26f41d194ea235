package pipelines

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// A lane is a queue of uploads that are carried in batches, several at a time.
type lane struct {
	uploads chan catalog.Upload
	batch   int // most uploads in one
	runs    int // most batches at a time
	carry   func(context.Context, []catalog.Upload)
}

func newLane(batch, runs int, carry func(context.Context, []catalog.Upload)) lane {
	return lane{uploads: make(chan catalog.Upload, maxWaiting), batch: batch, runs: runs, carry: carry}
}

// put queues an upload. It returns when there is room, or ctx ends.
func (l lane) put(ctx context.Context, u catalog.Upload) {
	select {
	case l.uploads <- u:
	case <-ctx.Done():
	}
}

// work carries batches until ctx ends, and returns when those in hand are through. What waits then is
// in staging still: the next start finds it.
func (l lane) work(ctx, work context.Context) {
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
		running.Go(func() {
			l.carry(work, batch)
			<-places
		})
	}
}

// gather waits for an upload and returns it with those that follow it closely, or until ctx ends.
func (l lane) gather(ctx context.Context) (batch []catalog.Upload) {
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
