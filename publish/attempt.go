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

// attempt is one run of the protocol (PROTOCOL.md, "One release"). The order of its first steps is what
// makes the swap safe: the pointer is read before the rows, and replaced only if it is still that one.
func (p *Publisher) attempt(ctx context.Context, r catalog.Release, m mode) (outcome, error) {
	f, k := formatOf(r), *p.keys.Load() // one set of keys from end to end: what is signed is what is recorded
	old, err := p.read(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	if err := wait(ctx, f.pause(old)); err != nil {
		return outcome{}, err
	}
	snap, err := p.snapshot(ctx, old)
	if err != nil {
		return outcome{}, err
	}
	defer snap.Close()                                                                         //nolint:errcheck // a read
	if snap.Lock.HeldByOther(p.name, old.Now) && snap.Lock.Until.Sub(old.Now) < 2*lockLength { // or else its holder's clock was wrong
		return outcome{}, errHeld
	}
	res := outcome{Result: Result{Release: r, Revision: snap.Revision, Changed: old.Revision != snap.Revision}}
	if err := p.mayPublish(ctx, old, snap, m); err != nil {
		return res, err
	}
	if err := p.writeSettings(ctx, old.Settings, snap.Settings, nil, r); err != nil {
		return res, err
	}
	// A publish that was not recorded may have been interrupted at any point.
	if m.repair || snap.Published < snap.Revision.Number {
		err := p.repair(ctx, f, old, res.Changed)
		if errors.Is(err, tree.ErrUnproven) {
			snap.Close() //nolint:errcheck // a read, and the catalog is about to be written to
			err = p.drawOver(ctx, old)
		}
		if err != nil {
			return res, err
		}
	}
	by := snap.SignedBy
	if res.Changed {
		by = k.signsAs(r)
		if res.Packages, err = p.replace(ctx, f, k, snap, old, m); err != nil {
			return res, err
		}
		res.own = true
	} else if old.Exists {
		if by, res.Signed, err = p.resign(ctx, f, k, snap, old, m); err != nil {
			return res, err
		}
	}
	if snap.Published < snap.Revision.Number {
		if err := p.catalog.Publish(ctx, r, snap.Revision.Number, old.Now); err != nil {
			return res, err
		}
	}
	if by == snap.SignedBy {
		return res, nil
	}
	return res, p.catalog.RecordSignedBy(ctx, r, by)
}

// mayPublish refuses to replace a pointer where that could take something away from clients.
func (p *Publisher) mayPublish(ctx context.Context, old tree.Published, snap *catalogdb.Snapshot, m mode) error {
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
	case ahead(old) && !m.redate:
		return fmt.Errorf("%s is dated %s, ahead of the store's clock %s: set the clock right; clients would ignore anything older",
			key, old.Date.Format(time.RFC3339), old.Now.UTC().Format(time.RFC3339))
	}
	return nil
}

// repair makes the files beside the pointer fit it. If the pointer is to be replaced, only those count
// without which no client takes it. The error is [errRepaired] if something was written.
func (p *Publisher) repair(ctx context.Context, f format, old tree.Published, stale bool) error {
	if !old.Exists || stale && !f.inseparable() {
		return nil
	}
	repaired, err := f.repair(ctx, p.bucket, *p.keys.Load(), old)
	if stale && errors.Is(err, tree.ErrUnproven) {
		return nil // it is about to be replaced
	}
	if err == nil && repaired {
		p.log.Warn("repaired a torn pair", "pointer", layout.PointerKey(old.Release))
		err = errRepaired
	}
	return err
}

// replace renders a release and swaps its pointer.
func (p *Publisher) replace(ctx context.Context, f format, k Keys, snap *catalogdb.Snapshot, old tree.Published, m mode) (packages int, err error) {
	rd, err := p.prepared(ctx, f, snap, m.prepared)
	if rd == nil && err == nil {
		rd, err = p.render(ctx, f, snap)
	}
	if err != nil {
		return 0, err
	}
	defer p.renderings.Put(snap.Release, rd)
	date := nextDate(old)
	d := draw(f, snap, rd, date, k.hints())
	defer func() { d.close() }()
	if err := d.listYanked(ctx, p.renderings.Dir, snap); err != nil {
		return d.packages, err
	}
	snap.Close() //nolint:errcheck // a read; writing to a distant store may take long
	// A crash from here on leaves index files that nothing refers to. The next run writes the same ones again.
	live := old.Live()
	aged, err := createIndexes(ctx, p.bucket, d.stored(), live, rd.Fetched())
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
	_, err = createIndexes(ctx, p.bucket, aged, nil, false)
	return d.packages, err
}

// commitLimit bounds the time of a commit, which goes on when its caller gives up.
const commitLimit = time.Minute

// commit swaps the pointer, and writes the files beside it. After an error that [again] knows the
// pointer may be the new one or not.
func (p *Publisher) commit(ctx context.Context, f format, old tree.Published, s signed) error {
	// Nobody's impatience tears a pair.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	err := swap(ctx, p.bucket, old, s)
	if err == nil {
		return nil
	}
	if len(s.before) > 0 {
		p.untear(ctx, f, old.Release)
	}
	if errors.Is(err, ErrConflict) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnknown, err)
}

func swap(ctx context.Context, b Bucket, old tree.Published, s signed) error {
	written := make([]layout.Version, len(s.before))
	for i, o := range s.before {
		// A crash between here and the swap leaves a torn pair, which the next run repairs.
		v, err := swapPair(ctx, b, old, o)
		if err != nil {
			return err
		}
		written[i] = v
	}
	// Where only the signature beside it is another, the pointer stays. Who replaces it swaps that one, too.
	if pointer := (pairFile{key: layout.PointerKey(old.Release), body: s.pointer}); !bytes.Equal(s.pointer, old.Body) {
		if _, err := swapPair(ctx, b, old, pointer); err != nil {
			return err
		}
	}
	for i, o := range s.before {
		// Somebody may have taken the pair for torn, just before the swap, and "repaired" it.
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

// swapPair writes a pointer or a file beside it, unless somebody did so since old was read.
func swapPair(ctx context.Context, b Bucket, old tree.Published, o pairFile) (layout.Version, error) {
	return b.Swap(ctx, old.Versions[o.key], layout.ObjectOf(o.key), o.reader())
}

// untear repairs what a lost swap left torn, at once. If that fails, the next attempt tries again.
func (p *Publisher) untear(ctx context.Context, f format, r catalog.Release) {
	now, err := p.read(ctx, r)
	if err == nil && now.Exists {
		_, err = f.repair(ctx, p.bucket, *p.keys.Load(), now)
	}
	if err != nil {
		p.log.Warn("pair not repaired yet", "pointer", layout.PointerKey(r), "error", err)
	}
}
