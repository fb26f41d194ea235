package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// pointLayouts are the forms of times that a command takes, in UTC unless they have an offset; the last one is that of snapshots.
var pointLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly, "20060102T150405Z"}

// pointForms says what parsePoint reads.
const pointForms = "a revision, such as 41, a snapshot, or a time in UTC, such as 2026-11-29T02:15 or 2026-11-29"

// parsePoint reads a revision, a time, or what may be the identifier or name of a snapshot.
func parsePoint(s string) (p catalogdb.Point, err error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return catalogdb.Point{Revision: n}, nil
	}
	if _, isID := layout.ParseSnapshotID(s); isID || layout.CheckSnapshotName(s) == nil {
		p.Snapshot = s
	}
	for _, l := range pointLayouts {
		if at, err := time.Parse(l, s); err == nil {
			p.At = at.UTC()
			return p, nil
		}
	}
	if p.Snapshot == "" {
		err = command.Usage("--to %q: use "+pointForms, s)
	}
	return p, err
}

// wrongPoint returns what is wrong with the point of a rollback, and whether it was given in a wrong way; nil if an error is not about that.
func (r *rollingBack) wrongPoint(ctx context.Context, db *catalogdb.DB, err error) (wrong error, isUsage bool) {
	switch {
	case errors.Is(err, catalogdb.ErrSeveralReleases):
		return fmt.Errorf("a revision is of one release, and %s has several: name a time, or a target with one release", r.target), true
	case errors.Is(err, catalogdb.ErrNoSnapshot):
		return fmt.Errorf("use a revision, such as 41, or a time in UTC, such as 2026-11-29T02:15, or a snapshot: %w", noSnapshotCalled(ctx, db, r.target.Repository, r.args.To)), true
	case errors.Is(err, catalogdb.ErrInexact):
		return fmt.Errorf("snapshot %s: %w", r.args.To, catalogdb.ErrInexact), false
	case errors.Is(err, catalogdb.ErrNotPublished) && r.to.Revision != 0:
		return fmt.Errorf("revision %s of %s was never published, or nothing is known of it any more: repomill log and its pages say what was published when", r.args.To, r.target), false
	case errors.Is(err, catalogdb.ErrNotPublished):
		return fmt.Errorf("at %s a release of %s was not published yet, or nothing is known of that time any more: %w; name a later time, or one distribution", r.args.To, r.target, err), false
	}
	return nil, false
}

// wrongPoint returns what is wrong with the point of a side; nil if an error is not about that.
func (d *diffSide) wrongPoint(err error) error {
	switch {
	case errors.Is(err, catalogdb.ErrSeveralReleases):
		return fmt.Errorf("a revision is of one release, and %s has several: name a time, or a target with one release", d.target)
	case errors.Is(err, catalogdb.ErrNoSnapshot):
		return fmt.Errorf("%s is no revision, no snapshot of %s, and no time: use a revision, such as 41, or a time in UTC, such as 2026-11-29T02:15", d.point, d.target.Repository)
	case errors.Is(err, catalogdb.ErrInexact):
		return catalogdb.ErrInexact
	case errors.Is(err, catalogdb.ErrNotPublished) && d.at.Revision != 0:
		return errors.New("that revision was never published, or nothing is known of it any more")
	case errors.Is(err, catalogdb.ErrNotPublished):
		return fmt.Errorf("nothing is known of that time, or the snapshot does not have it: %w", err)
	}
	return nil
}

// A goneError says that packages cannot come back: their files are gone.
type goneError struct {
	packages []string
	deleted  error // the deletion of their place; nil if the files of some are gone
}

// Error returns the sentence with the flags of the command.
func (e *goneError) Error() string {
	return e.with("add --partial to go back without them, and --dry-run to see all")
}

// with returns the sentence with what can be done.
func (e *goneError) with(advice string) string {
	n, why := len(e.packages), "their files are gone"
	if e.deleted != nil {
		why = e.deleted.Error()
	}
	return fmt.Sprintf("%s of then cannot come back, %s: %s; nothing is changed: %s", counts(n, "package"), why, few(e.packages[:min(n, shownDifferences)], n), advice)
}

// isRefusal reports whether an error of the catalog is a sentence about the packages that were to be changed.
func isRefusal(err error) bool {
	return slices.ContainsFunc([]error{catalogdb.ErrTooMany, catalogdb.ErrRemoved, catalogdb.ErrRetired, catalogdb.ErrDeleted, catalogdb.ErrOtherBytes},
		func(is error) bool { return errors.Is(err, is) })
}
