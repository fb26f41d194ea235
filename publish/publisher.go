package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Catalog is where a publisher reads rows and records what clients see. Methods may be called
// concurrently.
type Catalog interface {
	Snapshot(ctx context.Context, r catalog.Release) (*catalogdb.Snapshot, error)
	Publish(ctx context.Context, r catalog.Release, revision int64, now time.Time) error
	Drew(ctx context.Context, r catalog.Release, pair catalog.Revision) (bool, error)
}

// A Signer signs with every key of the instance.
type Signer interface {
	Clear(body []byte, now time.Time) ([]byte, error)
	Detach(body []byte, now time.Time) ([]byte, error)
	Public() []byte // armoured; what clients trust
}

// A Copier copies an object inside the store, without reading it; an existing target is [ErrExists].
type Copier interface {
	Copy(ctx context.Context, from string, o layout.Object) error
}

// ErrForeign says that the published release has a state which this catalog never made.
var ErrForeign = errors.New("the published release was not made from this catalog: it has lost history, or another catalog publishes to the same bucket")

// maxAttempts bounds how often a publish starts again after losing a swap. Each loss means that
// somebody else's publish went through.
const maxAttempts = 20

// A Publisher publishes releases. Its methods may be called concurrently, for one release too.
type Publisher struct {
	bucket    Store
	catalog   Catalog
	signer    Signer
	keyring   sign.Keyring // of the signer: what we publish must verify
	publicURL string
	log       *slog.Logger

	locks sync.Map // catalog.Release -> chan struct{}: one publish of a release at a time in this process
}

// A Store is a bucket that can copy.
type Store interface {
	Bucket
	Copier
}

// New returns a publisher. Clients find the bucket's keys below publicURL, which has no slash at its end.
func New(b Store, c Catalog, s Signer, publicURL string, log *slog.Logger) (*Publisher, error) {
	keyring, err := sign.ReadKeyring(s.Public())
	if err != nil {
		return nil, fmt.Errorf("read the signer's public key: %w", err)
	}
	return &Publisher{bucket: b, catalog: c, signer: s, keyring: keyring, publicURL: publicURL, log: log}, nil
}

// A Result says what a publish came to.
type Result struct {
	Release  catalog.Release
	Revision catalog.Revision // what clients see now
	Changed  bool             // whether the pointer was swapped
	Packages int              // in the release, if it changed
}

// Release brings a release up to date with its rows. It returns when clients see them. A repeat
// changes nothing, not a byte.
func (p *Publisher) Release(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, false)
}

// Repair is Release that also looks at the files beside the pointer (pair files, client
// configuration), and puts right those that a crash left torn or that new settings changed.
func (p *Publisher) Repair(ctx context.Context, r catalog.Release) (Result, error) {
	return p.run(ctx, r, true)
}

func (p *Publisher) run(ctx context.Context, r catalog.Release, repair bool) (Result, error) {
	unlock, err := p.lock(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	for range maxAttempts {
		var res Result
		res, err = p.attempt(ctx, r, repair)
		if err == nil {
			return res, nil
		}
		if !errors.Is(err, ErrConflict) {
			break
		}
		p.log.Debug("publish again: another writer was faster", "release", r.String())
		repair = true // somebody's pair files may be torn now
	}
	return Result{}, fmt.Errorf("publish %s: %w", r, err)
}

func (p *Publisher) lock(ctx context.Context, r catalog.Release) (unlock func(), err error) {
	l, _ := p.locks.LoadOrStore(r, make(chan struct{}, 1))
	held := l.(chan struct{})
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attempt is one run of the protocol. [ErrConflict] means that it must start again.
func (p *Publisher) attempt(ctx context.Context, r catalog.Release, repair bool) (Result, error) {
	f := formatOf(r)
	statics, err := readStatics(ctx, p.bucket, r)
	if err != nil {
		return Result{}, err
	}
	old, err := readPointer(ctx, p.bucket, f, r)
	if err != nil {
		return Result{}, err
	}
	if err := pause(ctx, f.pause(old)); err != nil {
		return Result{}, err
	}
	snap, err := p.catalog.Snapshot(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer snap.Close() //nolint:errcheck // a read
	if err := p.check(ctx, r, old, snap); err != nil {
		return Result{}, err
	}
	if err := p.writeStatics(ctx, snap, statics); err != nil {
		return Result{}, err
	}
	res := Result{Release: r, Revision: snap.Revision}
	if old.pair == snap.Revision {
		if repair || snap.Published < snap.Revision.Number {
			if err := f.repair(ctx, p, r, old); err != nil {
				return res, err
			}
		}
	} else {
		if res.Packages, err = p.replace(ctx, f, snap, old); err != nil {
			return res, err
		}
		res.Changed = true
	}
	if snap.Published >= snap.Revision.Number {
		return res, nil
	}
	return res, p.catalog.Publish(ctx, r, snap.Revision.Number, old.meta.Now)
}

// check refuses to publish where that could take something away from clients.
func (p *Publisher) check(ctx context.Context, r catalog.Release, old pointer, snap *catalogdb.Snapshot) error {
	if !old.exists || old.pair == snap.Revision {
		return nil
	}
	drew, err := p.catalog.Drew(ctx, r, old.pair)
	switch {
	case err != nil:
		return err
	case !drew:
		return fmt.Errorf("%s has revision %s: %w", layout.PointerKey(r), old.pair, ErrForeign)
	case old.pair.Number > snap.Revision.Number:
		return fmt.Errorf("read %s at revision %s, rows at %s: %w", layout.PointerKey(r), old.pair, snap.Revision, ErrConflict)
	case old.date.After(old.meta.Now.Add(maxAhead)):
		return fmt.Errorf("%s is dated %s, ahead of the store's clock %s: set the clock right; clients would ignore anything older",
			layout.PointerKey(r), old.date.Format(time.RFC3339), old.meta.Now.UTC().Format(time.RFC3339))
	}
	return nil
}

// maxAhead is how far a release may be dated in the future. apt refuses 10 seconds.
const maxAhead = 5 * time.Second

// replace renders a release and swaps its pointer.
func (p *Publisher) replace(ctx context.Context, f format, snap *catalogdb.Snapshot, old pointer) (packages int, err error) {
	date := old.meta.Now.UTC().Truncate(time.Second)
	if earliest := old.date.Add(time.Second); old.exists && date.Before(earliest) {
		date = earliest
	}
	d, err := f.render(ctx, p, snap, date)
	if err != nil {
		return 0, err
	}
	defer d.close()
	// A crash from here on leaves index files that nothing refers to. The next run writes the same ones again.
	for _, x := range d.indexes {
		if err := p.createIndex(ctx, x); err != nil {
			return 0, err
		}
	}
	body, pairs, err := f.sign(p, d, date)
	if err != nil {
		return 0, err
	}
	if err := p.writeManifest(ctx, snap, d, body, old, date); err != nil {
		return 0, err
	}
	for _, o := range pairs.before {
		// A crash between here and the swap leaves a torn pair, which the next run repairs.
		if _, err := p.bucket.Swap(ctx, old.pairs[o.key], layout.ObjectOf(o.key), o.reader()); err != nil {
			return 0, err
		}
	}
	if _, err := p.bucket.Swap(ctx, old.meta.Version, layout.ObjectOf(layout.PointerKey(snap.Release)), bytesReader(body)); err != nil {
		return 0, p.unknown(ctx, f, snap, old, err)
	}
	p.writePairs(ctx, old, pairs.after)
	return d.packages, nil
}

// unknown turns a failed swap into a conflict, so that the next attempt finds out what happened: either the
// pointer has our revision after all, or it is somebody else's turn.
func (p *Publisher) unknown(ctx context.Context, f format, snap *catalogdb.Snapshot, old pointer, cause error) error {
	if errors.Is(cause, ErrConflict) || ctx.Err() != nil {
		return cause
	}
	now, err := readPointer(ctx, p.bucket, f, snap.Release)
	if err != nil || now.meta.Version == old.meta.Version {
		return cause // stored nothing: a fault, for the caller to try again
	}
	return fmt.Errorf("%w (%w)", ErrConflict, cause)
}

// createIndex stores an index under its content name.
func (p *Publisher) createIndex(ctx context.Context, x indexFile) error {
	body, err := x.index.body()
	if err != nil {
		return err
	}
	err = p.bucket.Create(ctx, layout.ObjectOf(x.key), body)
	if err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	meta, err := p.bucket.Stat(ctx, x.key)
	if err != nil {
		return fmt.Errorf("check what was written: %w", err)
	}
	if meta.Size != x.index.packed.size {
		return fmt.Errorf("check what was written: %s has %d bytes, not %d: remove it and publish again", x.key, meta.Size, x.index.packed.size)
	}
	return nil
}

// writePairs writes the files that follow a pointer. A failure costs only clients that are too old to
// read the pointer; the sweep writes them again.
func (p *Publisher) writePairs(ctx context.Context, old pointer, pairs []pairFile) {
	for _, o := range pairs {
		if _, err := p.bucket.Swap(ctx, old.pairs[o.key], layout.ObjectOf(o.key), o.reader()); err != nil {
			p.log.Warn("pair file not written; the sweep repairs it", "key", o.key, "error", err)
		}
	}
}

// pause waits for a duration, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
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
