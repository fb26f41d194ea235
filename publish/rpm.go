package publish

import (
	"context"
	"errors"
	"time"

	"github.com/klauspost/compress/gzip"

	"repomill/publish/repomd"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// rpmFormat publishes an architecture directory: checksum-named indexes, repomd.xml.asc, repomd.xml.
type rpmFormat struct{}

// maxLead is how far the date of a release may be ahead of the clock before the next publish waits.
const maxLead = 2 * time.Second

// pause lets the clock catch up with the date, which rises by a second with each publish. Otherwise
// there is no need to wait: dnf and zypper compare the bytes of repomd.xml, not its time.
func (rpmFormat) pause(old published) time.Duration {
	return min(old.date.Add(-maxLead).Sub(old.now), time.Second)
}

// indexTypes are the indexes of a release, in the order of repomd.xml.
var indexTypes = []string{"primary", "filelists", "other"}

func (rpmFormat) render(ctx context.Context, p *Publisher, snap *catalogdb.Snapshot, date time.Time) (d draft, err error) {
	d = draft{release: snap.Release, revision: snap.Revision, date: date}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.packages, err = snap.Count(ctx); err != nil {
		return d, err
	}
	w := newCompressor()
	for _, t := range indexTypes {
		x, err := newIndex()
		if err != nil {
			return d, err
		}
		d.indexes = append(d.indexes, indexFile{index: x})
		// The count is a member of its own.
		if err := errors.Join(x.add(w, true, repomd.Header(t, d.packages)), x.flush(w)); err != nil {
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
			if err := d.indexes[i].index.add(w, border, fragment); err != nil {
				return d, err
			}
		}
	}
	return d, finishRPM(w, &d)
}

// finishRPM ends the indexes of a draft, names them, and describes them in its pointer.
func finishRPM(w *gzip.Writer, d *draft) error {
	md := repomd.Repomd{Revision: d.revision, Date: d.date}
	for i, t := range indexTypes {
		x := d.indexes[i].index
		if err := errors.Join(x.add(w, true, repomd.Footer(t)), x.finish(w)); err != nil {
			return err
		}
		data := repomd.Data{Type: t, SHA256: x.packed.sum(), Size: x.packed.size, OpenSHA256: x.plain.sum(), OpenSize: x.plain.size}
		md.Data = append(md.Data, data)
		d.indexes[i].key = layout.RPMDir(d.release) + "/" + data.Name()
	}
	d.pointer = md.Render()
	return nil
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
