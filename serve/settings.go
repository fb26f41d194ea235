package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	maxSettingsBytes  = 1 << 20          // of one settings object
	maxCachedSettings = 4096             // repositories
	maxAbsence        = time.Second      // how long a repository that was just declared may stay unknown
	readTimeout       = 10 * time.Second // for one settings object
)

// An OpenFunc opens an object of the bucket. For an absent key the error is fs.ErrNotExist. The
// caller closes the body.
type OpenFunc func(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)

// A SettingsCache reads the settings of repositories from their objects in the bucket. Its methods
// may be called concurrently; one repository is read once at a time.
//
// Settings may be maxAge old, absence and faults a second. There is no use of older settings while
// the bucket cannot be read: a repository that may have become private is not served.
type SettingsCache struct {
	open   OpenFunc
	maxAge time.Duration
	now    func() time.Time

	mu      sync.Mutex
	entries map[catalog.Repository]*settingsEntry
}

type settingsEntry struct {
	done     chan struct{} // closed when the fields below are set
	settings catalog.Settings
	err      error
	until    time.Time
}

var _ Settings = (*SettingsCache)(nil)

// NewSettingsCache returns a cache of the settings that open gives, for maxAge each.
func NewSettingsCache(open OpenFunc, maxAge time.Duration, now func() time.Time) *SettingsCache {
	return &SettingsCache{open: open, maxAge: maxAge, now: now, entries: map[catalog.Repository]*settingsEntry{}}
}

// Settings returns the settings of a repository; fs.ErrNotExist if there are none. An object that
// cannot be understood, or is another repository's, is an error.
func (c *SettingsCache) Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error) {
	e, ours := c.entry(r)
	if ours {
		c.fill(ctx, e, r)
	}
	select {
	case <-e.done:
		return e.settings, e.err
	case <-ctx.Done():
		return catalog.Settings{}, ctx.Err()
	}
}

// entry returns the entry of a repository, and whether it is new and the caller's to fill.
func (c *SettingsCache) entry(r catalog.Repository) (e *settingsEntry, ours bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[r]; ok && e.usable(now) {
		return e, false
	}
	if len(c.entries) >= maxCachedSettings { // names that nobody declared, most likely
		clear(c.entries)
	}
	e = &settingsEntry{done: make(chan struct{}), err: errors.New("read settings: interrupted")}
	c.entries[r] = e
	return e, true
}

// usable reports whether an entry is being filled or still fresh.
func (e *settingsEntry) usable(now time.Time) bool {
	select {
	case <-e.done:
		return now.Before(e.until)
	default:
		return true
	}
}

// fill reads an entry. Others may be waiting for it, so it does not end with the request.
func (c *SettingsCache) fill(ctx context.Context, e *settingsEntry, r catalog.Repository) {
	defer close(e.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	asked := c.now() // the age counts from before the read
	settings, err := c.read(ctx, r)
	age := c.maxAge
	if err != nil {
		settings, age = catalog.Settings{}, min(age, maxAbsence)
	}
	e.settings, e.err, e.until = settings, err, asked.Add(age)
}

func (c *SettingsCache) read(ctx context.Context, r catalog.Repository) (catalog.Settings, error) {
	var s catalog.Settings
	key := layout.SettingsKey(r)
	body, _, err := c.open(ctx, key)
	if err != nil {
		return s, fmt.Errorf("read settings %s: %w", key, err)
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxSettingsBytes+1))
	if err != nil {
		return s, fmt.Errorf("read settings %s: %w", key, err)
	}
	if len(b) > maxSettingsBytes {
		return s, fmt.Errorf("read settings %s: more than %d bytes", key, maxSettingsBytes)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read settings %s: %w", key, err)
	}
	if s.Repository != r {
		return s, fmt.Errorf("read settings %s: they are those of %q", key, s.Repository)
	}
	return s, nil
}
