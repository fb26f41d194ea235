package pipelines

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
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

// SettingsLimit is how long publishing the settings of one repository may take: others wait for it.
const SettingsLimit = 20 * time.Second

// maxAdopted bounds how many settings are compared at the same time.
const maxAdopted = 8

// AdoptSettings makes sure, before an upload is judged by them, that the catalog's settings are no older
// than the published ones: a catalog that was restored or lost takes over what the bucket has. Where that
// cannot be said of a repository, its uploads wait, and no other's.
func (r *Resources) AdoptSettings(ctx context.Context) error {
	declared, err := tree.Repositories(ctx, r.Bucket)
	if err != nil {
		return fmt.Errorf("read the published settings: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(maxAdopted)
	for _, repository := range declared {
		r.unadopted.Store(repository, true)
		g.Go(func() error { r.adopt(ctx, repository); return nil })
	}
	return g.Wait()
}

// AdoptLeft tries the repositories again whose settings could not be compared.
func (r *Resources) AdoptLeft(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(maxAdopted)
	r.unadopted.Range(func(repository, _ any) bool {
		g.Go(func() error { r.adopt(ctx, repository.(catalog.Repository)); return nil })
		return ctx.Err() == nil
	})
	g.Wait() //nolint:errcheck // they are logged
}

func (r *Resources) adopt(ctx context.Context, repository catalog.Repository) {
	ctx, cancel := context.WithTimeout(ctx, SettingsLimit)
	defer cancel()
	err := r.Publisher.Settings(ctx, repository)
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) { // gone from the bucket, and never here
		r.Log.Error("settings not compared with the published ones: uploads of the repository wait", "repository", repository.String(), "error", err)
		return
	}
	r.unadopted.Delete(repository)
}

// checkAdopted returns a fault while the settings by which an upload would be judged may be too old.
func (r *Resources) checkAdopted(object string) error {
	repository := RepositoryOf(object)
	if _, left := r.unadopted.Load(repository); left {
		return fmt.Errorf("the settings of %s could not be compared with the published ones yet", repository)
	}
	return nil
}
