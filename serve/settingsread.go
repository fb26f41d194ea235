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

// A readResult is the result of one read of a settings object.
type readResult struct {
	access  Access
	version layout.Version // empty if the object is absent
	size    int            // bytes
	same    bool           // the version is the cached one; only version and now are set
	bad     error          // why the object cannot be parsed
	now     time.Time      // the store's clock; zero if it sent no time
}

// refresh reads the settings of an entry, records and logs the result, and wakes the requests that wait.
func (c *SettingsCache) refresh(ctx context.Context, r catalog.Repository, e *settingsEntry) {
	c.mu.Lock()
	cached := e.version
	c.mu.Unlock()
	asked := c.Now() // age is counted from the start of the read
	found, err := c.find(ctx, r, cached)
	c.logTransition(c.record(r, e, found, err, asked))
	c.mu.Lock()
	defer c.mu.Unlock()
	close(e.inFlight)
	e.inFlight = nil
}

// find calls read with a timeout and, if the repository is not cached, with at most maxFirstReads others.
func (c *SettingsCache) find(ctx context.Context, r catalog.Repository, cached layout.Version) (f readResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	defer func() { // a bug in a store must neither end the resolver nor open a repository
		if p := recover(); p != nil {
			f, err = readResult{}, fmt.Errorf("panic: %v", p)
		}
	}()
	if cached == "" {
		release, err := c.acquireRead(ctx)
		if err != nil {
			return readResult{}, err
		}
		defer release()
	}
	return c.read(ctx, r, cached)
}

// errFlood is returned instead of a read when too many reads wait. It says nothing about the bucket.
var errFlood = errors.New("too many unknown repositories are asked for")

// acquireRead waits for a slot to read a repository that is not cached. If maxWaiting requests wait already
// it returns errFlood at once: clients can invent names faster than the bucket can be read.
func (c *SettingsCache) acquireRead(ctx context.Context) (release func(), err error) {
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

func (c *SettingsCache) read(ctx context.Context, r catalog.Repository, cached layout.Version) (readResult, error) {
	key := layout.SettingsKey(r)
	if cached != "" {
		meta, err := c.Bucket.Stat(ctx, key)
		if err != nil || meta.Version == cached {
			return readResult{same: err == nil, version: meta.Version, now: meta.Now}, err
		}
	}
	body, meta, err := c.Bucket.Get(ctx, key)
	if err != nil {
		return readResult{now: meta.Now}, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSettingsBytes+1))
	if err != nil {
		return readResult{now: meta.Now}, err
	}
	f := readResult{version: meta.Version, size: len(text), now: meta.Now}
	if f.version == "" {
		f.version = "?" // a store without versions is read again each time
	}
	f.access, f.bad = parseAccess(text, r)
	return f, nil
}

// parseAccess parses the settings object of repository r. It refuses one that is too large, malformed or of
// another repository.
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

// record stores the result of a read in the entry and returns the transition. asked is when the read began.
func (c *SettingsCache) record(r catalog.Repository, e *settingsEntry, f readResult, err error, asked time.Time) transition {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := transition{repository: r, cached: e.version != "", faulty: isFault(e.err), found: f, err: err}
	if !ch.cached && !errors.Is(err, errFlood) {
		ch.faulty, c.bucketDown = c.bucketDown, isFault(err)
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

// isFault reports whether an error is other than absence.
func isFault(err error) bool { return err != nil && !errors.Is(err, fs.ErrNotExist) }

// resize sets the size of an entry in bytes, and shrinks the cache if it exceeds maxCachedBytes. The caller
// holds c.mu.
func (c *SettingsCache) resize(r catalog.Repository, e *settingsEntry, size int) {
	if c.entries[r] != e { // dropped since the read began
		return
	}
	c.bytes += size - e.size
	e.size = size
	if c.bytes > maxCachedBytes {
		c.forget(func(other *settingsEntry) bool { return other.version == "" })
	}
}

// contact records that the bucket answered at now, by its own clock at theirs. The caller holds c.mu.
func (c *SettingsCache) contact(now, theirs time.Time) {
	c.health.Contact = now
	if !theirs.IsZero() {
		c.health.Skew = theirs.Sub(now)
	}
}
