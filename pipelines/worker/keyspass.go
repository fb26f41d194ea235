package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"repomill/pipelines"
)

const (
	keysPeriod = 10 * time.Second // between two looks at the keys
	// A change of keys is spread out: some releases with each round. 10,000 of them take a quarter of an hour, in which
	// packages are published as always.
	resignPeriod = 2 * time.Second
	maxResigned  = 20   // releases a round
	maxUnsigned  = 1000 // that are looked at for them: some may fail again and again
)

// catchUpKeys follows the keys: it notices that the list of them, or the file of private keys, has changed or one has expired,
// and then has everything signed again that is signed otherwise. After a crash, any worker continues.
func (d *Dispatcher) catchUpKeys(ctx, work context.Context) {
	if time.Since(d.keysRead) >= keysPeriod {
		d.keysRead = time.Now()
		held := d.Resources.HeldKeys()
		d.refreshKeys(ctx)
		// Noted before clients are given a new key: an operator who waits for that may promote it.
		if !slices.Equal(held, d.Resources.HeldKeys()) {
			d.Resources.AnnounceNow(ctx)
		}
	}
	d.makeKeyrings(ctx)
	d.resign(ctx, work)
}

// refreshKeys reads the keys again. The same error is logged once; [pipelines.Resources.RefreshKeys] logs the faults of a file.
func (d *Dispatcher) refreshKeys(ctx context.Context) {
	err := d.Resources.RefreshKeys(ctx)
	if ctx.Err() != nil {
		return
	}
	text := ""
	var file *pipelines.BadKeyFile
	if err != nil && !errors.As(err, &file) {
		text = err.Error()
	}
	if text != "" && text != d.keyError {
		d.Resources.Log.Error("keys not read again; those that were read before go on signing", "error", err)
	}
	if text == "" && d.keyError != "" {
		d.Resources.Log.Info("keys are read again")
	}
	d.keyError = text
}

// resign has some releases signed again whose signers are not the desired ones. Before that, clients are given the keys.
func (d *Dispatcher) resign(ctx, work context.Context) {
	r := d.Resources
	want, known := r.KeyState()
	if !known {
		return
	}
	repositories, err := r.Catalog.RepositoriesToGiveKeys(ctx, want, maxResigned)
	if err == nil && len(repositories) > 0 {
		publishSettingsOf(work, r, repositories, "keys not given to clients; tried again soon")
	}
	if err == nil && !r.LacksKeys() {
		releases, listErr := r.Catalog.ReleasesToSign(ctx, want, maxUnsigned)
		releases = d.unsigned.due(releases, time.Now())
		d.releases.add(ctx, work, releases[:min(len(releases), maxResigned)])
		err = listErr
	}
	if err != nil && ctx.Err() == nil {
		r.Log.Error("what is to be signed again not read", "error", err)
	}
}
