package pipelines

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/publish"
	"repomill/schemas/catalog"
)

// rowReader makes rows of published index entries, with the readers that made the entries.
type rowReader struct{}

// Deb implements publish.RowReader.
func (rowReader) Deb(stanza []byte) (catalog.Package, error) { return deb.Row(stanza) }

// RPM implements publish.RowReader.
func (rowReader) RPM(primary []byte) (catalog.Package, error) { return rpm.Row(primary) }

// Identity implements publish.RowReader.
func (rowReader) Identity(f catalog.Format, name, version, arch string) (catalog.Package, error) {
	if f == catalog.DEB {
		return deb.Identity(name, version, arch)
	}
	return rpm.Identity(name, version, arch)
}

// maxAdopted bounds how many settings are compared at the same time.
const maxAdopted = 8

// adoptSettings makes sure, before an upload is judged by them, that the catalog's settings are no older
// than the published ones: a catalog that was restored or lost takes over what the bucket has.
func (r *Resources) adoptSettings(ctx context.Context) error {
	declared, err := publish.Declared(ctx, r.Bucket)
	if err != nil {
		return fmt.Errorf("read the published settings: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAdopted)
	for _, repository := range declared {
		g.Go(func() error { return r.Publisher.Settings(ctx, repository) })
	}
	return g.Wait()
}
