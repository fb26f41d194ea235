package pipelines

import (
	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
)

// rowReader makes rows of published index entries, with the readers that made the entries.
type rowReader struct{}

// Deb implements restore.RowReader.
func (rowReader) Deb(stanza []byte) (catalog.Package, error) { return deb.Row(stanza) }

// RPM implements restore.RowReader.
func (rowReader) RPM(primary []byte) (catalog.Package, error) { return rpm.Row(primary) }

// Identity implements restore.RowReader.
func (rowReader) Identity(f catalog.Format, name, version, arch string) (catalog.Package, error) {
	if f == catalog.DEB {
		return deb.Identity(name, version, arch)
	}
	return rpm.Identity(name, version, arch)
}
