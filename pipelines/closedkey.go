package pipelines

import (
	"context"
	"errors"
	"time"

	"repomill/pipelines/kms"
)

// errClosed says that a KMS gave no public key when it was asked for it.
var errClosed = errors.New("the KMS gives no public key")

// closedKey is such an error.
type closedKey struct{ error }

// Unwrap returns the cause.
func (c closedKey) Unwrap() error { return c.error }

// Is makes it [errClosed].
func (closedKey) Is(target error) bool { return target == errClosed }

// leave notes that a key in a KMS gave no public key. The caller has the lock.
func (k *keyring) leave(url string, err error, now time.Time) {
	if k.closed == nil {
		k.closed = map[string]failing{}
	}
	was := k.closed[url]
	k.closed[url] = failing{err: err, times: was.times + 1, until: now.Add(min(failingDelay<<min(was.times, 10), maxFailingDelay))}
}

// leftClosed returns the keys in a KMS that are left out since it gave no public key, and why.
func (k *keyring) leftClosed() map[string]error {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]error{}
	for url, f := range k.closed {
		all[url] = f.err
	}
	return all
}

// reopen opens the keys in a KMS again that gave no public key, when it is time: the next [Resources.RefreshKeys] signs with
// those that do.
func (r *Resources) reopen(ctx context.Context, now time.Time) {
	k := &r.keys
	k.mu.Lock()
	var due []string
	for url, f := range k.closed {
		if !now.Before(f.until) {
			due = append(due, url)
		}
	}
	k.mu.Unlock()
	for _, url := range due {
		key, err := kms.Open(r.Config.AWS.Use(ctx), url) // which may take long
		k.mu.Lock()
		if err == nil {
			delete(k.closed, url)
			_, err = k.keep(ctx, r.Bucket, url, key)
			k.stamp = "again" // all are joined
		}
		if err != nil {
			k.leave(url, err, now)
		}
		k.mu.Unlock()
		if err != nil {
			r.Log.Warn("a signing key is still left out", "error", err)
			continue
		}
		r.Log.Info("a KMS gives the public key of a signing key again", "key", key.String())
	}
}
