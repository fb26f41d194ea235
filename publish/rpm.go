package publish

import (
	"time"

	"repomill/publish/render"
	"repomill/publish/repomd"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// rpmIndexes makes the indexes of an architecture directory, under names with their checksums, and its repomd.xml.
type rpmIndexes struct{}

// indexTypes are the indexes of a release, in the order of repomd.xml and of a row's fragments.
var indexTypes = []string{"primary", "filelists", "other"}

// plan puts every package into every index. The header with the count of packages, which changes most often, is a separate gzip
// member.
func (rpmIndexes) plan(*catalogdb.Snapshot) (render.Plan, error) {
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

func (rpmIndexes) pointer(_ *catalogdb.Snapshot, rd *render.Rendering, revision catalog.Revision, date time.Time, extra extras) []byte {
	md := repomd.Repomd{Revision: revision, Date: date, Hints: extra.hints}
	for _, x := range rd.Indexes {
		md.Data = append(md.Data, dataOf(x))
	}
	return md.Render()
}

// dataOf describes an index as repomd.xml does.
func dataOf(x *render.Index) repomd.Data {
	return repomd.Data{Type: x.Name, SHA256: x.Packed.SHA256, Size: x.Packed.Size, OpenSHA256: x.Plain.SHA256, OpenSize: x.Plain.Size}
}

func (rpmIndexes) file(r catalog.Release, x *render.Index) indexFile {
	return indexFile{key: layout.RPMDir(r) + "/" + dataOf(x).Name(), index: x}
}
