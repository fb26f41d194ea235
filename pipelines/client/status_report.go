package client

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A statusReport is the JSON output of status.
type statusReport struct {
	Releases []releaseStatus `json:"releases"`
	Uploads  []uploadStatus  `json:"uploads"`          // newest first
	Trains   []catalog.Train `json:"trains,omitempty"` // open release trains of the owner

	Repository *repositoryStatus `json:"repository,omitempty"` // of the target, if it names one
	Backlog    int               `json:"backlog"`              // uploads without a verdict, of all repositories
	Worker     WorkerStatus      `json:"worker"`
}

// An uploadStatus is the present verdict on an upload. File is the name of the pushed file, without the ID that the object's
// name may have.
type uploadStatus struct {
	File string `json:"file"`
	catalog.Verdict
}

type releaseStatus struct {
	Release   string                   `json:"release"`
	Revision  int64                    `json:"revision"`  // of the rows
	Published int64                    `json:"published"` // what clients see
	Since     *time.Time               `json:"since,omitempty"`
	Packages  int                      `json:"packages"`
	Fault     string                   `json:"fault,omitempty"`     // why the last publish failed
	Reindex   string                   `json:"reindex,omitempty"`   // waiting or running
	Recovery  *catalogdb.RecoveryState `json:"recovery,omitempty"`  // of the rows from the published indexes, while it runs
	Retention string                   `json:"retention,omitempty"` // why the rules of retention changed nothing the last time
}

// A WorkerStatus says whether a worker runs. Workers record that in the catalog.
type WorkerStatus struct {
	Runs bool       `json:"runs"`
	Seen *time.Time `json:"seen,omitempty"` // last sign of life of a worker; nil if there was none for a month
}

func (c *Status) report(ctx context.Context, db *catalogdb.DB) (statusReport, error) {
	report := statusReport{Releases: []releaseStatus{}, Uploads: []uploadStatus{}}
	states, err := db.Releases(ctx)
	if err != nil {
		return report, err
	}
	reindexes, err := pendingReindexes(ctx, db)
	if err != nil {
		return report, err
	}
	stopped, err := stoppedRetentions(ctx, db)
	if err != nil {
		return report, err
	}
	for _, s := range states {
		if !below(s.Release.String(), c.Target) {
			continue
		}
		n, err := db.Count(ctx, s.Release)
		if err != nil {
			return report, err
		}
		report.Releases = append(report.Releases, releaseStatus{s.Release.String(), s.Revision.Number, s.Published, s.Since, n, s.Fault, reindexes[s.Release], s.Recovery, stopped[catalog.PackageTarget{Repository: s.Release.Repository, Distribution: s.Release.Distribution}]})
	}
	prefix := c.Target
	if prefix != "" {
		prefix += "/"
	}
	uploads, err := db.Recent(ctx, prefix, c.Limit)
	if err != nil {
		return report, err
	}
	for _, v := range uploads {
		report.Uploads = append(report.Uploads, uploadStatus{path.Base(layout.ShownStaging(v.Object)), v})
	}
	if report.Worker, err = WorkerOf(ctx, db); err != nil {
		return report, err
	}
	if report.Trains, err = trainsBelow(ctx, db, c.Target); err != nil {
		return report, err
	}
	if report.Repository, err = lifecycle(ctx, db, c.Target); err != nil {
		return report, err
	}
	report.Backlog, err = db.Backlog(ctx)
	return report, err
}

// trainsBelow returns the open release trains of the owner of a target.
func trainsBelow(ctx context.Context, db *catalogdb.DB, target string) (open []catalog.Train, err error) {
	owner, _, _ := strings.Cut(target, "/")
	all, err := db.Trains(ctx, owner)
	for _, t := range all {
		if t.State == catalog.TrainOpen {
			open = append(open, t)
		}
	}
	return open, err
}

// pendingReindexes returns the state of the reindexes that have not ended: waiting or running.
func pendingReindexes(ctx context.Context, db *catalogdb.DB) (map[catalog.Release]string, error) {
	all, err := db.Reindexes(ctx)
	if err != nil {
		return nil, err
	}
	now, err := db.Clock(ctx)
	states := map[catalog.Release]string{}
	for _, x := range all {
		if x.Pending() {
			states[x.Release] = x.State(now)
		}
	}
	return states, err
}

// stoppedRetentions returns why rules of retention changed nothing the last time, of the distributions where they did not.
func stoppedRetentions(ctx context.Context, db *catalogdb.DB) (map[catalog.PackageTarget]string, error) {
	runs, err := db.RetentionRuns(ctx)
	stopped := map[catalog.PackageTarget]string{}
	for _, r := range runs {
		stopped[r.Target] = r.Stopped
	}
	return stopped, err
}

// WorkerOf reads from the catalog whether a worker runs, and when one was seen last.
func WorkerOf(ctx context.Context, db *catalogdb.DB) (w WorkerStatus, err error) {
	sighting, err := db.Workers(ctx)
	if err != nil {
		return w, err
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return w, err
	}
	runs, seen := sighting.WorkerRuns(now)
	if w.Runs = runs; !seen.IsZero() {
		w.Seen = &seen
	}
	return w, nil
}

// Absence returns the words for messages that no worker runs, and since when.
func (w WorkerStatus) Absence() string {
	if w.Seen == nil {
		return "no worker runs (none has ever been seen)"
	}
	return fmt.Sprintf("no worker runs (none has been seen since %s)", w.Seen.Format(time.DateTime+" MST"))
}

func printReport(io Stdio, r statusReport, now time.Time) {
	if len(r.Releases) > 0 {
		r.releases(now).print(io.Out)
		fmt.Fprintln(io.Out)
	}
	if len(r.Uploads) > 0 {
		r.uploads(now).print(io.Out)
		fmt.Fprintln(io.Out)
	}
	for _, t := range r.Trains {
		printTrain(io, t, now)
	}
	r.Repository.print(io)
	fmt.Fprintf(io.Out, "backlog: %s in all\n", layout.Counted(r.Backlog, "upload"))
	if !r.Worker.Runs {
		fmt.Fprintf(io.Out, "%s: nothing is published until one (or repomill up) is started\n", r.Worker.Absence())
	}
}

// printTrain prints how far an open release train is.
func printTrain(io Stdio, t catalog.Train, now time.Time) {
	line := fmt.Sprintf("train %s: holds %s", t.Train, layout.Counted(t.Held, "upload"))
	if t.NotBefore != nil {
		line += ", goes at " + t.NotBefore.UTC().Format(time.DateTime+" MST")
	}
	if t.Old(now) {
		line += fmt.Sprintf(", open for %s: repomill train publish or train drop ends it, and until then its files stay in staging", age(now.Sub(t.Opened)))
	}
	fmt.Fprintln(io.Out, line)
	for _, f := range t.Faults {
		fmt.Fprintf(io.Out, "  not published: %s\n", command.Printable(f))
	}
}

// releases returns the table of releases. The fault of a release is below its row.
func (r statusReport) releases(now time.Time) *table {
	t := &table{heading: []string{"RELEASE", "REVISION", "PACKAGES", "PUBLISHED"}}
	for _, s := range r.Releases {
		since := "not yet"
		if s.Since != nil {
			since = age(now.Sub(*s.Since)) + " ago"
		}
		if s.Published < s.Revision {
			since += fmt.Sprintf(", revision %d is waiting", s.Revision)
		}
		if s.Reindex != "" {
			since += ", reindex: " + s.Reindex
		}
		if s.Recovery != nil {
			since += ", recovering: " + s.Recovery.String()
		}
		note := s.Fault
		if note == "" && s.Retention != "" {
			note = "retention: " + s.Retention
		}
		t.add(command.Printable(note), s.Release, fmt.Sprint(s.Published), fmt.Sprint(s.Packages), since)
	}
	return t
}

// uploads returns the table of uploads. The reason of one that is not published is below its row.
func (r statusReport) uploads(now time.Time) *table {
	t := &table{heading: []string{"UPLOAD", "RECEIVED", "STATE", "PACKAGE"}}
	for _, u := range r.Uploads {
		note := u.Detail
		if u.State == catalog.Rejected {
			note = strings.TrimSpace(string(u.Reason) + ": " + u.Detail)
		}
		note = strings.TrimPrefix(note+moveNote(u.Verdict), "; ")
		t.add(command.Printable(note), command.Printable(layout.ShownStaging(u.Object)), age(now.Sub(u.Received))+" ago", u.Outcome(), command.Printable(u.Package))
	}
	return t
}

// moveNote says what is left to do of a move, or why there is none.
func moveNote(v catalog.Verdict) string {
	switch v.Move {
	case catalog.MoveWaiting:
		return "; it moves: it is withdrawn where it was once clients see it here"
	case catalog.MoveKept:
		return "; it was to move, and stays where it was: " + v.MoveDetail
	default:
		return ""
	}
}

// age prints a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
