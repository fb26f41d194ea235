package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/retention"
)

// apiRetention reads and applies rules of retention, in the catalog alone: workers publish what leaves.
type apiRetention struct{ db *catalogdb.DB }

// Rules implements [retention.Source].
func (a apiRetention) Rules(ctx context.Context, r catalog.Repository) ([]retention.RuleSet, error) {
	s, err := a.db.Settings(ctx, r)
	if err != nil {
		return nil, err
	}
	runs, err := a.db.RetentionRuns(ctx)
	if err != nil {
		return nil, err
	}
	all := []retention.RuleSet{}
	for _, set := range s.Retention {
		of := retention.RuleSet{Target: catalog.PackageTarget{Repository: r, Distribution: set.Distribution}.String(), Rules: set.Rules(),
			Automatic: set.Automatic, AllowShrink: set.AllowShrink, Runs: []retention.Run{}}
		if set.Archive != nil {
			of.Archive = set.Archive.Repository.String()
		}
		for _, run := range runsOf(runs, r, set, catalog.PackageTarget{Repository: r}) {
			of.Runs = append(of.Runs, retention.Run{Target: run.Target.String(), At: run.At, Withdrawn: run.Withdrawn, Archived: run.Archived, Stopped: run.Stopped})
		}
		all = append(all, of)
	}
	return all, nil
}

// Plan implements [retention.Source].
func (a apiRetention) Plan(ctx context.Context, t catalog.PackageTarget, most int) (p retention.Plan, err error) {
	r := &retaining{target: t}
	now, err := r.at(ctx, a.db)
	if err != nil {
		return p, err
	}
	s, err := a.db.Retention(ctx, t, now)
	if err != nil {
		return p, whileRecovering(err)
	}
	if err := r.checkRules(s); err != nil {
		return p, api.Conflict(err.Error())
	}
	p = retention.Plan{Target: t.String(), At: now, Packages: s.Leave, Bytes: s.Bytes, Kept: map[string]int{}, Releases: []retention.Release{}, Leaving: []retention.Package{}}
	if err := pipelines.CheckRetention(s); err != nil {
		p.Refused = err.Error()
	}
	for by, n := range s.Kept {
		p.Kept[string(by)] = n
	}
	for _, of := range s.Releases {
		p.Releases = append(p.Releases, retention.Release{Release: of.Release.String(), Leave: of.Leave, Stay: of.Stay, Bytes: of.Bytes})
	}
	if s.Leave > maxPlanned {
		return p, api.Conflict(fmt.Sprintf("%d packages would leave, and a plan has %d at most: name one distribution, or use repomill retain run", s.Leave, maxPlanned))
	}
	var packages []catalogdb.LeavingPackage
	var sums archiveSums
	for k, err := range a.db.Leaving(ctx, s) {
		if err != nil {
			return p, err
		}
		packages = append(packages, k)
		sums.add(k)
		if len(p.Leaving) < most {
			p.Leaving = append(p.Leaving, leavingOf(k))
		}
	}
	if sums != (archiveSums{}) {
		p.Archive = &retention.Archive{Copied: sums.Copied, Bytes: sums.Bytes, There: sums.There, Moving: sums.UnderWay, Stay: sums.Stay}
	}
	if n := sums.Copied + sums.There + sums.UnderWay; n > catalogdb.MaxArchiving {
		return p, api.Conflict(fmt.Sprintf("%d packages would go to the archive, and a plan has %d of them at most: name one distribution, or use repomill retain run", n, catalogdb.MaxArchiving))
	}
	sealed, err := r.plan(s, packages)
	p.Digest = sealed.Digest
	return p, err
}

// leavingOf describes a package that would leave.
func leavingOf(p catalogdb.LeavingPackage) retention.Package {
	k := p.Package
	j := retention.Package{Place: k.Place().String(), Name: k.Name, Version: k.Version, Arch: k.Arch, Size: k.File.Size, SHA256: k.File.SHA256}
	if p.Copy != "" {
		j.Archive, j.Copy, j.Detail = p.Archive.String(), p.Copy, p.Detail
	}
	return j
}

// Run implements [retention.Source].
func (a apiRetention) Run(ctx context.Context, t catalog.PackageTarget, at time.Time, digest string, by api.Principal, wait time.Duration) (done retention.Result, err error) {
	r := &retaining{target: t, args: retainArgs{At: at.UTC().Format(time.RFC3339)}}
	now, err := a.db.Clock(ctx)
	if err != nil {
		return done, err
	}
	var refused error
	changed, err := a.db.Retain(ctx, t, catalogdb.Retaining{At: at, Yank: catalog.Yank{Reason: catalog.Expired, By: by.Name}, Again: true}, now, func(s catalogdb.RetentionState, packages []catalogdb.LeavingPackage) error {
		if refused = r.checkRules(s); refused == nil {
			refused = pipelines.CheckRetention(s)
		}
		if refused != nil {
			return refused
		}
		p, err := r.plan(s, packages)
		if refused = err; refused == nil && p.Digest != digest {
			refused = errMoved
		}
		return refused
	})
	if refused != nil && errors.Is(err, refused) {
		return done, api.Conflict(refused.Error() + "; ask for a new plan")
	}
	if err != nil {
		return done, whileRecovering(err)
	}
	done = retention.Result{Target: t.String(), Withdrawn: len(changed.Packages), Archiving: len(changed.Archiving)}
	revisions, err := revisionsOf(ctx, a.db, t) // an earlier run may not be published yet
	if err != nil {
		return done, nil // it is recorded
	}
	done.Published = seenRevisions(ctx, a.db, t.Repository, revisions, wait)
	return done, nil
}

// seenRevisions waits until clients see revisions of releases of a repository, or later ones, and reports whether they do.
func seenRevisions(ctx context.Context, db *catalogdb.DB, r catalog.Repository, revisions map[catalog.Release]int64, wait time.Duration) bool {
	for end := time.Now().Add(wait); ; {
		if states, err := db.ReleasesOf(ctx, r); err == nil && behind(states, revisions) == "" {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(changePeriod):
		}
	}
}
