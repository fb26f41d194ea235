package publish

import (
	"context"
	"errors"
	"time"

	"repomill/publish/render"
	"repomill/publish/repomd"
	"repomill/publish/tree"
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
func (rpmFormat) pause(old tree.Published) time.Duration {
	return min(old.Date.Add(-maxLead).Sub(old.Now), time.Second)
}

// indexTypes are the indexes of a release, in the order of repomd.xml and of a row's fragments.
var indexTypes = []string{"primary", "filelists", "other"}

// plan puts every package into every index. The count of packages, which changes most often, is a
// member of its own.
func (rpmFormat) plan(*catalogdb.Snapshot) (render.Plan, error) {
	p := render.Plan{
		Head:  func(i, packages int) []byte { return repomd.Header(indexTypes[i], packages) },
		Tail:  func(i int) []byte { return repomd.Footer(indexTypes[i]) },
		Total: func(counts []int) int { return counts[0] },
	}
	for i, t := range indexTypes {
		p.Indexes = append(p.Indexes, render.Planned{Name: t, Fragment: i})
	}
	return p, nil
}

func (rpmFormat) pointer(_ *catalogdb.Snapshot, rd *render.Rendering, revision catalog.Revision, date time.Time, hints []string) []byte {
	md := repomd.Repomd{Revision: revision, Date: date, Hints: hints}
	for _, x := range rd.Indexes {
		md.Data = append(md.Data, dataOf(x))
	}
	return md.Render()
}

// dataOf describes an index as repomd.xml does.
func dataOf(x *render.Index) repomd.Data {
	return repomd.Data{Type: x.Name, SHA256: x.Packed.SHA256, Size: x.Packed.Size, OpenSHA256: x.Plain.SHA256, OpenSize: x.Plain.Size}
}

func (rpmFormat) file(r catalog.Release, x *render.Index) indexFile {
	return indexFile{key: layout.RPMDir(r) + "/" + dataOf(x).Name(), index: x}
}

// ensureCopies gives a new directory its copies of packages that were in others before it: of noarch, and for 32-bit
// x86. Later ones are copied at ingest, to every directory that exists by then.
func ensureCopies(ctx context.Context, b Bucket, snap *catalogdb.Snapshot) func(*catalogdb.Entry) error {
	if snap.Published > 0 || snap.Release.Arch == "" {
		return nil
	}
	return func(e *catalogdb.Entry) error {
		from, to := string(e.Key), fileKey(snap.Release, e)
		if from == to {
			return nil
		}
		err := b.Copy(ctx, from, layout.ObjectOf(to))
		if errors.Is(err, ErrExists) {
			return nil
		}
		return err
	}
}

// fileKey returns the key under which a release has the file of an entry.
func fileKey(r catalog.Release, e *catalogdb.Entry) string {
	if r.Arch == "" {
		return string(e.Key)
	}
	k := catalog.Package{Repository: r.Repository, Distribution: r.Distribution, Name: string(e.Name), Version: string(e.Version), Arch: string(e.Arch)}
	return layout.RPMKey(k, r.Arch)
}
