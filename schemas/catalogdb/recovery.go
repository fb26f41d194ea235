package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Recovered counts what [DB.Recover] changed.
type Recovered struct {
	Inserted int // rows that were missing here, or not active
	Replaced int // rows that had other bytes here: the published ones won
	Yanked   int // rows that were withdrawn there and not here
}

// Recover imports a published release whose revision this catalog did not issue: the catalog was restored from an
// old copy, or failed over to one. rows yields what was published (active, with fragments) and what was withdrawn
// (yanked, with its record). It is read twice: to its end, so that nothing of what is broken is imported, and then in batches of some
// hundred rows, each of which is a transaction. What was imported stays: after an error, or a crash, the next call goes on behind it.
// Concurrent calls divide the work. Each row and each batch says that work moves ([stall.Moved]).
//
// What was published replaces the rows of the catalog, but no change made here is lost: active rows that were not
// published stay, and so does a yank, or an unyank, that no published revision had yet. An upload that waits with
// other bytes than those published is rejected as a conflict. With the last batch, the release gets a revision after both, with a
// new nonce, and so do others of its distribution if noarch packages changed. Until then this catalog does not know the foreign revision
// ([DB.KnowsRevision]), so that no one may replace what is published, and [Snapshot.Recovering] is set for those others. If this catalog
// knows the revision already, nothing changes.
//
// A release that does not exist is created. Its distribution must exist ([DB.ImportSettings]), or the error wraps
// [ErrNotFound]. An error that rows yields is returned, wrapped; of the first reading, it changes nothing.
func (d *DB) Recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], foreign catalog.Revision, now time.Time) (Recovered, error) {
	return d.recover(ctx, r, rows, foreign, false, now)
}

// Rebuild is [DB.Recover] without trust in the rows of the catalog: each becomes what was published, also under a
// revision that this catalog issued. Then it is one transaction, for which other changes of the repository wait, and if rows changed, the
// release gets the next revision. If this catalog has published a later revision, the error wraps [ErrOutdated].
func (d *DB) Rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (Recovered, error) {
	return d.recover(ctx, r, rows, published, true, now)
}

func (d *DB) recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, rebuild bool, now time.Time) (counts Recovered, err error) {
	err = checkRevision(published)
	known := false
	if err == nil {
		known, err = d.KnowsRevision(ctx, r, published)
	}
	switch {
	case err != nil || known && !rebuild:
	case known:
		counts, err = d.rebuild(ctx, r, rows, published, now)
	default:
		counts, err = d.recoverForeign(ctx, foreignRows{r, rows, published, rebuild, now})
	}
	if err != nil {
		return Recovered{}, fmt.Errorf("recover %s: %w", r, err)
	}
	return counts, nil
}

// rebuild imports rows of a revision that this catalog knows.
func (d *DB) rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (counts Recovered, err error) {
	var unread error
	err = d.tx(ctx, func(tx *transaction) error {
		rec, err := beginRecovery(ctx, tx, r, now)
		if err != nil {
			return err
		}
		if published.Number < rec.release.published {
			return ErrOutdated
		}
		if err := rec.readPublished(ctx, published, true, true); err != nil {
			return err
		}
		for batch, err := range recoveryBatches(rows, true) {
			if err != nil {
				unread = err
				return errUnread
			}
			if err := rec.importBatch(ctx, batch.rows); err != nil {
				return err
			}
		}
		counts = rec.counts // of a try whose commit may go through unreported
		return rec.endRebuild(ctx, published)
	})
	if errors.Is(err, errUnread) {
		err = unread
	}
	return counts, err
}

// ErrOutdated is returned by [DB.Rebuild] if this catalog has published a later revision than the one that was read
// back.
var ErrOutdated = errors.New("a newer revision was published since")

// errUnread stands for an error of the rows to be recovered, so that a connection that is lost while they are read
// is not taken for one to the database, and the transaction is not repeated.
var errUnread = errors.New("the published rows cannot be read")

// A recovery is one transaction that imports rows of a release.
type recovery struct {
	tx           *transaction
	now          time.Time
	r            catalog.Release
	distribution int64
	release      releaseRow
	others       []releaseRow // of the distribution, that show noarch packages too
	counts       Recovered
	shared       bool  // something that others show changed
	rebuild      bool  // trust no row
	read         int64 // the newest own revision that may be part of what was read
	phases       recoveredPhases
	next         int64 // the revision with which changes come into the release; 0: clients see them already, and the revision is foreign
}

// beginRecovery locks the repository and the releases of the distribution, and creates the release if it is absent.
func beginRecovery(ctx context.Context, tx *transaction, r catalog.Release, now time.Time) (*recovery, error) {
	repository, err := lockRepository(ctx, tx, r.Repository)
	if err != nil {
		return nil, err
	}
	rec := &recovery{tx: tx, now: now, r: r}
	if rec.distribution, err = distributionID(ctx, tx, r.Repository, r.Distribution); err != nil {
		return nil, err
	}
	if _, err = releaseID(ctx, tx, r); errors.Is(err, ErrNotFound) {
		err = rec.create(ctx, repository)
	}
	if err != nil {
		return nil, err
	}
	releases, err := tx.lockedReleases(ctx, r.Repository, r.Distribution)
	if err != nil {
		return nil, err
	}
	for _, row := range releases {
		switch {
		case row.arch == r.Arch:
			rec.release = row
		case r.Arch != "":
			rec.others = append(rec.others, row)
		}
	}
	return rec, nil
}

// create creates the release, and its architecture if that is absent.
func (rec *recovery) create(ctx context.Context, repository repositoryRow) error {
	var has catalog.DistributionSettings
	err := rec.tx.QueryRowContext(ctx, `SELECT format, architectures FROM distributions WHERE id = ?`, rec.distribution).
		Scan(&has.Format, jsonList[string]{&has.Architectures})
	if err != nil {
		return err
	}
	if (has.Format == catalog.DEB) != (rec.r.Arch == "") {
		return fmt.Errorf("%s is no release of a %s distribution: %w", rec.r, has.Format, ErrNotFound)
	}
	want := catalog.DistributionSettings{Distribution: rec.r.Distribution, Format: has.Format, Architectures: []string{rec.r.Arch}}
	created, err := ensureDistribution(ctx, rec.tx, repository.id, want, rec.now)
	if err != nil {
		return err
	}
	if len(created) == 0 { // the architecture was there, without its release
		return ensureReleases(ctx, rec.tx, rec.distribution, has.Format, union(has.Architectures, want.Architectures), rec.now)
	}
	return repository.issueRevision(ctx, rec.tx, repository.settings.Revision.Number+1, random(), rec.now)
}

// readPublished finds which own revisions may be part of what was read: those up to revision if this catalog issued
// it, whether its publication was recorded or not, else those that are recorded as published. It reads the phases that were asked for since.
func (rec *recovery) readPublished(ctx context.Context, revision catalog.Revision, known, rebuild bool) error {
	rec.rebuild, rec.read = rebuild, rec.release.published
	if known {
		rec.next = rec.release.revision + 1
		issued, err := scanID(rec.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM publications WHERE release_id = ? AND revision = ? AND nonce = ?`,
			rec.release.id, revision.Number, revision.Nonce).Scan)
		if err != nil {
			return err
		}
		if issued > 0 {
			rec.read = revision.Number
		}
	}
	return rec.readPhases(ctx)
}

// recordRecovered adds to the audit log what the whole recovery changed.
func (rec *recovery) recordRecovered(ctx context.Context, counts Recovered, from catalog.Revision) error {
	return record(ctx, rec.tx, rec.now, catalog.AuditEntry{Action: catalog.ActionRecover, Target: rec.r.String(),
		Detail: fmt.Sprintf("from the indexes of revision %d: %d packages were missing, %d were replaced, %d withdrawn", from.Number, counts.Inserted, counts.Replaced, counts.Yanked)})
}

// end records the foreign revision, and issues one after it. counts is what the whole recovery changed.
func (rec *recovery) end(ctx context.Context, counts Recovered, foreign catalog.Revision) error {
	_, err := rec.tx.ExecContext(ctx, `INSERT INTO foreign_pairs (release_id, revision, nonce, adopted_at) VALUES (?, ?, ?, ?)`,
		rec.release.id, foreign.Number, foreign.Nonce, millis(rec.now))
	if err != nil {
		return err
	}
	if err := deleteMark(ctx, rec.tx, rec.release.id); err != nil {
		return err
	}
	if err := rec.recordRecovered(ctx, counts, foreign); err != nil {
		return err
	}
	revision := catalog.Revision{Number: nextRevisionAfter(rec.release.revision, foreign.Number), Nonce: random()}
	if err := issue(ctx, rec.tx, rec.release.id, revision, rec.now); err != nil {
		return err
	}
	if err := raiseGeneration(ctx, rec.tx, rec.release.id); err != nil {
		return err
	}
	return rec.advanceOthers(ctx)
}

// endRebuild issues the next revision if rows changed, so that the release is published again.
func (rec *recovery) endRebuild(ctx context.Context, from catalog.Revision) error {
	if rec.counts == (Recovered{}) {
		return nil
	}
	if err := rec.recordRecovered(ctx, rec.counts, from); err != nil {
		return err
	}
	if err := advance(ctx, rec.tx, rec.release, rec.now); err != nil {
		return err
	}
	return rec.advanceOthers(ctx)
}

// advanceOthers issues a revision for the other releases that show what changed.
func (rec *recovery) advanceOthers(ctx context.Context) error {
	if !rec.shared {
		return nil
	}
	return advanceShown(ctx, rec.tx, rec.others, rec.now)
}

// advanceShown issues a revision for those of some releases that show noarch packages.
func advanceShown(ctx context.Context, tx *transaction, releases []releaseRow, now time.Time) error {
	for _, r := range releases {
		if !shows(r.arch, layout.Noarch) {
			continue
		}
		if err := advance(ctx, tx, r, now); err != nil {
			return err
		}
	}
	return nil
}

// advance issues the next revision of a release, which is rendered whole.
func advance(ctx context.Context, tx *transaction, r releaseRow, now time.Time) error {
	if _, err := issueNext(ctx, tx, r.id, now); err != nil {
		return err
	}
	return raiseGeneration(ctx, tx, r.id)
}
