package serve

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A change is what was, and what one attempt to read settings came to.
type change struct {
	repository catalog.Repository
	known      bool // it was read before
	faulty     bool // the attempt before met a fault; of all repositories that were never read, if this one was not
	found      finding
	err        error
}

// tell writes one line for each change of state, and none while nothing changes: a fault that all
// requests for unknown repositories meet is one.
func (c *SettingsCache) tell(ch change) {
	if errors.Is(ch.err, errFlood) {
		c.floods.log(c.Log, c.Now(), errFlood.Error())
		return
	}
	log, fault := c.Log.With("repository", ch.repository.String()), isFault(ch.err)
	switch {
	case fault && !ch.faulty && ch.known:
		log.Error("cannot read settings; those read before hold on for a while", "limit", c.MaxStale.String(), "error", ch.err)
	case fault && !ch.faulty:
		log.Error("cannot read settings", "error", ch.err)
	case !fault && ch.faulty:
		log.Info("settings can be read again")
	}
	switch {
	case fault || ch.found.same:
	case ch.found.bad != nil:
		log.Error("cannot read settings: the repository is not served", "error", ch.found.bad)
	case ch.known && errors.Is(ch.err, fs.ErrNotExist):
		log.Warn("settings are gone: the repository is not served any more")
	case ch.known:
		log.Info("settings have changed", "visibility", string(ch.found.access.Visibility), "tokens", len(ch.found.access.tokens))
	}
}

// probeKey is that of no repository. Asking for it shows whether the bucket answers.
const probeKey = layout.SettingsPrefix + "probe"

// Probe asks the bucket for something and returns why there was no answer.
func (c *SettingsCache) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, meta, err := c.Bucket.Get(ctx, probeKey)
	if err == nil {
		body.Close()
	}
	fault, now := isFault(err), c.Now()
	c.mu.Lock()
	wasBlind := c.blind
	c.blind = fault
	if !fault {
		c.contact(now, meta.Now)
	}
	c.mu.Unlock()
	switch {
	case fault && !wasBlind:
		c.Log.Error("the bucket does not answer", "error", err)
	case !fault && wasBlind:
		c.Log.Info("the bucket answers again")
	}
	if fault {
		return err
	}
	return nil
}

// Poll keeps [SettingsCache.Health] up to date until ctx ends, also while nobody asks for anything.
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
			_ = c.Probe(ctx) // which has told of it
		}
	}
}
