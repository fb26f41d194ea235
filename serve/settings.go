package serve

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	maxCachedSettings = 16 << 10         // repositories, declared or not
	maxCachedBytes    = 64 << 20         // of the settings objects of those that are declared
	maxFirstReads     = 64               // at a time, of repositories that nothing is known of
	maxWaiting        = 1024             // for a first read, those that are read included
	retryAfter        = time.Second      // absence and faults are asked about again
	readTimeout       = 5 * time.Second  // for one settings object
	clockTrust        = 30 * time.Second // how far a clock may go back before answers are thought old
)

// A SettingsConfig is what a cache of settings needs, all of it.
type SettingsConfig struct {
	Bucket   Bucket
	MaxAge   time.Duration // how old an answer may be; halfway it is asked for again
	MaxStale time.Duration // how old it may be while the bucket cannot be read
	Log      *slog.Logger
	Now      func() time.Time
}

// A SettingsCache knows who may read which repository, from the settings objects in the bucket. Its
// methods may be called concurrently; one repository is read once at a time, and only if its version
// has changed.
//
// While the bucket cannot be read, repositories that were read before are served as they were, for
// MaxStale; others are not served. So nothing that is private becomes public by a fault.
type SettingsCache struct {
	SettingsConfig
	queue  chan struct{} // one for each first read that is wanted
	slots  chan struct{} // one for each that is under way
	floods faultLog

	mu      sync.Mutex
	entries map[catalog.Repository]*settingsEntry
	bytes   int // of the objects behind the entries
	health  Health
	blind   bool // the last first read, or probe, met a fault
}

// A Health says how a cache gets on with its bucket.
type Health struct {
	Contact time.Time     // when the bucket last answered; zero if it never did
	Skew    time.Duration // how far the bucket's clock was ahead of ours then
}

// A settingsEntry is what is known of one repository.
type settingsEntry struct {
	access  Access
	version layout.Version // of the object; empty if there is none, or none was read yet
	size    int            // of the object, in bytes
	read    time.Time      // since when access is known to hold
	tried   time.Time      // when the last attempt ended
	err     error          // of the last attempt: absence or a fault
	flight  chan struct{}  // closed when the attempt that is under way ends; nil if there is none
}

// NewSettingsCache returns a cache that knows nothing yet.
func NewSettingsCache(cfg SettingsConfig) *SettingsCache {
	return &SettingsCache{
		SettingsConfig: cfg, queue: make(chan struct{}, maxWaiting), slots: make(chan struct{}, maxFirstReads),
		entries: map[catalog.Repository]*settingsEntry{},
	}
}

// Access says who may read a repository. If it was never declared the error is fs.ErrNotExist; with any
// error, and with settings that cannot be understood, nobody may.
func (c *SettingsCache) Access(ctx context.Context, r catalog.Repository) (Access, error) {
	now := c.Now()
	c.mu.Lock()
	e := c.entry(r)
	if e.flight == nil && e.due(now, c.MaxAge) {
		e.flight = make(chan struct{})
		go c.refresh(context.WithoutCancel(ctx), r, e) // others may wait for it: it does not end with this request
	}
	if e.flight == nil || e.answers(now, c.MaxAge, c.MaxStale) {
		defer c.mu.Unlock()
		return e.answer(now, c.MaxAge, c.MaxStale)
	}
	flight := e.flight
	c.mu.Unlock()

	select {
	case <-flight:
	case <-ctx.Done():
		return Access{}, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.answer(c.Now(), c.MaxAge, c.MaxStale)
}

// due reports whether it is time to ask again.
func (e *settingsEntry) due(now time.Time, maxAge time.Duration) bool {
	if e.version != "" && e.err == nil {
		return !within(now, e.read, maxAge/2)
	}
	return !within(now, e.tried, retryAfter)
}

// answers reports whether an entry is good enough not to wait for the attempt that is under way.
func (e *settingsEntry) answers(now time.Time, maxAge, maxStale time.Duration) bool {
	return e.version != "" && (within(now, e.read, maxAge) || e.err != nil && within(now, e.tried, maxAge) && within(now, e.read, maxStale))
}

func (e *settingsEntry) answer(now time.Time, maxAge, maxStale time.Duration) (Access, error) {
	if e.err == nil || e.answers(now, maxAge, maxStale) {
		return e.access, nil
	}
	return Access{}, e.err
}

// within reports whether t is less than d ago. What lies far ahead is no time of ours: the clock was
// set back.
func within(now, t time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return age < d && age > -clockTrust
}

// entry returns the entry of a repository, a new one if need be. The caller holds the lock.
func (c *SettingsCache) entry(r catalog.Repository) *settingsEntry {
	if e, ok := c.entries[r]; ok {
		return e
	}
	if len(c.entries) >= maxCachedSettings {
		c.forget(func(e *settingsEntry) bool { return e.version == "" }) // names that nobody declared
	}
	e := &settingsEntry{}
	c.entries[r] = e
	return e
}

// forget drops the entries of one kind and, if there are still too many or too large ones, any others.
// Who waits for one still gets its answer. The caller holds the lock.
func (c *SettingsCache) forget(useless func(*settingsEntry) bool) {
	for r, e := range c.entries {
		if useless(e) {
			c.drop(r, e)
		}
	}
	for r, e := range c.entries {
		if len(c.entries) < maxCachedSettings && c.bytes <= maxCachedBytes {
			return
		}
		c.drop(r, e)
	}
}

func (c *SettingsCache) drop(r catalog.Repository, e *settingsEntry) {
	delete(c.entries, r)
	c.bytes -= e.size
}

// Health says how the cache gets on with its bucket.
func (c *SettingsCache) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}
