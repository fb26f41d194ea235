package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A repositoryStatus is what is with a repository besides its releases. What there is nothing of is left out.
type repositoryStatus struct {
	Repository string            `json:"repository"`
	Snapshots  *snapshotsStatus  `json:"snapshots,omitempty"`
	Held       int               `json:"held,omitempty"` // packages that wait for release trains
	Retention  []retentionStatus `json:"retention,omitempty"`
	Phases     *phasesStatus     `json:"phases,omitempty"`
	Deleted    *catalog.Deletion `json:"deleted,omitempty"`
}

type snapshotsStatus struct {
	Count  int    `json:"count"`            // that are kept
	Newest string `json:"newest,omitempty"` // identifier
	Asked  int    `json:"asked,omitempty"`  // that are to be made
	Failed int    `json:"failed,omitempty"`
	Rule   string `json:"rule,omitempty"`
}

// A retentionStatus is a rule set, and the last run by it.
type retentionStatus struct {
	Target    string     `json:"target"`
	Rules     []string   `json:"rules"`
	Automatic bool       `json:"automatic"` // else it is paused
	Last      *time.Time `json:"last,omitempty"`
	Withdrawn int        `json:"withdrawn,omitempty"` // by the last runs of its distributions
	Archived  int        `json:"archived,omitempty"`
	Stopped   int        `json:"stopped,omitempty"` // distributions with packages that stay, though no rule keeps them
}

type phasesStatus struct {
	Sources int        `json:"sources"`        // that not all hosts upgrade to, or with steps to come
	Next    *time.Time `json:"next,omitempty"` // when the next step is made
}

// lifecycle returns what is with the repository of a target; nil for a target that names none, or one that is not known.
func lifecycle(ctx context.Context, db *catalogdb.DB, target string) (*repositoryStatus, error) {
	part := strings.Split(target, "/")
	if len(part) < 2 {
		return nil, nil
	}
	r := catalog.Repository{Owner: part[0], Name: part[1]}
	s, err := db.Settings(ctx, r)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	status := &repositoryStatus{Repository: r.String(), Deleted: s.Deleted}
	if status.Snapshots, err = snapshotsOf(ctx, db, s); err != nil {
		return nil, err
	}
	if status.Held, err = db.CountHeld(ctx, r); err != nil {
		return nil, err
	}
	if status.Retention, err = retentionOf(ctx, db, s); err != nil {
		return nil, err
	}
	phases, err := db.Phases(ctx, catalog.PackageTarget{Repository: r})
	if err != nil || len(phases) == 0 {
		return status, err
	}
	sources := map[[3]string]bool{}
	status.Phases = &phasesStatus{}
	for _, p := range phases {
		sources[[3]string{p.Place, p.Source, p.Version}] = true
		if next := p.Next; next != nil && (status.Phases.Next == nil || next.Before(*status.Phases.Next)) {
			status.Phases.Next = next
		}
	}
	status.Phases.Sources = len(sources)
	return status, nil
}

func snapshotsOf(ctx context.Context, db *catalogdb.DB, s catalog.Settings) (*snapshotsStatus, error) {
	all, err := db.SnapshotsOf(ctx, s.Repository)
	if err != nil || len(all) == 0 && s.Snapshots == nil {
		return nil, err
	}
	status := &snapshotsStatus{}
	if s.Snapshots != nil {
		status.Rule = s.Snapshots.String()
	}
	for _, of := range all {
		switch of.State {
		case catalog.SnapshotKept:
			status.Count++
			status.Newest = max(status.Newest, of.ID)
		case catalog.SnapshotAsked:
			status.Asked++
		case catalog.SnapshotFailed:
			status.Failed++
		}
	}
	return status, nil
}

func retentionOf(ctx context.Context, db *catalogdb.DB, s catalog.Settings) (all []retentionStatus, err error) {
	if len(s.Retention) == 0 {
		return nil, nil
	}
	runs, err := db.RetentionRuns(ctx)
	for _, set := range s.Retention {
		of := retentionStatus{Target: catalog.PackageTarget{Repository: s.Repository, Distribution: set.Distribution}.String(), Rules: set.Rules(), Automatic: set.Automatic}
		for _, run := range runs {
			if run.Target.Repository != s.Repository || set.Distribution != (catalog.Distribution{}) && run.Target.Distribution != set.Distribution {
				continue
			}
			if run.At != nil && (of.Last == nil || run.At.After(*of.Last)) {
				of.Last = run.At
			}
			of.Withdrawn, of.Archived = of.Withdrawn+run.Withdrawn, of.Archived+run.Archived
			if run.Stopped != "" {
				of.Stopped++
			}
		}
		all = append(all, of)
	}
	return all, err
}

// print prints a line for each thing that there is.
func (s *repositoryStatus) print(io Stdio) {
	if s == nil {
		return
	}
	if n := s.Snapshots; n != nil {
		parts := []string{layout.Counted(n.Count, "snapshot")}
		if n.Newest != "" {
			parts = append(parts, "the newest "+n.Newest)
		}
		for _, more := range []struct {
			n    int
			what string
		}{{n.Asked, "to be made"}, {n.Failed, "failed"}} {
			if more.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", more.n, more.what))
			}
		}
		if n.Rule != "" {
			parts = append(parts, "rule: "+n.Rule)
		}
		fmt.Fprintln(io.Out, "snapshots: "+strings.Join(parts, ", "))
	}
	if s.Held > 0 {
		fmt.Fprintf(io.Out, "release trains: %s held\n", layout.Counted(s.Held, "package"))
	}
	for _, r := range s.Retention {
		fmt.Fprintf(io.Out, "retention of %s: %s\n", r.Target, command.Printable(r.text()))
	}
	if p := s.Phases; p != nil {
		line := fmt.Sprintf("phases: %s not at 100 %%", layout.Counted(p.Sources, "source package"))
		if p.Next != nil {
			line += ", next step at " + p.Next.UTC().Format(time.DateTime+" MST")
		}
		fmt.Fprintln(io.Out, line)
	}
	if s.Deleted != nil {
		fmt.Fprintf(io.Out, "deleted: %s\n", s.Deleted)
	}
}

func (r retentionStatus) text() string {
	text := strings.Join(r.Rules, ", ") + "; paused"
	if r.Automatic {
		text = strings.Join(r.Rules, ", ") + "; automatic"
	}
	if r.Last != nil {
		text += fmt.Sprintf(", last run %s, %d packages withdrawn", r.Last.UTC().Format(time.DateTime+" MST"), r.Withdrawn)
		if r.Archived > 0 {
			text += fmt.Sprintf(", %d asked for in the archive", r.Archived)
		}
	}
	if r.Stopped > 0 {
		text += fmt.Sprintf("; stopped in %s: see above, or repomill retain list", layout.Counted(r.Stopped, "distribution"))
	}
	return text
}
