package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A killer ends one daemon again and again.
type killer struct {
	*soaking
	daemon *daemon
	first  int // number of its first kill: so that those who are frozen are not frozen at once
	rand   *rand.Rand
}

// run kills the daemon, which runs, n times, and starts it again.
func (k *killer) run(ctx context.Context, n int) error {
	moved, still := int64(0), 0
	for i := range n {
		if still++; k.pointers.Load() != moved {
			moved, still = k.pointers.Load(), 0
		}
		if still == maxStill { // the machine is so slow that each kill comes before anything is done
			k.progressed(ctx, moved)
			still = 0
		}
		early, err := k.wait(ctx, k.first+i)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := k.daemon.kill(); err != nil {
			return err
		}
		k.kills.Add(1)
		k.phase(ctx, early)
		if err := k.daemon.start(); err != nil {
			return err
		}
	}
	return nil
}

// How many kills lie between two that come after a long calm, or a freeze. A worker that is frozen for longer than
// its leases last finds, when it wakes, that others have gone on: only a long soak has the time for it.
const (
	perCalm       = 20
	perFreeze     = 9
	perLongFreeze = 60
	longFreeze    = 65 * time.Second
)

// maxStill is how many kills may follow each other without a new pointer.
const maxStill = 6

// progressed waits for a while until clients see a new pointer.
func (k *killer) progressed(ctx context.Context, pointers int64) {
	if err := k.daemon.awaitReady(); err != nil {
		return // the next wait reports it
	}
	for end := time.Now().Add(longFreeze); time.Now().Before(end) && k.pointers.Load() == pointers && ctx.Err() == nil; {
		pause(ctx, 100*time.Millisecond)
	}
}

// wait waits for the moment of kill i, and reports whether that is early, perhaps before the daemon is ready.
func (k *killer) wait(ctx context.Context, i int) (early bool, err error) {
	if i%perCalm > 3 && k.rand.IntN(7) == 0 {
		pause(ctx, time.Duration(5+k.rand.IntN(300))*time.Millisecond)
		return true, nil
	}
	if err := k.daemon.awaitReady(); err != nil {
		return false, err
	}
	several := len(k.site.daemons) > 1
	switch {
	case i%perLongFreeze == perLongFreeze-1 && several:
		return false, k.frozen(ctx, longFreeze)
	case i%perFreeze == 2 && several:
		return false, k.frozen(ctx, time.Duration(200+k.rand.IntN(3000))*time.Millisecond)
	case i%perCalm == 3:
		k.quiet.Store(true) // so that a restart repairs what the last kill left torn, and not a publish
		pause(ctx, pairWindow+busy+2*time.Second)
		k.quiet.Store(false)
	case k.rand.IntN(4) == 0 || i%perCalm == 2:
		k.change(ctx)
		pause(ctx, time.Duration(k.rand.IntN(20_000))*time.Microsecond)
	case k.rand.IntN(2) == 0:
		select {
		case <-k.pusher.moved: // or what was left to do is over
		case <-time.After(2 * time.Second):
		}
		pause(ctx, time.Duration(5+k.rand.IntN(300))*time.Millisecond)
	default:
		pause(ctx, time.Duration(100+k.rand.IntN(1800))*time.Millisecond)
	}
	return false, nil
}

// change waits for a while until a file changes that is written in the middle of a publish, or near its end.
func (k *killer) change(ctx context.Context) {
	release := allReleases[k.rand.IntN(4)]
	key := layout.PointerKey(release)
	if release.Arch != "" && k.rand.IntN(2) == 0 {
		key += ".asc" // which goes before its pointer
	}
	before, err := k.site.bucket.Stat(ctx, key)
	for now := before; err == nil && now.Version == before.Version && time.Since(before.Now) < 2*time.Second; {
		time.Sleep(2 * time.Millisecond)
		now, err = k.site.bucket.Stat(ctx, key)
	}
}

func (k *killer) frozen(ctx context.Context, length time.Duration) error {
	pause(ctx, time.Duration(50+k.rand.IntN(500))*time.Millisecond)
	k.freezes.Add(1)
	if err := k.daemon.freeze(length); err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	pause(ctx, time.Duration(100+k.rand.IntN(1500))*time.Millisecond)
	return nil
}

// phase counts what the catalog had left to do after a kill: the newest work says what was interrupted.
func (k *killer) phase(ctx context.Context, early bool) {
	recent, err := k.site.catalog.Recent(ctx, "", 50)
	behind, err2 := k.site.catalog.Unpublished(ctx)
	untold, err3 := k.site.catalog.VerdictsToWrite(ctx, 1)
	if err != nil || err2 != nil || err3 != nil {
		return // figures only
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	read := false
	for _, v := range recent {
		if id := v.Object + "#" + v.Generation; v.State == catalog.Received && !k.left[id] {
			k.left[id], read = true, true
		}
	}
	switch {
	case early:
		k.phases["during the start"]++
	case read:
		k.phases["while a package was read"]++
	case len(behind) > 0:
		k.phases["between rows and pointer"]++
	case len(untold) > 0:
		k.phases["between pointer and verdict"]++
	default:
		k.phases["at rest, or before the lease"]++
	}
}
