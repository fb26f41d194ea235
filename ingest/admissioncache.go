package ingest

import (
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// An admissionCache keeps positive admissions for [TermsAge], so that a batch of packages reads the settings once. A
// repository seldom takes less than before, and the claim of a package finds that out. Refusals are not cached. The zero
// value is ready; methods may be called concurrently.
type admissionCache struct {
	mu      sync.Mutex
	entries map[admissionKey]admitted
}

// An admissionKey is a place of a repository that takes packages.
type admissionKey struct {
	repository      catalog.Repository
	distribution    catalog.Distribution
	component, arch string
}

// An admitted entry holds the terms of an admission, and when they were read.
type admitted struct {
	at time.Time
	terms
}

// TermsAge is how long packages may be admitted on the terms of settings that were replaced.
const TermsAge = time.Second

// maxAdmissions bounds the entries of the cache.
const maxAdmissions = 1000

// lookup returns the terms on which packages like k, of an architecture, were admitted less than [TermsAge] ago.
func (c *admissionCache) lookup(k catalog.Package, arch string, now time.Time) (terms, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.entries[admissionKey{k.Repository, k.Distribution, k.Component, arch}]
	return s.terms, ok && now.Sub(s.at) < TermsAge
}

// note records an admission.
func (c *admissionCache) note(k catalog.Package, arch string, t terms, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxAdmissions {
		c.entries = map[admissionKey]admitted{}
	}
	c.entries[admissionKey{k.Repository, k.Distribution, k.Component, arch}] = admitted{now, t}
}
