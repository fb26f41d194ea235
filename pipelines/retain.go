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
)

// A RetentionRefusal says why rules of retention change nothing. It is a sentence for the user.
type RetentionRefusal struct{ why string }

func (e *RetentionRefusal) Error() string { return e.why }

// maxNamed is how many releases a refusal names.
const maxNamed = 5

// CheckNotEmptied returns a [RetentionRefusal] if rules would leave a release without packages.
func CheckNotEmptied(s catalogdb.RetentionState) error {
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
	withdrawn, stopped := 0, ""
	for left := 1; left > 0; {
		var done catalogdb.SelectedChange
		var refused *RetentionRefusal
		done, left, err = r.Catalog.Retain(ctx, x.Target, now, catalog.Yank{Reason: catalog.Expired}, now, func(s catalogdb.RetentionState, _ []catalogdb.SelectedPackage) error {
			if err := CheckNotEmptied(s); err != nil {
				return err
			}
			if withdrawn > 0 || x.AllowShrink { // what is left of a run was allowed with it
				return nil
			}
			return checkNotShrunk(s, x.Target)
		})
		switch {
		case errors.As(err, &refused):
			stopped = refused.Error()
		case err != nil:
			return err
		case len(done.Packages) == 0:
			left = 0
		}
		withdrawn += len(done.Packages)
	}
	if stopped != "" {
		r.Log.Error("retention stopped", "target", x.Target.String(), "why", stopped)
	} else if withdrawn > 0 {
		r.Log.Info("packages expired", "target", x.Target.String(), "packages", withdrawn)
	}
	return r.Catalog.EndRetention(ctx, x, withdrawn, stopped, now, now.Add(retainEvery))
}
