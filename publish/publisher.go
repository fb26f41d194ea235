// Package publish puts one release onto a bucket: immutable files first, the pointer last, so that a
// reader never sees a mixture (PROTOCOL.md, "One release").
//
// The steps are in attempt.go, in their order. It reads what is published (package tree), takes a snapshot of the rows, renders
// them (package render, which keeps segments from revision to revision), stores the indexes (draft.go), signs the pointer
// (debsignatures.go, rpmsignatures.go), records the publish (manifest.go) and swaps the pointer. A [Preparer] does the part that
// needs no key; a [Publisher] does all.
//
// A release whose pointer this catalog never issued is read back with package restore first (recover.go). Removing what
// clients need no more is package collect's.
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

// DefaultCache is how many bytes of rendered indexes a publisher keeps, unless configured otherwise.
const DefaultCache = render.DefaultCache

// A Config is what a publisher works with.
type Config struct {
	Bucket    Bucket
	Catalog   Catalog
	Signer    Signer // whose keys all sign, until [Publisher.SetKeys]; nil for a publisher that only prepares
	Rows      restore.RowReader
	PublicURL string           // where clients find the bucket's keys, without a slash at its end
	Table     *layout.Table    // by which install scripts know systems; nil for the built-in one
	Now       func() time.Time // this machine's clock, compared with the store's
	Log       *slog.Logger
	CacheDir  string // where rendered indexes are kept for the next revision; empty for the system's temporary folder
	CacheSize int64  // how many bytes of them; 0 for [DefaultCache]

	// LeaveOut, if set, is called when a key made no signature. If it has the publisher sign without it ([Publisher.SetKeys]), it
	// returns true, and the publish begins again.
	LeaveOut func(context.Context, *sign.Failure) bool
}

// A Publisher publishes releases and settings. Its methods may be called concurrently, for one release
// too, and so may those of other publishers to the same bucket, in other processes.
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

// New returns a publisher.
func New(c Config) (*Publisher, error) {
	p := &Publisher{
		Preparer: Preparer{
			bucket: c.Bucket, snapshots: c.Catalog, now: c.Now, log: c.Log,
			renderings: render.Cache{Dir: c.CacheDir, Limit: c.CacheSize},
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

// SetKeys has the next publishes sign with other keys. What is published is signed again as it comes up, by
// [Publisher.Release] and [Publisher.Settings].
func (p *Publisher) SetKeys(k Keys) { p.keys.Store(&k) }

// A Result says what a publish came to.
type Result struct {
	Release  catalog.Release
	Revision catalog.Revision // what clients see now
	Changed  bool             // whether they saw another one before
	Packages int              // in the release, if it was rendered
	Signed   bool             // whether it was signed again, with other keys than before
	Again    int              // how often the publish began again: somebody was faster, or a result was unknown
}

// An outcome is a result, and whether this publisher made what clients see now, for certain.
type outcome struct {
	Result
	own bool
}

// Release brings a release up to date with its rows. It returns when clients see them. A repeat
// changes nothing, not a byte.
func (p *Publisher) Release(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, mode{})
}

// Repair is Release that also looks at the files beside the pointer, and puts right those that a crash
// left torn.
func (p *Publisher) Repair(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, mode{repair: true})
}

// Redate is Release that is not held up by a last Date in the future, which a wrong clock left behind: it
// goes back to the present. Clients that took the old Date see nothing newer until that time has come.
func (p *Publisher) Redate(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, mode{redate: true})
}

// ReleasePrepared is [Publisher.Release] with index files that others made. If the rows have changed since,
// it makes them itself.
func (p *Publisher) ReleasePrepared(ctx context.Context, r catalog.Release, done Prepared) (Result, error) {
	return p.run(ctx, r, mode{prepared: &done})
}

// A mode is what a publish does besides.
type mode struct {
	repair, redate bool
	once           bool // come back after a lost swap
	prepared       *Prepared
}

const (
	// maxAttempts bounds how often a publish begins again. Each time, somebody else's write went
	// through, or a pair file was repaired.
	maxAttempts = 20
	// maxUnknown bounds how often it begins again because it does not know what became of a write.
	maxUnknown = 3
	// holdLength is how long somebody has a release for himself.
	lockLength = 20 * time.Second
	// holdPause is how often others look whether they may go on.
	holdPause = 100 * time.Millisecond
)

var (
	// errUnknown says that the pointer, or a file beside it, was written with an unknown result.
	errUnknown = errors.New("the result of a write is unknown")
	// errRepaired says that a file beside the pointer was torn, and was written again.
	errRepaired = errors.New("a torn pair was repaired")
	// errRecovered says that the catalog took over what others had published.
	errRecovered = errors.New("lost history was recovered")
	// errLeftOut says that a key made no signature, and the others are to sign without it.
	errLeftOut = errors.New("a key is left out")
	// errNoKey says that a publisher can only prepare.
	errNoKey = errors.New("no signing key is here: workers prepare releases, and the process that submitted the job publishes them")
	// errHeld says that another publisher has the release for himself.
	errHeld = errors.New("another publisher has the release for itself")
)

func (p *Publisher) run(ctx context.Context, r catalog.Release, m mode) (Result, error) {
	unlock, err := p.lock(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if p.keys.Load().signer == nil {
		return Result{}, fmt.Errorf("publish %s: %w", r, errNoKey)
	}
	done, err := p.settleRelease(ctx, r, m)
	return done.Result, err
}

// settleRelease makes attempts until one of them finds, or leaves, everything as it should be. So each
// write whose result matters is read back by the attempt after it. The caller has the release's lock.
func (p *Publisher) settleRelease(ctx context.Context, r catalog.Release, m mode) (outcome, error) {
	var res outcome
	var past tries
	for {
		next, err := p.attempt(ctx, r, m)
		next.Changed, next.Signed = next.Changed || res.Changed, next.Signed || res.Signed
		next.Packages = max(next.Packages, res.Packages)
		next.Again = past.made
		if res = next; err == nil {
			return res, nil
		}
		err = p.without(ctx, err)
		pause, ok := past.count(err)
		if !ok || m.once && errors.Is(err, ErrConflict) {
			return outcome{Result: Result{Again: res.Again}}, fmt.Errorf("publish %s: %w", r, err)
		}
		p.log.Debug("publish again", "release", r.String(), "cause", err)
		m.repair = true // somebody's files beside the pointer may be torn now
		if err := wait(ctx, pause); err != nil {
			return outcome{}, err
		}
	}
}

// tries are the attempts at a publish that came to nothing.
type tries struct{ made, unknown int }

// count counts one, and returns how long to wait before the next, if there is to be one.
func (t *tries) count(err error) (pause time.Duration, ok bool) {
	switch {
	case errors.Is(err, errHeld):
		return holdPause, true
	case errors.Is(err, errUnknown):
		t.unknown++
	}
	t.made++
	return backoff(t.made), again(err) && t.unknown <= maxUnknown && t.made < maxAttempts
}

// again reports whether to begin again after an error. Anything else is the caller's to try again.
func again(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, errUnknown) || errors.Is(err, errRepaired) || errors.Is(err, errRecovered) || errors.Is(err, errLeftOut)
}

// without has a key that made no signature left out, if another one is enough. Then the error is [errLeftOut].
func (p *Publisher) without(ctx context.Context, err error) error {
	var failed *sign.Failure
	if p.leaveOut == nil || ctx.Err() != nil || !errors.As(err, &failed) || !p.leaveOut(ctx, failed) {
		return err
	}
	return fmt.Errorf("%w: %w", errLeftOut, err)
}

// backoff returns the time before attempt n+1, at random, so that publishers who met do not meet again.
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
