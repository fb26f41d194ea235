package ingest

import (
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// offers remembers what repositories were seen to take, so that a batch of packages asks once. A repository seldom
// takes less than before, and the claim of a package finds out; it is asked again soon. What it does not take is never
// remembered. The zero value is ready.
type offers struct {
	mu   sync.Mutex
	seen map[offer]sight
}

// A sight is when an offer was seen, and what else the repository's settings say.
type sight struct {
	at time.Time
	terms
}

// An offer is what a repository takes.
type offer struct {
	repository      catalog.Repository
	distribution    catalog.Distribution
	component, arch string
}

// TermsAge is how long packages are taken on the terms of settings that were replaced.
const TermsAge = time.Second

// maxOffers bounds what is remembered.
const maxOffers = 1000

// has reports whether a repository took packages like k, of an architecture, a moment ago, and on what terms.
func (o *offers) has(k catalog.Package, arch string, now time.Time) (terms, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.seen[offer{k.Repository, k.Distribution, k.Component, arch}]
	return s.terms, ok && now.Sub(s.at) < TermsAge
}

func (o *offers) note(k catalog.Package, arch string, t terms, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil || len(o.seen) >= maxOffers {
		o.seen = map[offer]sight{}
	}
	o.seen[offer{k.Repository, k.Distribution, k.Component, arch}] = sight{now, t}
}
