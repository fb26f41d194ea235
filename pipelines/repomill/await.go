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

// awaitFlags say how long a command waits until clients see what it changed.
type awaitFlags struct {
	Timeout time.Duration `default:"2m" help:"How long to wait until clients see it. Without a worker: 3s, or until 30s after one was seen last."`
	NoWait  bool          `name:"no-wait" help:"Return as soon as it is recorded. If the catalog is lost before a worker publishes it, so is the change."`
}

const (
	awaitPeriod  = 100 * time.Millisecond // between two looks
	workerPeriod = time.Second            // between two looks for a worker
)

// How long resolvers go by settings that they have read, at most: that of repomill up, one in company, and any
// that knows of no such repository.
const (
	companySettingsAge = 10 * time.Second
	unknownAge         = time.Second
)

// An awaited is what a command waits for, in words: what is so until then, and what is so from then on.
type awaited struct{ notYet, then string }

var (
	seenByClients = awaited{"clients do not see it", "clients see it"}
	goneStaging   = awaited{"its copy in staging is not removed", "the copy in staging is removed"}
)

// until waits until look finds nothing missing. An error of look ends the wait, as does the absence of a worker.
func (f awaitFlags) until(ctx context.Context, db *catalogdb.DB, what awaited, look func(context.Context) (missing string, err error)) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	missing := "what became of it was not found out"
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

// packages waits until clients see packages come or go: it is their own state that counts, in each release.
func (f awaitFlags) packages(ctx context.Context, db *catalogdb.DB, w catalogdb.PackageSelector, want catalog.PackageState) error {
	return f.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		all, err := db.Appearances(ctx, w)
		if err != nil {
			return "", command.Fault(err)
		}
		for _, a := range all {
			if a.Package.State != want {
				return "", command.Interrupt("recorded, and undone since: %s %s %s is %s now", a.Package.Name, a.Package.Version, a.Package.Arch, a.Package.State)
			}
			if !a.Published {
				missing = notPublished(a.Release, a.Fault)
			}
		}
		return missing, nil
	})
}

// unstaged waits until a worker has removed what was staged of packages.
func (f awaitFlags) unstaged(ctx context.Context, db *catalogdb.DB, packages []catalog.Package) error {
	return f.until(ctx, db, goneStaging, func(ctx context.Context) (missing string, err error) {
		left, err := stagedOf(ctx, db, packages)
		if err != nil || len(left) == 0 {
			return "", err
		}
		return fmt.Sprintf("%s (%d in all) waits for the worker of staging bucket %q", command.Printable(layout.ShownStaging(left[0].Object)), len(left), left[0].Bucket), nil
	})
}

// stagedOf returns the uploads of removed packages that still lie in staging.
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

// A settingsChange is what a command did to a repository's settings.
type settingsChange struct {
	after    catalog.Settings            // as they were then
	holds    func(catalog.Settings) bool // whether settings still have the change
	age      time.Duration               // how long resolvers or workers may go by what was before
	releases []catalog.Distribution      // whose releases have to be published, too
}

// settings waits until the bucket has a change of settings, and resolvers have read it.
func (f awaitFlags) settings(ctx context.Context, db *catalogdb.DB, c settingsChange) error {
	r := c.after.Repository
	var targets map[catalog.Release]int64
	err := f.until(ctx, db, seenByClients, func(ctx context.Context) (string, error) {
		s, published, err := db.PublishedSettings(ctx, r)
		if err != nil {
			return "", command.Fault(err)
		}
		if !c.holds(s) {
			return "", command.Interrupt("recorded, and undone since, by another command or because the catalog lacked what the bucket has: repomill repo list %s shows what is so now", r)
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
	case <-time.After(c.age): // whoever asks a resolver after this is answered by the new settings
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

// behind names a release that has not reached its target, if there is one.
func behind(states []catalogdb.ReleaseState, targets map[catalog.Release]int64) string {
	for _, s := range states {
		if s.Published < targets[s.Release] {
			return strings.TrimSpace(notPublished(s.Release, s.Fault))
		}
	}
	return ""
}

// settingsHelp is of the commands that change settings.
const settingsHelp = `Returns once the change is in the bucket, where the loss of the catalog cannot undo it, and resolvers have read it: they keep settings for 2 s (repomill up) or 10 s.

Exit codes:
  0  clients see it; with --no-wait: it is recorded
  1  it cannot be done; the standard error says why
  2  usage
  3  recorded, but not published in time, or no worker runs: then it is published when one is started
  4  the catalog cannot be reached`

// recorded says that nothing was waited for.
func recorded(io stdio) error {
	fmt.Fprintln(io.err, "recorded: clients see it once a worker (or repomill up) has published it")
	return nil
}

// accessAge returns how long resolvers may go by settings that were replaced.
func (f catalogFlags) accessAge() time.Duration {
	if f.Catalog == "" {
		return settingsAge
	}
	return companySettingsAge
}

// openToChange opens the catalog for a command that changes something, and needs the newest tables.
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
