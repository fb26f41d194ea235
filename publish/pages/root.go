package pages

import (
	"context"
	"fmt"

	"repomill/publish/pages/model"
	"repomill/schemas/layout"
)

// roots brings up to date the page of all public repositories, and that of those of the owner. Works on other repositories do that at the
// same time. One that sees a repository become private writes nothing if the pages do not name it yet; but this one may have read its
// rows before. So after each write the rows are read again.
func (w *work) roots(ctx context.Context) error {
	for range maxTries {
		before := w.counts
		if err := w.rootsOnce(ctx); err != nil {
			return err
		}
		if w.counts.Written == before.Written && w.counts.Removed == before.Removed {
			return nil
		}
	}
	return fmt.Errorf("the list of repositories has changed again and again: %w", layout.ErrConflict)
}

func (w *work) rootsOnce(ctx context.Context) error {
	owner := w.repository.Owner
	keys := []string{layout.RootPageKey, layout.OwnerPageKey(owner)}
	return w.replace(ctx, keys, func(objects) ([]model.Page, error) {
		all, err := w.Catalog.PublicRepositories(ctx)
		if err != nil {
			return nil, err
		}
		var root, own model.Root
		own.Owner = owner
		for _, r := range all {
			e := model.RootEntry{Name: r.Repository, Description: r.Description, Formats: r.Formats}
			root.Entries = append(root.Entries, e)
			if r.Repository.Owner == owner {
				own.Entries = append(own.Entries, e)
			}
			if n := len(root.Owners); n > 0 && root.Owners[n-1].Name == r.Repository.Owner {
				root.Owners[n-1].Repositories++
			} else {
				root.Owners = append(root.Owners, model.Owner{Name: r.Repository.Owner, Repositories: 1})
			}
		}
		if len(all) > w.limits.root {
			root.Entries = nil
		} else {
			root.Owners = nil
		}
		pages := w.html.Root(root)
		if len(own.Entries) > 0 {
			pages = append(pages, w.html.Root(own)...)
		}
		return pages, nil
	})
}
