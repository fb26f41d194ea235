package serve

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A transition is the state before one read of a settings object, and its result.
type transition struct {
	repository catalog.Repository
	cached     bool // settings were cached before the read
	faulty     bool // the read before it failed; if nothing was cached, the last read of any such repository
	found      readResult
	err        error
}

// logTransition logs one line when the state of a repository changes, and none while it does not. A fault
// that reads of many unknown repositories meet is one change of state.
func (c *SettingsCache) logTransition(ch transition) {
	if errors.Is(ch.err, errFlood) {
		c.floods.log(c.Log, slog.LevelWarn, c.Now(), errFlood.Error())
		return
	}
	log, fault := c.Log.With("repository", ch.repository.String()), isFault(ch.err)
	switch {
	case fault && !ch.faulty && ch.cached:
		log.Warn("cannot read settings, cached settings stay in use", "limit", c.MaxStale.String(), "error", ch.err)
	case fault && !ch.faulty:
		log.Warn("cannot read settings", "error", ch.err)
	case !fault && ch.faulty:
		log.Info("settings can be read again")
	}
	switch {
	case fault || ch.found.same:
	case ch.found.bad != nil:
		log.Error("cannot read settings, repository is not served", "error", ch.found.bad)
	case ch.cached && errors.Is(ch.err, fs.ErrNotExist):
		log.Warn("settings object is gone, repository is not served")
	case ch.cached:
		log.Info("settings have changed", "visibility", string(ch.found.access.Visibility), "tokens", len(ch.found.access.tokens))
	}
}

// probeKey is a settings key that no repository can have. A read of it shows whether the bucket answers.
const probeKey = layout.SettingsPrefix + "probe"

// Probe reads an absent object and returns an error if the bucket does not answer within readTimeout. It
// updates [SettingsCache.Health] and does not retry.
func (c *SettingsCache) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, meta, err := c.Bucket.Get(ctx, probeKey)
	if err == nil {
		body.Close()
	}
	fault, now := isFault(err), c.Now()
	c.mu.Lock()
	wasDown := c.bucketDown
	c.bucketDown = fault
	if !fault {
		c.contact(now, meta.Now)
	}
	c.mu.Unlock()
	switch {
	case fault && !wasDown:
		c.Log.Warn("bucket does not answer", "error", err)
	case !fault && wasDown:
		c.Log.Info("bucket answers again")
	}
	if fault {
		return err
	}
	return nil
}

// Poll keeps [SettingsCache.Health] up to date until ctx ends: it probes the bucket when no request has
// reached it for half of MaxAge.
func (c *SettingsCache) Poll(ctx context.Context) {
	ticker := time.NewTicker(c.MaxAge)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !within(c.Now(), c.Health().Contact, c.MaxAge/2) {
			_ = c.Probe(ctx) // it has logged the fault
		}
	}
}
