package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/pipelines/objects/cdn"
	"repomill/publish/collect"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// nowFlags say where yank --now removes files.
type nowFlags struct {
	Bucket     string `help:"With --now: URL of the published bucket, if it is not in --data."`
	Invalidate string `filled:"" placeholder:"cloudfront://DISTRIBUTION" help:"With --now: the CDN in which the file is invalidated."`
}

// removeStaged waits until a worker has removed the uploads of packages from staging. This command may lack the right to.
func (y *yanking) removeStaged(ctx context.Context, io stdio, db *catalogdb.DB, packages []catalog.Package) error {
	uploads, err := stagedOf(ctx, db, packages)
	if err != nil {
		return err
	}
	if err := y.unstaged(ctx, db, packages); err != nil {
		return err
	}
	for _, line := range stagedLines(uploads) {
		fmt.Fprintf(io.out, "removed from staging: %s\n", line)
	}
	return nil
}

// stagedLines returns the names of uploads, with one line for all copies that were pushed under one name.
func stagedLines(uploads []catalog.Upload) (lines []string) {
	copies := map[string]int{}
	for _, u := range uploads {
		name := command.Printable(layout.ShownStaging(u.Object))
		if copies[name]++; copies[name] == 1 {
			lines = append(lines, name)
		}
	}
	for i, name := range lines {
		if n := copies[name]; n > 1 {
			lines[i] += fmt.Sprintf(" (%d copies)", n)
		}
	}
	return lines
}

// A removal describes the files of packages that --now removes.
type removal struct {
	packages []catalog.Package
	url      string
	bucket   objects.Bucket
	there    map[string]bool // the files that existed before the packages left the indexes
}

// begin opens the bucket, and looks which files are there. The catalog has it already that they go: a worker removes them if this
// command is interrupted.
func (y *yanking) begin(ctx context.Context, db *catalogdb.DB, packages []catalog.Package) (*removal, error) {
	r := &removal{packages: packages, url: cmp.Or(y.Bucket, "file://"+y.Data+"/bucket")}
	var err error
	if r.bucket, err = openBucket(ctx, r.url); err != nil {
		return nil, err
	}
	if r.there, err = present(ctx, db, r.bucket, packages); err != nil {
		r.bucket.Close() //nolint:errcheck // it was only read
		return nil, command.Fault(err)
	}
	return r, nil
}

// printBroken names on the standard error the snapshots that have packages whose files go: their indexes name them still.
func printBroken(ctx context.Context, io stdio, db *catalogdb.DB, packages []catalog.Package) error {
	broken, err := db.SnapshotsWith(ctx, packages)
	if err != nil {
		return command.Fault(err)
	}
	var names []string
	for _, s := range broken {
		names = append(names, s.Target.Repository.String()+" "+s.String())
	}
	if len(names) > 0 {
		fmt.Fprintf(io.err, "these snapshots have the package, and clients of them get 404 for its file: %s\n", few(names[:min(len(names), shownDifferences)], len(names)))
	}
	return nil
}

// remove deletes the files, and invalidates them in the CDN.
func (y *yanking) remove(ctx context.Context, io stdio, db *catalogdb.DB, r *removal) error {
	collector, err := collect.New(collect.Config{Bucket: r.bucket, Catalog: db, Log: slog.Default()})
	if err != nil {
		return err
	}
	keys, err := collector.RemoveNow(ctx, r.packages)
	if err != nil {
		return command.Fault(err)
	}
	for _, key := range keys {
		what := "removed"
		if !r.there[key] {
			what = "gone already"
		}
		fmt.Fprintf(io.out, "%s: %s\n", what, key)
	}
	if y.Invalidate == "" {
		if !strings.HasPrefix(r.url, "file://") {
			fmt.Fprintln(io.err, "caches may serve the file for up to a day: name the CDN with --invalidate to remove it from there")
		}
		return nil
	}
	if keys, err = copies(ctx, db, r.packages); err != nil {
		return command.Fault(err)
	}
	edge, err := cdn.Open(ctx, y.Invalidate)
	if err != nil {
		return command.Fault(err)
	}
	if err := edge.Invalidate(ctx, keys); err != nil {
		return command.Fault(err)
	}
	fmt.Fprintf(io.out, "invalidated: %d paths\n", len(keys))
	return nil
}

// present reports for each key of the packages whether it is in the bucket.
func present(ctx context.Context, db *catalogdb.DB, bucket objects.Bucket, packages []catalog.Package) (map[string]bool, error) {
	keys, err := copies(ctx, db, packages)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, key := range keys {
		_, err := bucket.Stat(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		there[key] = err == nil
	}
	return there, nil
}

// copies returns all keys under which a CDN may have the packages, whether this run or an earlier one removed them.
func copies(ctx context.Context, db *catalogdb.DB, packages []catalog.Package) (keys []string, err error) {
	for _, k := range packages {
		keys = append(keys, k.Key)
		if k.Format == catalog.DEB {
			continue
		}
		s, err := db.Settings(ctx, k.Repository)
		if err != nil {
			return nil, err
		}
		ds, _ := s.Find(k.Distribution)
		for _, dir := range layout.RPMDirs(k, ds.Architectures) {
			keys = append(keys, layout.RPMKey(k, dir))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
