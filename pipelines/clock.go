package pipelines

import (
	"context"
	"sync"
	"time"
)

const (
	maxClockAge = time.Minute     // how long an answer of the catalog's clock is used: until then this machine counts on
	clockLimit  = 2 * time.Second // how long another answer is waited for, with everybody who asks what time it is
)

// A sharedClock is one that all processes have in common. It is asked now and then, and counted on in between
// by the machine's monotonic clock, which no jump of the wall clock moves. The zero value has not been asked.
type sharedClock struct {
	mu    sync.Mutex
	told  time.Time
	asked time.Time // of this machine
}

// now returns the time. While ask fails, it goes on from the last answer; without any, it is this machine's.
func (c *sharedClock) now(ctx context.Context, ask func(context.Context) (time.Time, error)) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := clockLimit
	if c.asked.IsZero() {
		limit = time.Minute // there is nothing to count on from
	}
	if c.asked.IsZero() || time.Since(c.asked) > maxClockAge {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if told, err := ask(limited); err == nil {
			c.told, c.asked = told, time.Now()
		}
	}
	if c.asked.IsZero() {
		return time.Now()
	}
	return c.told.Add(time.Since(c.asked))
}

// Now returns the catalog's time. Leases begin and end by it: a process whose own clock is an hour off would take
// those of the living, and count that against their uploads, or hold its own after they have expired.
func (r *Resources) Now(ctx context.Context) time.Time { return r.clock.now(ctx, r.Catalog.Clock) }
