package ingest

import (
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// offers remembers what repositories were seen to take, so that a batch of packages asks once. What a
// repository takes it takes for ever, unless its catalog is restored from an older copy: so it is asked
// again soon. What it does not take is never remembered. The zero value is ready.
type offers struct {
	mu   sync.Mutex
	seen map[offer]time.Time
}

// An offer is what a repository takes.
type offer struct {
	repository      catalog.Repository
	distribution    catalog.Distribution
	component, arch string
}

// The bounds of what is remembered.
const (
	offerTime = time.Second
	maxOffers = 1000
)

// has reports whether a repository took packages like k, of an architecture, a moment ago.
func (o *offers) has(k catalog.Package, arch string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.seen[offer{k.Repository, k.Distribution, k.Component, arch}]
	return ok && now.Sub(at) < offerTime
}

func (o *offers) note(k catalog.Package, arch string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil || len(o.seen) >= maxOffers {
		o.seen = map[offer]time.Time{}
	}
	o.seen[offer{k.Repository, k.Distribution, k.Component, arch}] = now
}
