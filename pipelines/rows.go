package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// rowsFn makes the rows of stored packages active and emits the repositories that they are in.
type rowsFn struct{ opener }

// maxGroup is the number of rows that one transaction activates.
const maxGroup = 50

// ProcessElement takes all stored uploads of a run.
func (f *rowsFn) ProcessElement(ctx context.Context, _ int, next func(*StoredUpload) bool, emit func(string)) error {
	var all []catalogdb.Stored
	for u := (StoredUpload{}); next(&u); u = (StoredUpload{}) {
		s := catalogdb.Stored{Upload: u.Task.Upload(), Token: u.Task.Token, Dirs: u.Dirs, Checked: catalog.Checked(u.Checked)}
		if err := json.Unmarshal(u.Package, &s.Package); err != nil {
			return err
		}
		all = append(all, s)
	}
	touched := map[catalog.Repository]bool{}
	for group := range slices.Chunk(all, maxGroup) {
		f.activate(ctx, group)
		for _, s := range group {
			touched[s.Package.Repository] = true
		}
	}
	f.r.WriteVerdicts(ctx) // duplicates of what clients see are finished already
	for r := range touched {
		emit(r.String())
	}
	return ctx.Err()
}

// behindFn asks the catalog which releases have to be published.
type behindFn struct{ opener }

// ProcessElement takes all repositories of a run and emits their releases that are behind.
func (f *behindFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool, emit func(string)) error {
	seen := map[string]bool{}
	for name := ""; names(&name); {
		if seen[name] {
			continue
		}
		seen[name] = true
		t, err := catalog.ParsePackageTarget(name)
		if err != nil {
			return err
		}
		releases, err := f.r.Catalog.UnpublishedOf(ctx, t.Repository)
		if err != nil {
			return err
		}
		for _, r := range releases {
			emit(r.String())
		}
	}
	return ctx.Err()
}

// activate makes a group of rows active together or, if that fails, one by one, so that a row that
// cannot be stored keeps no other one back.
func (f *rowsFn) activate(ctx context.Context, group []catalogdb.Stored) {
	err := f.activateGrown(ctx, group)
	if err != nil && len(group) > 1 && ctx.Err() == nil {
		for i := range group {
			f.activate(ctx, group[i:i+1])
		}
		return
	}
	if err != nil {
		faultedUploads.Inc(ctx, 1)
		f.r.RecordFault(ctx, group[0].Upload, group[0].Token, err.Error())
		return
	}
	for _, s := range group {
		f.r.LogUpload(slog.LevelDebug, s.Upload, string(catalog.Stored), "sha256", s.Package.File.SHA256, "key", s.Package.Key)
	}
}

// maxGrown bounds how often a group is stored again because a directory was added in the meantime.
const maxGrown = 10

// activateGrown copies noarch packages into directories that were added since they were stored.
func (f *rowsFn) activateGrown(ctx context.Context, group []catalogdb.Stored) (err error) {
	for range maxGrown {
		if err = f.r.Catalog.Activate(ctx, group, time.Now()); !errors.Is(err, catalogdb.ErrDirectoryAdded) {
			return err
		}
		for i, s := range group {
			if group[i].Dirs, err = f.r.Ingester.CopyToArchDirs(ctx, s.Package); err != nil {
				return fmt.Errorf("store %s: %w", s.Package.Key, err)
			}
		}
	}
	return err
}
