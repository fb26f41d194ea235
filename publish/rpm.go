package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/publish/repomd"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// rpmFormat publishes an architecture directory: checksum-named indexes, repomd.xml.asc, repomd.xml.
type rpmFormat struct{}

func (rpmFormat) parse(pointer []byte) (catalog.Revision, time.Time, error) {
	r, err := repomd.Parse(pointer)
	return r.Revision, r.Date, err
}

func ascKey(r catalog.Release) string { return layout.PointerKey(r) + ".asc" }

func (rpmFormat) pairKeys(r catalog.Release, _ []byte) ([]string, error) {
	return []string{ascKey(r)}, nil
}

// pause is none: dnf and zypper compare the bytes of repomd.xml, not its time.
func (rpmFormat) pause(pointer) time.Duration { return 0 }

// indexTypes are the indexes of a release, in the order of repomd.xml.
var indexTypes = []string{"primary", "filelists", "other"}

func (rpmFormat) render(ctx context.Context, p *Publisher, snap *catalogdb.Snapshot, date time.Time) (d draft, err error) {
	d.release = snap.Release
	if d.packages, err = snap.Count(ctx); err != nil {
		return d, err
	}
	w := newCompressor()
	var indexes [3]*index
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for i, t := range indexTypes {
		if indexes[i], err = newIndex(); err != nil {
			return d, err
		}
		d.indexes = append(d.indexes, indexFile{index: indexes[i]})
		if err := indexes[i].add(w, false, repomd.Header(t, d.packages)); err != nil {
			return d, err
		}
		if err := indexes[i].flush(w); err != nil { // the count is a member of its own
			return d, err
		}
	}
	for k, err := range snap.Packages(ctx) {
		if err != nil {
			return d, err
		}
		if err := p.ensureNoarch(ctx, snap, k); err != nil {
			return d, err
		}
		border := startsSegment(k)
		for i, fragment := range [][]byte{k.Primary, k.Filelists, k.Other} {
			if err := indexes[i].add(w, border, fragment); err != nil {
				return d, err
			}
		}
	}
	md := repomd.Repomd{Revision: snap.Revision, Date: date}
	for i, t := range indexTypes {
		x := indexes[i]
		if err := x.flush(w); err != nil {
			return d, err
		}
		if err := errors.Join(x.add(w, true, repomd.Footer(t)), x.finish(w)); err != nil {
			return d, err
		}
		data := repomd.Data{Type: t, SHA256: x.packed.sum(), Size: x.packed.size, OpenSHA256: x.plain.sum(), OpenSize: x.plain.size}
		md.Data = append(md.Data, data)
		d.indexes[i].key = layout.RPMDir(snap.Release) + "/" + data.Name()
	}
	d.pointer = md.Render()
	return d, nil
}

// ensureNoarch gives a new directory its copies of the noarch packages that were there before it.
// Later ones are copied at ingest, to every directory that exists by then.
func (p *Publisher) ensureNoarch(ctx context.Context, snap *catalogdb.Snapshot, k catalog.Package) error {
	if snap.Published > 0 || k.Arch != layout.Noarch {
		return nil
	}
	err := p.bucket.Copy(ctx, k.Key, layout.ObjectOf(layout.RPMKey(k, snap.Release.Arch)))
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

func (rpmFormat) sign(p *Publisher, d draft, date time.Time) (pointer []byte, pairs pairFiles, err error) {
	asc, err := p.signer.Detach(d.pointer, date)
	if err == nil {
		err = p.keyring.VerifyDetached(d.pointer, asc)
	}
	if err != nil {
		return nil, pairs, fmt.Errorf("sign repomd.xml: %w", err)
	}
	pairs.before = []pairFile{{key: ascKey(d.release), body: asc}}
	return d.pointer, pairs, nil
}

// repair signs the present repomd.xml again if its signature is missing or another's.
func (rpmFormat) repair(ctx context.Context, p *Publisher, r catalog.Release, ptr pointer) error {
	asc, _, err := readSmall(ctx, p.bucket, ascKey(r))
	if err != nil || p.keyring.VerifyDetached(ptr.body, asc) == nil {
		return err
	}
	if asc, err = p.signer.Detach(ptr.body, ptr.date); err != nil {
		return fmt.Errorf("sign repomd.xml: %w", err)
	}
	p.log.Warn("repair a torn pair", "key", ascKey(r))
	p.writePairs(ctx, ptr, []pairFile{{key: ascKey(r), body: asc}})
	return nil
}
