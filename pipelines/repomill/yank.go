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
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/pipelines/objects/cdn"
	"repomill/publish/collect"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A yankTarget names the package to withdraw or restore.
type yankTarget struct {
	awaitFlags
	Target  string `arg:"" help:"Distribution: owner/name/os/version, such as acme/tools/ubuntu/jammy; for DEB also /component, or else all that have the package."`
	Package string `arg:"" help:"NAME=VERSION, the version as repomill ls prints it."`
	Arch    string `help:"Only this architecture."`
}

func (t yankTarget) which() (w catalogdb.PackageSelector, err error) {
	target := strings.Trim(t.Target, "/")
	release, err := catalog.ParseRelease(target)
	component := release.Arch // the fifth name is a component for DEB; RPM has none
	if err != nil || component != "" && layout.CheckComponent(component) != nil {
		return w, command.Usage("target %q: use owner/name/os/version[/component], such as acme/tools/el/9", t.Target)
	}
	if err := client.CheckTarget(target); err != nil {
		return w, err
	}
	name, version, ok := strings.Cut(t.Package, "=")
	if !ok || name == "" || version == "" {
		return w, command.Usage("package %q: use NAME=VERSION, such as hello=1.0", t.Package)
	}
	return catalogdb.PackageSelector{Repository: release.Repository, Distribution: release.Distribution, Name: name, Version: version, Component: component, Arch: t.Arch}, nil
}

type yankCmd struct {
	catalogFlags
	yankTarget
	Reason     string `required:"" help:"Why: recorded with the withdrawal, and named when the package is pushed again."`
	By         string `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who withdraws it, for the record."`
	Now        bool   `help:"Remove the file and its copy in staging at once, and not after the retention period. Running downloads may break."`
	Bucket     string `help:"With --now: URL of the published bucket, if it is not in --data."`
	Invalidate string `placeholder:"cloudfront://DISTRIBUTION" help:"With --now: the CDN in which the file is invalidated."`
}

// Help describes the exit codes.
func (yankCmd) Help() string {
	return `The command removes the package from the indexes now. Its file stays for the retention period, for clients that have an old
index. Its name, version and architecture are never used for other bytes. Installed packages stay installed.

Exit codes:
  0  clients no longer see the package
  1  the package does not exist
  2  usage
  3  recorded, but not published in time, or no worker runs; with --now: or its copy in staging is not removed yet.
     A worker completes it once one runs, except for --invalidate
  4  the catalog, bucket or CDN cannot be reached; run the command again to complete it

Examples:
  repomill yank acme/tools/ubuntu/jammy hello=1.0 --reason "breaks the login"
  repomill yank acme/tools/el/9 hello=1.0-1 --arch x86_64 --now --reason "has a password in it"`
}

// Run withdraws packages, waits until clients no longer see them and, with --now, removes their files.
func (c *yankCmd) Run(ctx context.Context, io stdio) error {
	w, err := c.which()
	if err != nil {
		return err
	}
	if !plainText(c.Reason) {
		return command.Usage("--reason %q: use printable characters on one line, at most 200", c.Reason)
	}
	if c.Now && c.Bucket == "" && c.Catalog != "" {
		return command.Usage("--now: name the published bucket with --bucket: a catalog that is not in --data has no bucket there")
	}
	if c.Now && c.NoWait {
		return command.Usage("--now removes the file once clients no longer see the package: leave out --no-wait")
	}
	if c.Now {
		if err := checkBucket(cmp.Or(c.Bucket, "file://"+c.Data+"/bucket")); err != nil { // before the catalog changes
			return err
		}
	}
	if c.Invalidate != "" {
		if _, err := cdn.Open(ctx, c.Invalidate); err != nil {
			return command.Usage("--invalidate: %w", err)
		}
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	now, err := db.Clock(ctx) // unyank uses the same clock: the later command wins
	if err != nil {
		return command.Fault(err)
	}
	record := catalog.Yank{Reason: c.Reason, By: c.By, At: now.UTC().Truncate(time.Second)}
	packages, err := db.Yank(ctx, w, record, now)
	if err != nil {
		return noPackage(ctx, db, w, err)
	}
	var r *removal
	if c.Now {
		if r, err = c.begin(ctx, db, packages); err != nil {
			return err
		}
		defer r.bucket.Close()
	}
	if err := c.seen(ctx, io, db, w, catalog.Yanked); err != nil {
		return err
	}
	for _, k := range packages {
		before := ""
		if k.Yank != nil && !k.Yank.At.Equal(record.At) {
			before = fmt.Sprintf(" (it was already, on %s: %s)", k.Yank.At.Format(time.DateTime+" MST"), command.Printable(k.Yank.Reason))
		}
		fmt.Fprintf(io.out, "yanked: %s %s %s from %s %s%s\n", k.Name, k.Version, k.Arch, w.Repository, within(k.Distribution, k.Component), before)
	}
	if !c.Now {
		return nil
	}
	if err := c.remove(ctx, io, db, r); err != nil {
		return err
	}
	return c.removeStaged(ctx, io, db, packages)
}

// removeStaged waits until a worker has removed the uploads of packages from staging. This command may lack the right to.
func (c *yankCmd) removeStaged(ctx context.Context, io stdio, db *catalogdb.DB, packages []catalog.Package) error {
	uploads, err := stagedOf(ctx, db, packages)
	if err != nil {
		return err
	}
	if err := c.unstaged(ctx, db, packages); err != nil {
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

// begin records that the files of packages are to be removed at once, so that a worker removes them if this command is
// interrupted.
func (c *yankCmd) begin(ctx context.Context, db *catalogdb.DB, packages []catalog.Package) (*removal, error) {
	for _, k := range packages {
		if err := db.RemoveSoon(ctx, k); err != nil {
			return nil, command.Fault(err)
		}
	}
	r := &removal{packages: packages, url: cmp.Or(c.Bucket, "file://"+c.Data+"/bucket")}
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

// remove deletes the files, and invalidates them in the CDN.
func (c *yankCmd) remove(ctx context.Context, io stdio, db *catalogdb.DB, r *removal) error {
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
	if c.Invalidate == "" {
		if !strings.HasPrefix(r.url, "file://") {
			fmt.Fprintln(io.err, "caches may serve the file for up to a day: name the CDN with --invalidate to remove it from there")
		}
		return nil
	}
	if keys, err = copies(ctx, db, r.packages); err != nil {
		return command.Fault(err)
	}
	edge, err := cdn.Open(ctx, c.Invalidate)
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

// seen waits until clients see packages in a state, unless --no-wait is given.
func (t yankTarget) seen(ctx context.Context, io stdio, db *catalogdb.DB, w catalogdb.PackageSelector, state catalog.PackageState) error {
	if t.NoWait {
		return recorded(io)
	}
	return t.packages(ctx, db, w, state)
}

// within names a distribution and, unless it is the default one, a component.
func within(d catalog.Distribution, component string) string {
	if component == "" || component == layout.DefaultComponent {
		return d.String()
	}
	return d.String() + "/" + component
}
