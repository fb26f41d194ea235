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
	maxFirstReads     = 64               // concurrent reads for repositories that are not cached
	maxWaiting        = 1024             // requests that wait for such a read, or read
	retryAfter        = time.Second      // between two reads of settings that were absent or unreadable
	readTimeout       = 5 * time.Second  // for one settings object
	clockTrust        = 30 * time.Second // how far the clock may go back before cached settings count as expired
)

// A SettingsConfig configures a cache of settings. Every field is required.
type SettingsConfig struct {
	Bucket   Bucket
	MaxAge   time.Duration // age at which cached settings expire; they are refreshed from half of it on
	MaxStale time.Duration // age at which they expire while the bucket cannot be read
	Log      *slog.Logger
	Now      func() time.Time
}

// A SettingsCache caches the settings objects of the bucket, and so who may read which repository. Its
// methods may be called concurrently. At most one read per repository is in flight, and the bytes are read
// only if the version has changed.
//
// While the bucket cannot be read, cached settings are used up to the age MaxStale, and repositories that
// are not cached are not served. A fault therefore never makes a private repository public.
type SettingsCache struct {
	SettingsConfig
	queue  chan struct{} // a token for each first read that waits or runs
	slots  chan struct{} // a token for each that runs
	floods limitedLogger

	mu         sync.Mutex
	entries    map[catalog.Repository]*settingsEntry
	bytes      int // of the objects behind the entries
	health     Health
	bucketDown bool // the last probe, or read for a repository that is not cached, failed
}

// A Health describes the last contact of a cache with its bucket.
type Health struct {
	Contact time.Time     // when the bucket last answered; zero if it never did
	Skew    time.Duration // how far the bucket's clock was ahead of this machine's then
}

// A settingsEntry is the cached state of one repository.
type settingsEntry struct {
	access   Access
	version  layout.Version // of the object; empty if there is none, or none was read yet
	size     int            // of the object, in bytes
	read     time.Time      // start of the last successful read: access was current then
	tried    time.Time      // end of the last read, successful or not
	err      error          // of the last read: absence or a fault
	inFlight chan struct{}  // closed when the attempt that is under way ends; nil if there is none
}

// NewSettingsCache returns an empty cache.
func NewSettingsCache(cfg SettingsConfig) *SettingsCache {
	return &SettingsCache{
		SettingsConfig: cfg, queue: make(chan struct{}, maxWaiting), slots: make(chan struct{}, maxFirstReads),
		entries: map[catalog.Repository]*settingsEntry{},
	}
}

// Access returns who may read a repository. It waits for a read of the bucket if no settings are cached or
// they have expired, and returns ctx.Err() if ctx ends first. For a repository without settings the error is
// fs.ErrNotExist. With an error, and with settings that cannot be parsed, the Access refuses everyone.
func (c *SettingsCache) Access(ctx context.Context, r catalog.Repository) (Access, error) {
	now := c.Now()
	c.mu.Lock()
	e := c.entry(r)
	if e.inFlight == nil && e.due(now, c.MaxAge) {
		e.inFlight = make(chan struct{})
		go c.refresh(context.WithoutCancel(ctx), r, e) // other requests may wait for it: it outlives this one
	}
	if e.inFlight == nil || e.answers(now, c.MaxAge, c.MaxStale) {
		defer c.mu.Unlock()
		return e.answer(now, c.MaxAge, c.MaxStale)
	}
	inFlight := e.inFlight
	c.mu.Unlock()

	select {
	case <-inFlight:
	case <-ctx.Done():
		return Access{}, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.answer(c.Now(), c.MaxAge, c.MaxStale)
}

// due reports whether the settings must be read again: halfway to their expiry, or retryAfter after a read
// that failed.
func (e *settingsEntry) due(now time.Time, maxAge time.Duration) bool {
	if e.version != "" && e.err == nil {
		return !within(now, e.read, maxAge/2)
	}
	return !within(now, e.tried, retryAfter)
}

// answers reports whether an entry can be used without waiting for the read in flight.
func (e *settingsEntry) answers(now time.Time, maxAge, maxStale time.Duration) bool {
	return e.version != "" && (within(now, e.read, maxAge) || e.err != nil && within(now, e.tried, maxAge) && within(now, e.read, maxStale))
}

func (e *settingsEntry) answer(now time.Time, maxAge, maxStale time.Duration) (Access, error) {
	if e.err == nil || e.answers(now, maxAge, maxStale) {
		return e.access, nil
	}
	return Access{}, e.err
}

// within reports whether t is less than d ago. A t more than clockTrust in the future is not: the clock was
// set back, and the age is unknown.
func within(now, t time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return age < d && age > -clockTrust
}

// entry returns the entry of a repository, and creates it if there is none. The caller holds c.mu.
func (c *SettingsCache) entry(r catalog.Repository) *settingsEntry {
	if e, ok := c.entries[r]; ok {
		return e
	}
	if len(c.entries) >= maxCachedSettings {
		c.forget(func(e *settingsEntry) bool { return e.version == "" }) // repositories without settings
	}
	e := &settingsEntry{}
	c.entries[r] = e
	return e
}

// forget drops the useless entries and, while the cache still exceeds its limits, arbitrary others. Requests
// that wait for a dropped entry still get its result. The caller holds c.mu.
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

// Health returns the last contact with the bucket.
func (c *SettingsCache) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}
