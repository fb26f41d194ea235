package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type trainCmd struct {
	List    trainListCmd    `cmd:"" help:"List release trains."`
	Show    trainShowCmd    `cmd:"" help:"Print what a release train holds, and why it was not published."`
	Plan    trainPlanCmd    `cmd:"" help:"Print what a release train would publish, and what is missing."`
	Publish trainPublishCmd `cmd:"" help:"Publish all packages of a release train at once, now or at a time."`
	Drop    trainDropCmd    `cmd:"" help:"Take packages out of a release train, or drop all of it."`
}

// trainArg is the argument that names a release train.
type trainArg struct {
	Train string `arg:"" help:"owner/train, such as acme/19.5.0: packages of all repositories of the owner that were pushed with --train 19.5.0."`
}

// name returns the name of the train. What cannot be one is a usage error.
func (a trainArg) name() (catalog.TrainName, error) {
	n, err := catalog.ParseTrainName(a.Train)
	if err == nil {
		err = layout.CheckTrain(n.Name)
	}
	if err != nil {
		return n, command.Usage("%w", err)
	}
	if rej := layout.CheckRepository(catalog.Repository{Owner: n.Owner, Name: "x"}); rej != nil {
		return n, command.Usage("train %q: %s", a.Train, rej.Detail)
	}
	return n, nil
}

// trainError returns an error of the catalog about a train as the user reads it.
func trainError(n catalog.TrainName, err error) error {
	refused, isRefused := errors.AsType[*catalogdb.TrainRefusal](err)
	unmatched, isUnmatched := errors.AsType[*catalogdb.UnmatchedError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, catalogdb.ErrNotFound):
		return fmt.Errorf("there is no release train %s: push --train %s opens it, and repomill train list %s lists what is", n, n.Name, n.Owner)
	case errors.Is(err, catalogdb.ErrTrainPublished):
		return fmt.Errorf("release train %s is published already, and stays as it is: repomill yank or rollback withdraws packages", n)
	case errors.Is(err, catalogdb.ErrTrainGoing):
		return fmt.Errorf("files of release train %s are on their way to their public keys, and it goes as soon as they are there: repomill train show %s says what keeps it; only repomill train drop stops it now; nothing is changed", n, n)
	case errors.Is(err, catalogdb.ErrNothingHeld):
		return fmt.Errorf("release train %s holds nothing that could be dropped: all its packages are published, and stay; that the train was published is not known, as after a loss of the catalog; nothing is changed", n)
	case errors.Is(err, catalogdb.ErrTrainBusy):
		return fmt.Errorf("files of release train %s are still being read: wait until repomill train show %s has none, and drop it then; nothing is changed", n, n)
	case errors.Is(err, catalogdb.ErrTooMany):
		return err
	case isRefused:
		return fmt.Errorf("release train %s cannot be published, and nothing is changed: %w", n, refused)
	case isUnmatched:
		return fmt.Errorf("release train %s holds no %s: repomill train show %s lists what it holds; nothing is changed", n, unmatched.Pattern, n)
	}
	return command.Fault(err)
}

type trainListCmd struct {
	catalogFlags
	Owner string `arg:"" optional:"" help:"Only those of this owner."`
	JSON  bool   `name:"json" help:"Print one JSON object a train."`
}

// Help describes the exit codes.
func (trainListCmd) Help() string {
	return `The newest 100 are listed, those that are open first.

Exit codes:
  0  done
  2  usage
  4  the catalog cannot be reached

Example:
  repomill train list acme`
}

// Run lists trains.
func (c *trainListCmd) Run(ctx context.Context, io stdio) error {
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Trains(ctx, c.Owner)
	if err != nil {
		return command.Fault(err)
	}
	for _, t := range all {
		if c.JSON {
			printJSON(io, t)
			continue
		}
		fmt.Fprintf(io.out, "%s: %s\n", t.Train, trainText(t))
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintln(io.out, "there is no release train: push --train NAME opens one")
	}
	return nil
}

// trainText says in one line how far a train is.
func trainText(t catalog.Train) string {
	switch {
	case t.State == catalog.TrainGone:
		return "published " + t.Ended.UTC().Format(time.DateTime+" MST")
	case t.State == catalog.TrainDropped:
		return "dropped " + t.Ended.UTC().Format(time.DateTime+" MST")
	}
	text := fmt.Sprintf("open, holds %s", layout.Counted(t.Held, "upload"))
	if t.Embargo {
		text += " under embargo"
	}
	if t.Others > 0 {
		text += fmt.Sprintf(", and %d that are being read or were rejected", t.Others)
	}
	if t.TakingBack {
		return text + ", was refused: its copies are being removed"
	}
	if t.Copying {
		return text + ", is being published"
	}
	if t.NotBefore != nil {
		text += ", goes at " + t.NotBefore.UTC().Format(time.DateTime+" MST")
		if t.By != "" {
			text += " (asked for by " + command.Printable(t.By) + ")"
		}
	}
	return text
}

// printFaults prints why a train was not published, or cannot be.
func printFaults(w io.Writer, what string, faults []string) {
	for _, f := range catalog.FewFaults(faults) {
		fmt.Fprintf(w, "%s: %s\n", what, command.Printable(f))
	}
}

type trainShowCmd struct {
	catalogFlags
	trainArg
	JSON bool `name:"json" help:"Print the train and its uploads as one JSON object."`
}

// Help describes the exit codes.
func (trainShowCmd) Help() string {
	return `Exit codes:
  0  done
  1  there is no such train
  2  usage
  4  the catalog cannot be reached

Example:
  repomill train show acme/19.5.0`
}

// trainJSON is what show prints with --json.
type trainJSON struct{ catalog.TrainReport }

// Run prints a train.
func (c *trainShowCmd) Run(ctx context.Context, io stdio) error {
	n, err := c.name()
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	report, err := reportTrain(ctx, db, n)
	if err != nil {
		return trainError(n, err)
	}
	shown := trainJSON{report}
	if c.JSON {
		client.PrintJSON(io.out, shown)
		return nil
	}
	shown.print(io)
	return nil
}

// reportTrain returns a train with its uploads. The error is one of the catalog.
func reportTrain(ctx context.Context, db *catalogdb.DB, n catalog.TrainName) (r catalog.TrainReport, err error) {
	t, members, err := db.Train(ctx, n)
	if err != nil {
		return r, err
	}
	r = catalog.TrainReport{Train: t, Uploads: []catalog.TrainUpload{}}
	if t.State == catalog.TrainGone {
		s, err := db.TrainSpread(ctx, n)
		if err != nil {
			return r, err
		}
		millis := s.Millis()
		r.Spread, r.Millis = &s, &millis
	}
	for _, m := range members {
		r.Uploads = append(r.Uploads, uploadOf(m))
	}
	return r, nil
}

func uploadOf(m catalog.TrainMember) catalog.TrainUpload {
	u := catalog.TrainUpload{File: layout.ShownStaging(m.Upload.Object), State: m.State, Reason: m.Reason, Detail: m.Detail, Size: m.Upload.Size}
	if k := m.Package; k != nil {
		u.Package, u.Place, u.Size, u.SHA256 = nameOf(*k), k.Place().String(), k.File.Size, k.File.SHA256
	}
	return u
}

func (s trainJSON) print(io stdio) {
	for _, u := range s.Uploads {
		what := command.Printable(u.File)
		if u.Package != "" {
			what = u.Package + " in " + u.Place
		}
		line := fmt.Sprintf("%s: %s", u.State, what)
		if u.State == catalog.Rejected {
			line += fmt.Sprintf(": %s: %s", u.Reason, command.Printable(u.Detail))
		}
		fmt.Fprintln(io.out, line)
	}
	fmt.Fprintf(io.out, "%s: %s\n", s.Train.Train, trainText(s.Train))
	if s.State == catalog.TrainOpen && s.Held == 0 && slices.ContainsFunc(s.Uploads, func(u catalog.TrainUpload) bool { return u.State == catalog.Duplicate }) {
		fmt.Fprintln(io.out, "its packages are published already; whether that was as a train is not known, as after a loss of the catalog")
	}
	if s.Spread != nil {
		fmt.Fprintln(io.out, spreadText(*s.Spread))
	}
	what := "not published"
	if s.NotBefore != nil {
		what = "not published yet"
	}
	printFaults(io.out, what, s.Faults)
}

// spreadText says how far apart the pointers of a train became visible.
func spreadText(s catalog.TrainSpread) string {
	text := fmt.Sprintf("clients see %d of %s", s.Visible, layout.Counted(s.Releases, "release"))
	if s.Releases > 0 && s.Whole() {
		text += fmt.Sprintf("; %d ms lie between the first and the last pointer", s.Millis())
	}
	return text
}
