package pipelines

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalogdb"
)

const (
	seenPeriod = 10 * time.Second // between two signs of life of a worker
	seenLimit  = 5 * time.Second  // for one of them
	endLimit   = time.Second      // for the last one, which holds up the end of the process
)

// Announce lets commands that wait for a worker know that one runs, until the function that it returns is called.
// That a sign of life gets lost does no harm.
func (r *Resources) Announce(ctx context.Context, name string) (end func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // work goes on for a while after ctx ends
	r.keys.announceAs(name)
	var announcing sync.WaitGroup
	announcing.Go(func() {
		tick := time.NewTicker(seenPeriod)
		defer tick.Stop()
		for ctx.Err() == nil {
			r.see(ctx, name, false, seenLimit)
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return func() {
		stop()
		announcing.Wait()
		r.keys.announceAs("")
		r.see(context.WithoutCancel(ctx), name, true, endLimit)
	}
}

// AnnounceNow notes at once which keys this worker has, if it announces itself at all: they are others than before.
func (r *Resources) AnnounceNow(ctx context.Context) {
	if name := r.keys.announcedAs(); name != "" {
		r.see(ctx, name, false, seenLimit)
	}
}

// see notes a sign of life of this worker.
func (r *Resources) see(ctx context.Context, name string, ended bool, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	now := r.Now(ctx)
	w := catalogdb.Worker{Name: name, Keys: r.keys.held(), Faults: r.keys.faults(now)}
	if err := r.Catalog.SeeWorker(ctx, w, ended, now); err != nil && ctx.Err() == nil {
		r.Log.Debug("sign of life not noted; the next one is soon", "error", err)
	}
}

func (k *keyring) announceAs(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.worker = name
}

func (k *keyring) announcedAs() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.worker
}
