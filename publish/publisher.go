// Package publish puts one release onto a bucket: immutable files first, the pointer last, so that a
// reader never sees a mixture (PROTOCOL.md, "One release").
//
// The steps are in attempt.go, in their order. It reads the published release (package tree), opens a snapshot of the rows, renders
// them (package render, which keeps segments from revision to revision), stores the indexes (unsigned.go), signs the pointer
// (debsignatures.go, rpmsignatures.go), writes the manifest (manifest.go) and swaps the pointer. A [Preparer] does the steps that
// need no key; a [Publisher] does all.
//
// If the catalog never issued the revision of a published release, package restore reads its rows back first (recover.go). Package
// collect removes objects that clients no longer need.
package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"repomill/publish/render"
	"repomill/publish/restore"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// DefaultCache is the default of [Config.CacheSize], in bytes.
const DefaultCache = render.DefaultCache

// A Config configures a [Publisher].
type Config struct {
	Bucket    Bucket
	Catalog   Catalog
	Signer    Signer // all its keys sign, until [Publisher.SetKeys]; nil for a publisher that only prepares
	Rows      restore.RowReader
	PublicURL string           // under which clients reach the keys of the bucket, without a slash at its end
	Table     *layout.Table    // by which install scripts know systems; nil for the built-in one
	Now       func() time.Time // this machine's clock, which is compared with the store's
	Log       *slog.Logger
	CacheDir  string // folder of the cache of rendered indexes, which outlives the process; empty for temporary files of the system
	CacheSize int64  // size limit of the cache in bytes; 0 for [DefaultCache]

	// LeaveOut, if set, is called when a key fails to sign. It returns true if it has called [Publisher.SetKeys] without that key;
	// then the publish starts again.
	LeaveOut func(context.Context, *sign.Failure) bool
}

// A Publisher publishes releases and settings. Its methods may be called concurrently, also for one release, and also by publishers
// in other processes with the same bucket and catalog.
type Publisher struct {
	Preparer
	catalog   Catalog
	keys      atomic.Pointer[Keys]
	rows      restore.RowReader
	publicURL string
	table     *layout.Table
	leaveOut  func(context.Context, *sign.Failure) bool
	name      string // of this publisher alone
}

// New returns a publisher. It returns an error if the public keys of the signer cannot be read.
func New(c Config) (*Publisher, error) {
	p := &Publisher{
		Preparer: Preparer{
			bucket: moving{c.Bucket}, snapshots: c.Catalog, now: c.Now, log: c.Log,
			renderings: render.Cache{Dir: c.CacheDir, Limit: c.CacheSize, Secret: c.Catalog.CacheSecret, Log: c.Log, Version: layout.Renderer},
		},
		catalog: c.Catalog, rows: c.Rows, publicURL: c.PublicURL, table: c.Table, leaveOut: c.LeaveOut, name: "publisher-" + rand.Text(),
	}
	p.SetKeys(Keys{})
	if p.table == nil {
		p.table = layout.DefaultTable()
	}
	if c.Signer == nil {
		return p, nil
	}
	k, err := KeysOf(c.Signer)
	if err == nil {
		p.SetKeys(k)
	}
	return p, err
}

// Close saves rendered indexes for the next process with the same CacheDir, and leaves that folder to it. The publisher is not used
// afterwards. Without Close, the next process follows some more changes.
func (p *Publisher) Close() { p.renderings.Close() }

// SetKeys sets the keys for all later publishes. [Publisher.Release] and [Publisher.Settings] sign and publish again what has other
// keys. It may be called while publishes run: each attempt uses one set of keys.
func (p *Publisher) SetKeys(k Keys) { p.keys.Store(&k) }

// A Result is the result of a publish.
type Result struct {
	Release  catalog.Release
	Revision catalog.Revision // that clients see now
	Changed  bool             // clients saw another revision before
	Packages int              // in the release, if it was rendered
	Signed   bool             // the pointer was signed again, with other keys than before
	Again    int              // attempts after the first: a swap was lost, or the result of a write was unknown
}

// An attemptResult is a [Result]. own reports whether this publisher has certainly written the present pointer.
type attemptResult struct {
	Result
	own bool
}

// Release publishes the rows of a release, and returns when clients see them. It retries lost swaps and unknown results of writes
// ([Result.Again]); the caller retries other errors. A repeat changes nothing, not a byte.
func (p *Publisher) Release(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, options{})
}

// Repair does what [Publisher.Release] does, and also checks the pair files of a release that is up to date, and repairs those that a
// crash has left torn.
func (p *Publisher) Repair(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, options{repair: true})
}

// Redate does what [Publisher.Release] does, also if the last Date is in the future because of a wrong clock: it sets the Date to the
// present. Clients that have the old Date ignore newer releases until that time.
func (p *Publisher) Redate(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, options{redate: true})
}

// ReleasePrepared does what [Publisher.Release] does with prepared index files. If the rows have changed since, it renders the
// release itself.
func (p *Publisher) ReleasePrepared(ctx context.Context, r catalog.Release, done Prepared) (Result, error) {
	return p.run(ctx, r, options{prepared: &done})
}

// options are the options of a publish.
type options struct {
	repair   bool      // check the pair files of a release that is up to date
	redate   bool      // publish although the last date is in the future
	once     bool      // return after a lost swap
	whole    bool      // make the list of withdrawn packages from all rows
	prepared *Prepared // index files to publish, if they are of the present revision
}

const (
	// maxAttempts bounds the attempts of a publish. Each failed one means that another publisher's write succeeded, or that a pair
	// file was repaired.
	maxAttempts = 20
	// maxUnknown bounds the attempts after a write whose result is unknown.
	maxUnknown = 3
	// lockLength is the duration of a release lock.
	lockLength = 20 * time.Second
	// lockPoll is the pause between two checks of another publisher's lock.
	lockPoll = 100 * time.Millisecond
	// recoveryPoll is that pause while the other publisher recovers the rows of the release.
	recoveryPoll = 5 * time.Second
)

var (
	// errUnknown is returned when the result of writing the pointer or a pair file is unknown.
	errUnknown = errors.New("the result of a write is unknown")
	// errRepaired is returned after a torn pair file was written again.
	errRepaired = errors.New("a torn pair was repaired")
	// errRecovered is returned after the catalog has imported published rows or settings.
	errRecovered = errors.New("lost history was recovered")
	// errLeftOut is returned when a key has failed to sign and the others sign without it.
	errLeftOut = errors.New("a key is left out")
	// errNoKey is returned by a publisher without a signer.
	errNoKey = errors.New("this process has no signing key: workers prepare releases, and the process that submitted the job publishes them")
	// errLocked is returned when another publisher has locked the release.
	errLocked = errors.New("another publisher has locked the release")
)

func (p *Publisher) run(ctx context.Context, r catalog.Release, opt options) (Result, error) {
	unlock, err := p.lock(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if p.keys.Load().signer == nil {
		return Result{}, fmt.Errorf("publish %s: %w", r, errNoKey)
	}
	done, err := p.publishRelease(ctx, r, opt)
	return done.Result, err
}

// publishRelease makes attempts until one succeeds. The next attempt reads back the writes of a failed one. The caller has this
// process's lock on the release ([Preparer.lock]).
func (p *Publisher) publishRelease(ctx context.Context, r catalog.Release, opt options) (attemptResult, error) {
	var res attemptResult
	var past attempts
	for {
		next, err := p.attempt(ctx, r, opt)
		next.Changed, next.Signed = next.Changed || res.Changed, next.Signed || res.Signed
		next.Packages = max(next.Packages, res.Packages)
		next.Again = past.made
		if res = next; err == nil {
			return res, nil
		}
		err = p.withoutFailedKey(ctx, err)
		pause, ok := past.count(err)
		if !ok || opt.once && errors.Is(err, ErrConflict) {
			return attemptResult{Result: Result{Again: res.Again}}, fmt.Errorf("publish %s: %w", r, err)
		}
		p.log.Debug("publish again", "release", r.String(), "cause", err)
		opt.repair = true // another publisher's pair files may be torn now
		if err := wait(ctx, pause); err != nil {
			return attemptResult{}, err
		}
	}
}

// attempts counts the failed attempts of a publish.
type attempts struct{ made, unknown int }

// count counts a failed attempt, and returns the pause before the next one, and whether to make it. Waiting for a lock does not
// count.
func (t *attempts) count(err error) (pause time.Duration, ok bool) {
	switch {
	case errors.Is(err, errLocked):
		return lockPoll, true
	case errors.Is(err, errUnknown):
		t.unknown++
	}
	t.made++
	return backoff(t.made), retryable(err) && t.unknown <= maxUnknown && t.made < maxAttempts
}

// retryable reports whether this package retries after an error. The caller retries others.
func retryable(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, errUnknown) || errors.Is(err, errRepaired) || errors.Is(err, errRecovered) || errors.Is(err, errLeftOut)
}

// withoutFailedKey calls LeaveOut for an error of a key that failed to sign. It returns [errLeftOut] if the publish can continue
// without the key, and err otherwise.
func (p *Publisher) withoutFailedKey(ctx context.Context, err error) error {
	var failed *sign.Failure
	if p.leaveOut == nil || ctx.Err() != nil || !errors.As(err, &failed) || !p.leaveOut(ctx, failed) {
		return err
	}
	return fmt.Errorf("%w: %w", errLeftOut, err)
}

// backoff returns a random pause before attempt n+1, so that publishers that have collided do not collide again.
func backoff(n int) time.Duration { return mathrand.N(time.Duration(n) * 20 * time.Millisecond) }

// wait waits for a duration, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
