package faults_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// rounds is how often workers look for work. What one pass does is work for another one.
const rounds = 3

// passes does what workers do in their passes, until nothing is left. As workers do, it goes on after a fault.
func (s *site) passes() error {
	ctx := s.t.Context()
	var failed []error
	for range rounds {
		before := s.script.count()
		failed = append(failed, s.copies(ctx), s.moves(ctx), s.trains(ctx), s.snapshots(ctx))
		_, err := s.Catalog.AdvancePhases(ctx, s.today())
		failed = append(failed, err, s.ApplyRetention(ctx), s.Collector.RemoveUrgent(ctx), s.removals(ctx), s.publishBehind())
		if s.script.count() == before && errors.Join(failed...) == nil {
			break
		}
	}
	return errors.Join(failed...)
}

// today is the time of steps and removals: noon, and as much later as the operation is.
func (s *site) today() time.Time { return noon.Add(s.after) }

// copies ingests what is staged and what is to be promoted.
func (s *site) copies(ctx context.Context) error {
	wished, err := s.Catalog.Unfinished(ctx, catalog.PromotionBucket, time.Now().Add(2*time.Hour), 100) // when leases have ended
	if err != nil || len(wished)+len(s.uploads) == 0 {
		return err
	}
	return s.ingestAll(append(wished, s.uploads...))
}

func (s *site) moves(ctx context.Context) error {
	n, err := s.Catalog.FinishMoves(ctx, noon)
	if n > 0 {
		err = errors.Join(err, s.publishBehind())
	}
	return err
}

func (s *site) trains(ctx context.Context) error {
	due, err := s.Catalog.DueTrains(ctx)
	for _, n := range due {
		_, failed := s.PublishTrain(ctx, n)
		err = errors.Join(err, failed)
	}
	return err
}

func (s *site) snapshots(ctx context.Context) error {
	now := s.clock.now()
	err := s.Catalog.AskRuledSnapshots(ctx, now)
	known, failed := s.Catalog.AllSnapshots(ctx)
	if err = errors.Join(err, failed); err != nil || len(known) == 0 {
		return err
	}
	due, failed := s.Catalog.TakeSnapshots(ctx, now)
	err = errors.Join(err, failed)
	for _, one := range due {
		err = errors.Join(err, s.WorkOnSnapshot(ctx, one))
	}
	return err
}

// removals removes deleted repositories whose time of grace is over, also what an earlier attempt had taken.
func (s *site) removals(ctx context.Context) error {
	for pass := range 3 {
		now := s.today().Add(time.Duration(2*pass) * time.Hour)
		due, err := s.Catalog.DueRemovals(ctx, now)
		for _, of := range due {
			ready, failed := s.Catalog.BeginRemoval(ctx, of, time.Minute, now)
			if failed == nil && ready {
				if _, failed = s.Collector.RemoveTarget(ctx, of); failed == nil {
					failed = s.Catalog.EndRemoval(ctx, of, noon)
				}
			}
			err = errors.Join(err, failed, s.Collector.RemoveUrgent(ctx))
		}
		if err != nil || len(due) == 0 {
			return err
		}
	}
	return nil
}

// hoursLater lets the time pass that workers leave to others which may be at work: leases end, a run of retention that was ended is
// continued, and so is the removal of a file.
func (s *site) hoursLater() {
	s.t.Helper()
	s.clock.advance(3 * time.Minute) // of snapshots, which have to be made within an hour
	s.after += 6 * time.Hour
	err := errors.Join(s.exec("UPDATE retentions SET next_at = next_at - 3600000"), s.exec("UPDATE packages SET yanked_at = yanked_at - 3600000 WHERE state = 'dropped'"))
	if err != nil {
		s.t.Fatal(err)
	}
}

// exec changes rows of the catalog behind its back.
func (s *site) exec(query string, args ...any) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "catalog.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(s.t.Context(), query, args...)
	return err
}

// as returns a context in which the asker acts.
func (s *site) as() context.Context {
	return catalog.WithActor(s.t.Context(), catalog.Actor{User: asker, Why: "a test"})
}

// of selects active or withdrawn packages of the repository, in all distributions.
func of(state catalog.PackageState, patterns ...string) catalogdb.Selection {
	sel := catalogdb.Selection{Target: catalog.PackageTarget{Repository: tools}, States: []catalog.PackageState{state}}
	for _, p := range patterns {
		parsed, err := catalog.ParsePattern(p)
		if err != nil {
			panic(err) // the patterns of the tests are wrong
		}
		sel.Patterns = append(sel.Patterns, parsed)
	}
	return sel
}

// all decides for all that is selected.
func all(found catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return found.Packages, nil }
