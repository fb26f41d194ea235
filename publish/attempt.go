package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// attempt runs the protocol once (PROTOCOL.md, "One release"). The order of its first steps makes the swap safe: it reads the
// pointer before the rows, and replaces the pointer only if it has not changed since.
func (p *Publisher) attempt(ctx context.Context, r catalog.Release, opt options) (attemptResult, error) {
	f, k := formatOf(r), *p.keys.Load() // one set of keys for the whole attempt: the recorded keys are those that signed
	old, err := p.read(ctx, r)
	if err != nil {
		return attemptResult{}, err
	}
	if err := wait(ctx, f.pause(old)); err != nil {
		return attemptResult{}, err
	}
	snap, err := p.snapshot(ctx, old)
	if err != nil {
		return attemptResult{}, err
	}
	defer snap.Close()                                                                         //nolint:errcheck // a read
	if snap.Lock.HeldByOther(p.name, old.Now) && snap.Lock.Until.Sub(old.Now) < 2*lockLength { // a longer lock is from a holder with a wrong clock
		if snap.Recovering { // which takes minutes
			snap.Close() //nolint:errcheck // a read
			err = wait(ctx, recoveryPoll)
		}
		return attemptResult{}, errors.Join(errLocked, err)
	}
	res := attemptResult{Result: Result{Release: r, Revision: snap.Revision, Changed: old.Revision != snap.Revision}}
	if err := p.checkReplace(ctx, old, snap, opt); err != nil {
		return res, err
	}
	if snap.Recovering { // another pointer, in whose place this one was put
		snap.Close() //nolint:errcheck // a read, and the catalog is about to be written to
		if err := p.catalog.AbandonRecovery(ctx, r, old.Now); err != nil {
			return res, err
		}
		return res, errRecovered
	}
	if other := snap.OtherRecovering; other != nil && res.Changed {
		snap.Close() //nolint:errcheck // a read, and the catalog may be about to be written to
		return res, p.pass(ctx, r, *other, old.Now)
	}
	if err := p.writeSettings(ctx, old.Settings, snap.Settings, nil, r); err != nil {
		return res, err
	}
	// An unrecorded publish may have been interrupted at any step.
	if opt.repair || snap.Published < snap.Revision.Number {
		err := p.repair(ctx, f, old, res.Changed)
		if errors.Is(err, tree.ErrUnproven) {
			snap.Close() //nolint:errcheck // a read, and the catalog is about to be written to
			err = p.replaceUnproven(ctx, old)
		}
		if err != nil {
			return res, err
		}
	}
	by := snap.SignedBy
	if res.Changed {
		by = k.signsAs(r)
		if res.Packages, err = p.replace(ctx, f, k, snap, old, opt); err != nil {
			return res, err
		}
		res.own = true
	} else if old.Exists {
		if by, res.Signed, err = p.resign(ctx, f, k, snap, old, opt); err != nil {
			return res, err
		}
	}
	if snap.Published < snap.Revision.Number {
		if err := p.catalog.Publish(ctx, r, snap.Revision.Number, p.storeTime(old)); err != nil {
			return res, err
		}
	}
	if by == snap.SignedBy {
		return res, nil
	}
	return res, p.catalog.RecordSignedBy(ctx, r, by)
}

// storeTime returns the store's time now, or a little later: that of a read, and what has passed since it was asked for, which may be the time
// of a long render.
func (p *Publisher) storeTime(read tree.Published) time.Time {
	return read.Now.Add(max(0, p.now().Sub(read.Asked)))
}

// checkReplace returns an error if replacing the pointer could take packages away from clients.
func (p *Publisher) checkReplace(ctx context.Context, old tree.Published, snap *catalogdb.Snapshot, opt options) error {
	if old.Exists && old.Revision == snap.Revision {
		return nil
	}
	if err := checkClock(skewOf(old.Asked, old.Now, old.Answered)); err != nil || !old.Exists {
		return err
	}
	key := layout.PointerKey(snap.Release)
	known, err := p.catalog.KnowsRevision(ctx, snap.Release, old.Revision)
	switch {
	case err != nil:
		return err
	case !known:
		snap.Close() //nolint:errcheck // a read, and the catalog is about to be written to
		return p.recover(ctx, old)
	case old.Revision.Number > snap.Revision.Number: // rows from a replica that lags behind
		return fmt.Errorf("read %s at revision %s, rows at %s: %w", key, old.Revision, snap.Revision, ErrConflict)
	case ahead(old) && !opt.redate:
		return fmt.Errorf("%s is dated %s, ahead of the store's clock %s: set the clock right; clients would ignore anything older",
			key, old.Date.Format(time.RFC3339), old.Now.UTC().Format(time.RFC3339))
	}
	return nil
}

// repair rewrites the pair files that do not fit the pointer. If the pointer is about to be replaced, it repairs only the files
// without which clients refuse the pointer. It returns [errRepaired] if it has written a file.
func (p *Publisher) repair(ctx context.Context, f format, old tree.Published, stale bool) error {
	if !old.Exists || stale && !f.inseparable() {
		return nil
	}
	repaired, err := f.repair(ctx, p.bucket, *p.keys.Load(), old)
	if stale && errors.Is(err, tree.ErrUnproven) {
		return nil // the attempt replaces it
	}
	if err == nil && repaired {
		p.log.Warn("torn pair repaired", "pointer", layout.PointerKey(old.Release))
		err = errRepaired
	}
	return err
}

// replace renders a release and swaps its pointer.
func (p *Publisher) replace(ctx context.Context, f format, k Keys, snap *catalogdb.Snapshot, old tree.Published, opt options) (packages int, err error) {
	rd, err := p.prepared(ctx, f, snap, opt.prepared)
	if rd == nil && err == nil {
		rd, err = p.render(ctx, f, snap)
	}
	if err != nil {
		return 0, err
	}
	defer p.renderings.Put(snap.Release, rd)
	date := nextDate(old)
	d := buildRelease(f, snap, rd, date, extras{k.hints(), p.publicURL})
	if d.withdrawn, err = p.listWithdrawn(ctx, snap, old, opt.whole); err != nil {
		return d.packages, err
	}
	defer d.withdrawn.close()
	snap.Close() //nolint:errcheck // a read; writing to a distant store may take long
	// A crash from here on leaves index files that no pointer names. The next run writes the same files.
	live := old.Live()
	aged, err := createIndexes(ctx, p.bucket, d.indexes, live, rd.Fetched())
	if err != nil {
		return 0, err
	}
	agedList, err := d.withdrawn.create(ctx, p.bucket)
	if err != nil {
		return 0, err
	}
	s, err := f.sign(k, d, date)
	if err != nil {
		return 0, err
	}
	if err := writeManifest(ctx, p.bucket, d, s, old); err != nil {
		return 0, err
	}
	if old.Exists && snap.Published >= old.Revision.Number { // everything beside the old pointer was written
		s.after = slices.DeleteFunc(s.after, func(o pairFile) bool { return o.index != nil && live[o.immutable] })
	}
	if err := p.commit(ctx, f, old, s); err != nil {
		return d.packages, err
	}
	if _, err = createIndexes(ctx, p.bucket, aged, nil, false); err != nil {
		return d.packages, err
	}
	_, err = createEach(ctx, p.bucket, agedList, nil, false)
	return d.packages, err
}

// commitLimit bounds the time of a commit, which continues after its caller's context has ended.
const commitLimit = time.Minute

// commit swaps the pointer and writes the pair files. After an error that is [retryable], the pointer may be the old or the new one.
func (p *Publisher) commit(ctx context.Context, f format, old tree.Published, s signed) error {
	// Detach from the caller's context: a cancelled caller must not leave a half-written pair.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	err := swap(ctx, p.bucket, old, s)
	if err == nil {
		return nil
	}
	if len(s.before) > 0 {
		p.repairPair(ctx, f, old.Release)
	}
	if errors.Is(err, ErrConflict) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnknown, err)
}

func swap(ctx context.Context, b Bucket, old tree.Published, s signed) error {
	written := make([]layout.Version, len(s.before))
	for i, o := range s.before {
		// A crash between here and the swap leaves a torn pair. The next run repairs it.
		v, err := swapPair(ctx, b, old, o)
		if err != nil {
			return err
		}
		written[i] = v
	}
	// If only the signature changes, the pointer stays. Its next replacement swaps the signature, too.
	if pointer := (pairFile{key: layout.PointerKey(old.Release), body: s.pointer}); !bytes.Equal(s.pointer, old.Body) {
		if _, err := swapPair(ctx, b, old, pointer); err != nil {
			return err
		}
	}
	for i, o := range s.before {
		// Another publisher may have seen a torn pair just before the swap, and repaired it.
		if v, err := tree.VersionOf(ctx, b, o.key); err != nil || v != written[i] {
			return errors.Join(err, fmt.Errorf("%s: %w", o.key, ErrConflict))
		}
	}
	var errs []error
	for _, o := range s.after {
		_, err := swapPair(ctx, b, old, o)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// swapPair writes a pointer or a pair file. It returns [ErrConflict] if another publisher has written it since old was read.
func swapPair(ctx context.Context, b Bucket, old tree.Published, o pairFile) (layout.Version, error) {
	return b.Swap(ctx, old.Versions[o.key], layout.ObjectOf(o.key), o.reader())
}

// repairPair repairs the pair of a pointer after a lost swap. If that fails, the next attempt repairs it.
func (p *Publisher) repairPair(ctx context.Context, f format, r catalog.Release) {
	now, err := p.read(ctx, r)
	if err == nil && now.Exists {
		_, err = f.repair(ctx, p.bucket, *p.keys.Load(), now)
	}
	if err != nil {
		p.log.Warn("torn pair not repaired", "pointer", layout.PointerKey(r), "error", err)
	}
}
