package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const maxSettingsBytes = 1 << 20 // of one settings object

// A finding is what one attempt to read settings came to.
type finding struct {
	access  Access
	version layout.Version // empty if the object is absent
	size    int            // bytes
	same    bool           // as before: of all fields, only version is set
	bad     error          // why the object says nothing
	now     time.Time      // the store's clock; zero if it did not say
}

// refresh brings an entry up to date, tells what has changed, and lets those go on who wait for it.
func (c *SettingsCache) refresh(ctx context.Context, r catalog.Repository, e *settingsEntry) {
	c.mu.Lock()
	known := e.version
	c.mu.Unlock()
	asked := c.Now() // the age counts from before the read
	found, err := c.find(ctx, r, known)
	c.tell(c.settle(r, e, found, err, asked))
	c.mu.Lock()
	defer c.mu.Unlock()
	close(e.flight)
	e.flight = nil
}

// find is read for a limited time and, if nothing is known of the repository, with few others at a time.
func (c *SettingsCache) find(ctx context.Context, r catalog.Repository, known layout.Version) (f finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	defer func() { // a bug in a store must neither end the resolver nor open a repository
		if p := recover(); p != nil {
			f, err = finding{}, fmt.Errorf("panic: %v", p)
		}
	}()
	if known == "" {
		leave, err := c.enter(ctx)
		if err != nil {
			return finding{}, err
		}
		defer leave()
	}
	return c.read(ctx, r, known)
}

// errFlood says nothing of the bucket.
var errFlood = errors.New("too many unknown repositories are asked for")

// enter waits for a turn to read of a repository that nothing is known of. Names are made up faster than
// they are looked for: beyond a queue nobody waits.
func (c *SettingsCache) enter(ctx context.Context) (leave func(), err error) {
	select {
	case c.queue <- struct{}{}:
	default:
		return nil, errFlood
	}
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots; <-c.queue }, nil
	case <-ctx.Done():
		<-c.queue
		return nil, errFlood
	}
}

func (c *SettingsCache) read(ctx context.Context, r catalog.Repository, known layout.Version) (finding, error) {
	key := layout.SettingsKey(r)
	if known != "" {
		meta, err := c.Bucket.Stat(ctx, key)
		if err != nil || meta.Version == known {
			return finding{same: err == nil, version: meta.Version, now: meta.Now}, err
		}
	}
	body, meta, err := c.Bucket.Get(ctx, key)
	if err != nil {
		return finding{now: meta.Now}, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSettingsBytes+1))
	if err != nil {
		return finding{now: meta.Now}, err
	}
	f := finding{version: meta.Version, size: len(text), now: meta.Now}
	if f.version == "" {
		f.version = "?" // a store without versions is read again each time
	}
	f.access, f.bad = parseAccess(text, r)
	return f, nil
}

// parseAccess reads a settings object. What is in doubt is for nobody.
func parseAccess(text []byte, r catalog.Repository) (Access, error) {
	if len(text) > maxSettingsBytes {
		return Access{}, fmt.Errorf("more than %d bytes", maxSettingsBytes)
	}
	var s catalog.Settings
	if err := json.Unmarshal(text, &s); err != nil {
		return Access{}, err
	}
	if s.Repository != r {
		return Access{}, fmt.Errorf("they are those of %.200q", s.Repository)
	}
	return NewAccess(s), nil
}

// settle keeps what an attempt came to, and returns what has changed by it.
func (c *SettingsCache) settle(r catalog.Repository, e *settingsEntry, f finding, err error, asked time.Time) change {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := change{repository: r, known: e.version != "", faulty: isFault(e.err), found: f, err: err}
	if !ch.known && !errors.Is(err, errFlood) {
		ch.faulty, c.blind = c.blind, isFault(err)
	}
	e.tried, e.err = now, err
	switch {
	case err == nil && f.same:
		e.read = asked
	case err == nil:
		e.access, e.version, e.read = f.access, f.version, asked
		c.resize(r, e, f.size)
	case errors.Is(err, fs.ErrNotExist):
		e.access, e.version = Access{}, ""
		c.resize(r, e, 0)
	}
	if !isFault(err) {
		c.contact(now, f.now)
	}
	return ch
}

// isFault reports whether an error is anything but absence.
func isFault(err error) bool { return err != nil && !errors.Is(err, fs.ErrNotExist) }

// resize counts the bytes behind an entry. The caller holds the lock.
func (c *SettingsCache) resize(r catalog.Repository, e *settingsEntry, size int) {
	if c.entries[r] != e { // forgotten meanwhile
		return
	}
	c.bytes += size - e.size
	e.size = size
	if c.bytes > maxCachedBytes {
		c.forget(func(other *settingsEntry) bool { return other.version == "" })
	}
}

// contact notes that the bucket answered. The caller holds the lock.
func (c *SettingsCache) contact(now, theirs time.Time) {
	c.health.Contact = now
	if !theirs.IsZero() {
		c.health.Skew = theirs.Sub(now)
	}
}
