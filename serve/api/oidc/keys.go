package oidc

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How long keys of an issuer are used.
const (
	fresh    = time.Hour        // then they are fetched again
	usable   = 24 * time.Hour   // so long while that fails
	interval = 10 * time.Second // least time between two fetches, so that tokens with made-up key IDs cause few
	patience = 3 * time.Second  // how long a call waits for a fetch if there are usable keys
)

// errNoKey says that an issuer has no key with the ID in a token.
var errNoKey = errors.New("the issuer has no such key")

var errSlow = errors.New("the issuer has not answered yet")

// An unavailable error says that keys are not known now.
type unavailable struct {
	issuer string
	cause  error
}

func (u *unavailable) Error() string {
	return fmt.Sprintf("the keys of %s are not known now, try again in %d seconds: %v", u.issuer, int(interval/time.Second), u.cause)
}

func (u *unavailable) Unwrap() error { return u.cause }

// keys are the keys of one issuer.
type keys struct {
	issuer string
	fetch  func(context.Context) ([]jose.JSONWebKey, error)
	now    func() time.Time
	failed func(error) // is called after each fetch that fails

	mu    sync.Mutex
	state keyState
	busy  chan struct{} // closed when the fetch that runs ends; nil while none does
}

// A keyState is what is known of an issuer's keys.
type keyState struct {
	set   []jose.JSONWebKey
	at    time.Time // when the fetch of set began
	tried time.Time // when the last fetch began
	err   error     // of the last fetch
}

func (s keyState) usable(now time.Time) bool { return len(s.set) > 0 && now.Sub(s.at) < usable }

// find returns the keys that may verify a signature with a key ID ("" for none) and an algorithm. The error is
// [errNoKey] if the issuer, asked since the call began, has none, or an *[unavailable].
func (k *keys) find(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, error) {
	begun := k.now()
	before := k.current()
	var known []jose.JSONWebKey
	if before.usable(begun) {
		known = pick(before.set, id, algorithm)
	}
	if len(known) > 0 && begun.Sub(before.at) < fresh {
		return known, nil
	}
	done, mine := k.refresh(ctx)
	wait := fetchTimeout + time.Second // the fetch says why it failed
	if len(known) > 0 {
		wait = patience
	}
	if len(known) == 0 || mine { // of those with a known key one waits: an issuer that hangs does not slow each down
		if err := await(ctx, done, wait); err != nil {
			return nil, &unavailable{k.issuer, err}
		}
	}
	after := k.current()
	if !after.usable(k.now()) {
		return nil, &unavailable{k.issuer, cmp.Or(after.err, errSlow)}
	}
	if found := pick(after.set, id, algorithm); len(found) > 0 {
		return found, nil
	}
	if after.at.Before(begun) { // a new key may be there by now
		return nil, &unavailable{k.issuer, errors.Join(errNoKey, after.err)}
	}
	return nil, errNoKey
}

func (k *keys) current() keyState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// refresh begins to fetch the keys, unless a fetch runs, or one was begun less than an interval ago. done is closed when
// the fetch that runs ends; nil if none does. begun says whether this call began it.
func (k *keys) refresh(ctx context.Context) (done chan struct{}, begun bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy != nil {
		return k.busy, false
	}
	now := k.now()
	if since := now.Sub(k.state.tried); since >= 0 && since < interval {
		return nil, false
	}
	k.state.tried, k.busy = now, make(chan struct{})
	go k.run(context.WithoutCancel(ctx), now, k.busy) // others wait for it, too
	return k.busy, true
}

// await waits until a fetch ends, if there is one, or for a time. The error is that of the context.
func await(ctx context.Context, done chan struct{}, wait time.Duration) error {
	if done == nil {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (k *keys) run(ctx context.Context, begun time.Time, done chan struct{}) {
	set, err := k.fetch(ctx)
	if err != nil {
		k.failed(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.err = err
	if err == nil {
		k.state.set, k.state.at = set, begun
	}
	k.busy = nil
	close(done)
}

// pick returns the keys of a set with an ID, or all without one, that are for an algorithm. A key that says of which
// algorithm it is, is for no other; and the kind of a key has to be that of the algorithm.
func pick(set []jose.JSONWebKey, id, algorithm string) (found []jose.JSONWebKey) {
	for _, k := range set {
		if (id == "" || k.KeyID == id) && (k.Algorithm == "" || k.Algorithm == algorithm) && suits(k.Key, algorithm) {
			found = append(found, k)
		}
	}
	return found
}

func suits(key any, algorithm string) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}
