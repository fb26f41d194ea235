package corpus

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// RPMRows returns the rows of n small packages of an RPM release. They have the names and versions of the
// first n of [Corpus.RPM], are all for the architecture of the release, and say the rest of themselves as
// one of a few packages does.
func (c Corpus) RPMRows(t testing.TB, n int) Rows {
	t.Helper()
	var models []model
	for i := range max(1, min(n, 100)) {
		_, file := c.RPM(t, i)
		models = append(models, c.model(t, i, file))
	}
	return c.rpmRows(n, "", models)
}

// BigRows is RPMRows for packages with [BigFiles] files.
func (c Corpus) BigRows(t testing.TB, n int) Rows {
	t.Helper()
	_, file := c.BigRPM(t, 0)
	return c.rpmRows(n, bigSuffix, []model{c.model(t, 0, file)})
}

// A model is a package that other rows copy.
type model struct {
	name, version string
	file          []byte
	row           catalog.Package
}

func (c Corpus) model(t testing.TB, i int, file []byte) model {
	t.Helper()
	p, err := rpm.Peek(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	m := c.member(i)
	o := model{m.name, m.version, file, p.Identity()}
	place(&o.row, catalog.Release{}, len(file))
	if err := p.Describe(&o.row); err != nil {
		t.Fatal(err)
	}
	return o
}

func (c Corpus) rpmRows(n int, suffix string, models []model) Rows {
	size := len(models[0].file)
	for i := range models { // one file stands for all
		models[i].row.Primary = bytes.ReplaceAll(models[i].row.Primary, fmt.Appendf(nil, `<size package="%d"`, len(models[i].file)), fmt.Appendf(nil, `<size package="%d"`, size))
	}
	return Rows{N: n, file: models[0].file, row: func(r catalog.Release, i int) (catalog.Package, error) {
		m, like := c.member(i), models[i%len(models)]
		k, err := rpm.Identity(m.name+suffix, m.version+"-"+rpmRelease, r.Arch)
		if err != nil {
			return k, err
		}
		place(&k, r, size)
		k.Key = layout.RPMKey(k, r.Arch)
		like.describe(&k, m)
		return k, nil
	}}
}

// describe sets the fragments of a row: those of the model, with the other name, version, architecture
// and digest in every place.
func (o model) describe(k *catalog.Package, m member) {
	own := o.row
	to := strings.NewReplacer(o.name, m.name, o.version, m.version, own.File.SHA256, k.File.SHA256,
		"<arch>"+own.Arch+"<", "<arch>"+k.Arch+"<", `arch="`+own.Arch+`"`, `arch="`+k.Arch+`"`, "."+own.Arch+".rpm", "."+k.Arch+".rpm")
	k.Primary = []byte(to.Replace(string(own.Primary)))
	k.Filelists = []byte(to.Replace(string(own.Filelists)))
	k.Other = []byte(to.Replace(string(own.Other)))
}
