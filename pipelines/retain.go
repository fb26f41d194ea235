package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// The times of automatic retention: each distribution daily, and an hour later if a run was ended.
const (
	retainEvery = 24 * time.Hour
	retainAgain = time.Hour
	retainMore  = time.Minute // if copies to the archive are under way, and more are to follow
)

// A RetentionRefusal says why rules of retention change nothing. It is a sentence for the user.
type RetentionRefusal struct{ why string }

func (e *RetentionRefusal) Error() string { return e.why }

// maxNamed is how many releases a refusal names.
const maxNamed = 5

// CheckRetention returns a [RetentionRefusal] if rules would leave a release without packages, or their archive cannot take any.
func CheckRetention(s catalogdb.RetentionState) error {
	if err := s.CheckArchive(); err != nil {
		return &RetentionRefusal{err.Error() + "; nothing is changed"}
	}
	var names []string
	for _, r := range s.Emptied() {
		names = append(names, r.String())
	}
	if len(names) == 0 {
		return nil
	}
	return &RetentionRefusal{fmt.Sprintf("by these rules no package would stay in %s; nothing is changed: add a rule such as --newest 1", namedOf(names))}
}

// checkNotShrunk returns a [RetentionRefusal] if more of a release would leave than may without a person.
func checkNotShrunk(s catalogdb.RetentionState, t catalog.PackageTarget) error {
	var names []string
	for _, r := range s.Shrunk() {
		names = append(names, fmt.Sprintf("%d of %d packages of %s", r.Leave, r.Leave+r.Stay, r.Release))
	}
	if len(names) == 0 {
		return nil
	}
	return &RetentionRefusal{fmt.Sprintf("%s would leave, more than %d %%; nothing is changed: look at repomill retain plan %s, then use repomill retain run %s, or retain set --automatic --allow-shrink",
		namedOf(names), catalog.MaxShrink, t, t)}
}

func namedOf(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if n := len(names) - maxNamed; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// ApplyRetention withdraws what no rule keeps of the distributions whose rules are automatic and due. Of several processes one does
// that for a distribution. A run that was ended is continued an hour later.
func (r *Resources) ApplyRetention(ctx context.Context) error {
	now, err := r.Catalog.Clock(ctx)
	if err != nil {
		return err
	}
	due, err := r.Catalog.RetentionDue(ctx, now)
	if err != nil {
		return err
	}
	var faults []error
	for _, x := range due {
		if ctx.Err() != nil {
			break
		}
		if err := r.applyRetention(ctx, x); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// applyRetention applies the rules of one distribution, if no other process does.
func (r *Resources) applyRetention(ctx context.Context, x catalogdb.DueRetention) error {
	now, err := r.Catalog.Clock(ctx)
	if err != nil {
		return err
	}
	taken, err := r.Catalog.TakeRetention(ctx, x, now, now.Add(retainAgain))
	if err != nil || !taken {
		return err
	}
	withdrawn, archived, stopped, next := 0, 0, "", now.Add(retainEvery)
	for more := true; more; {
		done, err := r.Catalog.Retain(ctx, x.Target, catalogdb.Retaining{At: now, Yank: catalog.Yank{Reason: catalog.Expired}}, now, func(s catalogdb.RetentionState, _ []catalogdb.LeavingPackage) error {
			if err := CheckRetention(s); err != nil {
				return err
			}
			if withdrawn+archived > 0 || x.AllowShrink { // what is left of a run was allowed with it
				return nil
			}
			return checkNotShrunk(s, x.Target)
		})
		var refused *RetentionRefusal
		switch {
		case errors.As(err, &refused):
			stopped = refused.Error()
		case err != nil:
			return err
		case done.Aside > 0:
			stopped = asideText(done, x.Target)
		}
		withdrawn, archived = withdrawn+len(done.Packages), archived+done.Asked
		if more = err == nil && done.Left > 0 && len(done.Packages) > 0; !more && done.Left > 0 {
			next = now.Add(retainMore)
		}
	}
	if stopped != "" {
		r.Log.Error("retention stopped", "target", x.Target.String(), "why", stopped)
	}
	if withdrawn+archived > 0 {
		r.Log.Info("packages expired", "target", x.Target.String(), "packages", withdrawn, "archived", archived)
	}
	return r.Catalog.EndRetention(ctx, x, withdrawn, archived, stopped, now, next)
}

// asideText says why packages stay that no rule keeps.
func asideText(done catalogdb.Retained, t catalog.PackageTarget) string {
	k := done.First.Package
	return fmt.Sprintf("%d packages stay that no rule keeps, since they cannot go to %s, such as %s %s %s: %s; repomill retain plan %s lists them",
		done.Aside, done.First.Archive.Repository, k.Name, k.Version, k.Arch, done.First.Detail, t)
}
