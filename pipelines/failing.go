package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/publish/sign"
)

// A failing key made no signature when it was asked, although it is valid: its KMS is out of reach, refuses, or signs
// wrongly. It does not sign until it has shown that it can.
type failing struct {
	err   error
	times int       // how often it failed; what fails again soon waits longer
	until time.Time // when it is tried again
}

const (
	failingDelay    = 30 * time.Second
	maxFailingDelay = 15 * time.Minute
	// failingMemory is after how long without a failure a key is trusted as if it had never failed.
	failingMemory = time.Hour
)

// leaveOut has the publisher go on without a key that failed, if clients of everything published were given another one that
// can sign. It reports whether it did: else nothing is published until the key can sign again.
func (r *Resources) leaveOut(ctx context.Context, f *sign.Failure) bool {
	set, _ := r.Keys()
	if set.Revision == 0 { // it is not known who knows which key
		return false
	}
	r.metrics.keyFailures.WithLabelValues(f.Fingerprint).Inc()
	r.leaving.Lock()
	defer r.leaving.Unlock()
	if fresh := r.keys.fail(f, time.Now()); !fresh && !r.keys.uses(f.Fingerprint) {
		return true // another publish has seen to it
	}
	known, err := readKnown(ctx, r.Catalog, r.Now(ctx))
	if err == nil {
		known.from(r.keys.announcedAs(), r.keys.held(), r.keys.left())
		var signing []string
		if signing, _, err = effective(set, known, time.Now()); err == nil && !slices.ContainsFunc(signing, known.givenToAll) {
			err = errors.New("clients were not given any of the other keys")
		}
	}
	if err == nil {
		r.AnnounceNow(ctx)
		err = r.useKeys(ctx, set)
	}
	if err != nil {
		r.keys.soon(f.Fingerprint, time.Now()) // each publish tries it, too
		r.Log.Error("ALARM: a signing key fails, and nothing is published: no other one can sign", "key", f.Fingerprint, "error", f.Err, "others", err)
		return false
	}
	if !r.MayPublish() { // another worker has the keys that are to sign
		r.Log.Error("ALARM: a signing key fails; this worker publishes nothing until it can sign", "key", f.Fingerprint, "error", f.Err)
		return false
	}
	r.Log.Error("ALARM: a signing key fails and is left out; what is published is signed by it again when it can", "key", f.Fingerprint, "error", f.Err)
	return true
}

// MayPublish reports whether this process has a key that is to sign, as far as that is known.
func (r *Resources) MayPublish() bool {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	return r.keys.current == nil || len(both(r.keys.signing, r.keys.usable)) > 0
}

// Waits returns for which keys everything waits that is to be published, or nil.
func (r *Resources) Waits() *Wait {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	return r.keys.waits
}

// RetryKeys has the keys that failed sign something when it is time, and lets those that can sign again.
func (r *Resources) RetryKeys(ctx context.Context, now time.Time) {
	r.reopen(ctx, now)
	for _, f := range r.keys.due(now) {
		only := r.Signer().Only([]string{f})
		if only == nil { // it has gone from the file
			r.keys.forgive(f)
			continue
		}
		if _, err := only.Detach(probeText, now); err != nil {
			r.keys.fail(&sign.Failure{Fingerprint: f, Err: err}, now)
			r.Log.Warn("a signing key still fails", "key", f, "error", err)
			continue
		}
		r.keys.mend(f)
		r.AnnounceNow(ctx)
		r.Log.Info("a signing key can sign again", "key", f)
	}
}

// probeText is signed to see whether a key can.
var probeText = []byte("repomill\n")

// fail notes that a key failed, and reports whether that is new.
func (k *keyring) fail(f *sign.Failure, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was, known := k.failing[f.Fingerprint]
	if now.Sub(was.until) > failingMemory {
		was.times = 0
	}
	if k.failing == nil {
		k.failing = map[string]failing{}
	}
	delay := min(failingDelay<<min(was.times, 10), maxFailingDelay)
	k.failing[f.Fingerprint] = failing{err: f.Err, times: was.times + 1, until: now.Add(delay)}
	return !known || was.err == nil
}

// mend notes that a key can sign again; how often it failed is remembered for a while.
func (k *keyring) mend(fingerprint string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.failing[fingerprint]
	f.err = nil
	k.failing[fingerprint] = f
}

// uses reports whether the publisher signs with a key.
func (k *keyring) uses(fingerprint string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.usable, fingerprint)
}

// soon has a key tried again soon, however often it failed.
func (k *keyring) soon(fingerprint string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.failing[fingerprint]
	f.times, f.until = 0, now.Add(failingDelay)
	k.failing[fingerprint] = f
}

// forgive forgets that a key failed.
func (k *keyring) forgive(fingerprint string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.failing, fingerprint)
}

// due returns the keys that are to be tried again.
func (k *keyring) due(now time.Time) (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, f := range k.failing {
		if f.err != nil && !now.Before(f.until) {
			all = append(all, name)
		}
	}
	return all
}

// left returns the keys that were read and are left out, and why.
func (k *keyring) left() map[string]error {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]error{}
	if k.signer != nil {
		for _, u := range k.signer.Unfit() {
			all[u.Fingerprint] = u.Why
		}
	}
	for name, f := range k.failing {
		if f.err != nil {
			all[name] = fmt.Errorf("it fails: %w", f.err)
		}
	}
	return all
}

// LacksKeys reports whether this process has not all the keys that should sign: then others sign again.
func (r *Resources) LacksKeys() bool {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	return slices.ContainsFunc(r.keys.signing, func(f string) bool { return !slices.Contains(r.keys.usable, f) })
}
