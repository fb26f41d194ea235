package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// awaitFlags say how long a command waits until clients see its change.
type awaitFlags struct {
	Timeout time.Duration `default:"2m" help:"How long to wait until clients see the change. Without a worker: 3s, or until 30s after one was seen last."`
	NoWait  bool          `name:"no-wait" help:"Return as soon as the change is recorded. If the catalog is lost before a worker has published the change, the change is lost, too."`
}

const (
	awaitPeriod  = 100 * time.Millisecond // between two looks
	workerPeriod = time.Second            // between two looks for a worker
)

// How long resolvers use settings after they have read them, at most: settingsAge in repomill up, productionSettingsAge in
// repomill-resolver, and unknownAge for a repository that did not exist.
const (
	productionSettingsAge = 10 * time.Second
	unknownAge            = time.Second
)

// An awaited describes in words what a command waits for: the state until then, and the state from then on.
type awaited struct{ notYet, then string }

var (
	seenByClients = awaited{"clients do not see it", "clients see it"}
	goneSource    = awaited{"the packages are not withdrawn where they were", "they are withdrawn where they were"}
	goneStaging   = awaited{"its copy in staging is not removed", "the copy in staging is removed"}
)

// until calls look every awaitPeriod until it finds nothing missing. An error of look ends the wait, and so does the absence
// of a worker.
func (f awaitFlags) until(ctx context.Context, db *catalogdb.DB, what awaited, look func(context.Context) (missing string, err error)) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	missing := "its state could not be read"
	start, asked := time.Now(), time.Time{}
	for {
		found, err := look(ctx)
		switch {
		case err == nil && found == "":
			return nil
		case err == nil:
			missing = found
		case ctx.Err() == nil:
			return err
		}
		if time.Since(start) > client.AwaitWorker && time.Since(asked) > workerPeriod {
			if asked = time.Now(); ctx.Err() == nil {
				if err := workerRuns(ctx, db, what); err != nil && ctx.Err() == nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			if outer.Err() != nil {
				return command.Interrupt("interrupted: it is recorded, but %s yet: %s", what.notYet, missing)
			}
			return command.Interrupt("recorded, but %s after %s: %s", what.notYet, f.Timeout, missing)
		case <-time.After(awaitPeriod):
		}
	}
}

// workerRuns returns an error that ends the wait if no worker runs.
func workerRuns(ctx context.Context, db *catalogdb.DB, what awaited) error {
	w, err := client.WorkerOf(ctx, db)
	if err != nil {
		return command.Fault(err)
	}
	if w.Runs {
		return nil
	}
	return command.Interrupt("recorded; %s: %s once one (or repomill up) is started", w.Absence(), what.then)
}

// unstaged waits until a worker has removed the uploads of packages from staging.
func (f awaitFlags) unstaged(ctx context.Context, db *catalogdb.DB, packages []catalog.Package) error {
	return f.until(ctx, db, goneStaging, func(ctx context.Context) (missing string, err error) {
		for ; len(packages) > 0; packages = packages[1:] { // nothing joins what is left of a removed package but a late push
			left, err := stagedOf(ctx, db, packages[:1])
			if err != nil {
				return "", err
			}
			if len(left) > 0 {
				return fmt.Sprintf("%s (%d in all) waits for the worker of staging bucket %q", command.Printable(layout.ShownStaging(left[0].Object)), len(left), left[0].Bucket), nil
			}
		}
		return "", nil
	})
}

// stagedOf returns the uploads of removed packages that are still in staging.
func stagedOf(ctx context.Context, db *catalogdb.DB, packages []catalog.Package) (uploads []catalog.Upload, err error) {
	for _, k := range packages {
		some, err := db.DoomedOf(ctx, k)
		if err != nil {
			return nil, command.Fault(err)
		}
		uploads = append(uploads, some...)
	}
	return uploads, nil
}

func notPublished(r catalog.Release, fault string) string {
	if fault == "" {
		return fmt.Sprintf("%s is not published yet", r)
	}
	return fmt.Sprintf("%s is not published: %s", r, command.Printable(fault))
}

// A settingsChange describes how a command changed the settings of a repository.
type settingsChange struct {
	after    catalog.Settings            // the settings just after the change
	holds    func(catalog.Settings) bool // reports whether settings still have the change
	age      time.Duration               // how long resolvers or workers may use the settings of before
	releases []catalog.Distribution      // their releases have to be published, too
}

// settings waits until a change of settings is in the bucket, and resolvers have read it.
func (f awaitFlags) settings(ctx context.Context, db *catalogdb.DB, c settingsChange) error {
	r := c.after.Repository
	var targets map[catalog.Release]int64
	err := f.until(ctx, db, seenByClients, func(ctx context.Context) (string, error) {
		s, published, err := db.PublishedSettings(ctx, r)
		if err != nil {
			return "", command.Fault(err)
		}
		if !c.holds(s) {
			return "", command.Interrupt("recorded, and undone since, by another command or because the catalog lacked what the bucket has: repomill repo list %s shows the settings now", r)
		}
		if published < c.after.Revision.Number {
			return fmt.Sprintf("the settings of %s are not published yet", r), nil
		}
		if len(c.releases) == 0 {
			return "", nil
		}
		states, err := db.Releases(ctx)
		if err != nil {
			return "", command.Fault(err)
		}
		if targets == nil {
			targets = targetsOf(states, r, c.releases)
		}
		return behind(states, targets), nil
	})
	if err != nil {
		return err
	}
	select {
	case <-time.After(c.age): // from now on, every resolver answers by the new settings
		return nil
	case <-ctx.Done():
		return command.Interrupt("interrupted: it is published, and resolvers follow within %s", c.age)
	}
}

// targetsOf returns the revisions that the releases of some distributions have now.
func targetsOf(states []catalogdb.ReleaseState, r catalog.Repository, distributions []catalog.Distribution) map[catalog.Release]int64 {
	targets := map[catalog.Release]int64{}
	for _, s := range states {
		for _, d := range distributions {
			if s.Release.Repository == r && s.Release.Distribution == d {
				targets[s.Release] = s.Revision.Number
			}
		}
	}
	return targets
}

// behind describes a release that has not reached its target revision; empty if all have.
func behind(states []catalogdb.ReleaseState, targets map[catalog.Release]int64) string {
	for _, s := range states {
		if s.Published < targets[s.Release] {
			return strings.TrimSpace(notPublished(s.Release, s.Fault))
		}
	}
	return ""
}

// upToDate waits until the releases of a target are published as the catalog has them. A command that may be a repeated one waits so, whether anything was
// left to change or not: an earlier run, whose change is there, may have been ended before clients saw it, and the rest be in other releases.
func (f awaitFlags) upToDate(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget) error {
	targets, err := revisionsOf(ctx, db, t)
	if err != nil {
		return command.Fault(err)
	}
	return f.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		states, err := db.ReleasesOf(ctx, t.Repository)
		if err != nil {
			return "", command.Fault(err)
		}
		return behind(states, targets), nil
	})
}

// revisionsOf returns the revisions that the releases of a target have now.
func revisionsOf(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget) (map[catalog.Release]int64, error) {
	states, err := db.ReleasesOf(ctx, t.Repository)
	all := map[catalog.Release]int64{}
	for _, s := range states {
		if t.Whole() || s.Release.Distribution == t.Distribution {
			all[s.Release] = s.Revision.Number
		}
	}
	return all, err
}

// settingsHelp is the help of the commands that change settings.
const settingsHelp = `The command returns once the change is in the bucket, where the loss of the catalog cannot undo it, and resolvers have read it. A
resolver keeps settings for 2 s (repomill up) or 10 s.

Exit codes:
  0  clients see the change; with --no-wait: it is recorded
  1  failed; the standard error says why
  2  usage
  3  recorded, but not published in time, or no worker runs: a worker publishes it once one is started
  4  the catalog cannot be reached`

// recorded prints that the change is recorded and not waited for.
func recorded(io stdio) error {
	fmt.Fprintln(io.err, "recorded: clients see it once a worker (or repomill up) has published it")
	return nil
}

// accessAge returns how long resolvers may use settings that were replaced.
func (f catalogFlags) accessAge() time.Duration {
	if f.Catalog == "" {
		return settingsAge
	}
	return productionSettingsAge
}

// openToChange opens the catalog for a command that changes it. The schema must be up to date.
func (f catalogFlags) openToChange(ctx context.Context) (*catalogdb.DB, error) {
	db, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := db.Ready(ctx); err != nil {
		db.Close() //nolint:errcheck // nothing was done
		return nil, command.Fault(err)
	}
	return db, nil
}
