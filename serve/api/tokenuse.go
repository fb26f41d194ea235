package api

import (
	"context"
	"sync"
	"time"
)

const (
	usedPeriod = time.Hour   // between two records of a use
	usedAgain  = time.Minute // before one that failed is tried again
	maxUses    = 16          // that are recorded at a time
)

// uses are the records of uses that are being written. No call waits for one.
type uses struct {
	slots   chan struct{} // of maxUses
	writing sync.WaitGroup
	running map[string]bool // digests, under the mutex of the tokens
	closed  bool            // under it, too
}

// use records the use of a token in the background. While the store does not answer, a token has one record that waits, and
// all tokens have maxUses; what is beyond that is recorded with a later call. That it fails is not the caller's matter.
func (a *Tokens) use(digest string, r remembered, now time.Time) {
	recently := func(at time.Time, period time.Duration) bool { return !at.IsZero() && now.Sub(at) < period }
	if r.token.LastUsed != nil && recently(*r.token.LastUsed, usedPeriod) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.remember[digest]
	if a.uses.closed || a.uses.running[digest] || ok && recently(known.used, usedAgain) {
		return // another call does it
	}
	select {
	case a.uses.slots <- struct{}{}:
	default:
		return
	}
	if ok {
		known.used = now
		a.remember[digest] = known
	}
	a.uses.running[digest] = true
	a.uses.writing.Go(func() { a.record(digest, r, now) })
}

// record records a use, and gives its place to another one.
func (a *Tokens) record(digest string, r remembered, now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	if err := a.store.UseAPIToken(ctx, r.token.ID, now); err != nil {
		a.log.Warn("the use of a token is not recorded", "token", r.token.Name, "error", err)
	}
	a.mu.Lock()
	delete(a.uses.running, digest)
	a.mu.Unlock()
	<-a.uses.slots
}

// Close waits until the uses so far are recorded, or ctx ends. It is called before the store is closed; later uses are not
// recorded.
func (a *Tokens) Close(ctx context.Context) {
	a.mu.Lock()
	a.uses.closed = true
	a.mu.Unlock()
	done := make(chan struct{})
	go func() { a.uses.writing.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
