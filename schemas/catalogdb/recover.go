package catalogdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Recovered counts what [DB.Recover] found in a published release and not here.
type Recovered struct {
	Inserted int // rows that were missing here, or not active
	Replaced int // rows that had other bytes here: the published ones won
	Yanked   int // rows that were withdrawn there and not here
}

// Recover takes over a release that was published under a pair which this catalog never drew: the
// catalog was restored from an old copy, or failed over to one. rows are what was published (active, with
// fragments) and what was withdrawn (yanked, with its record); they are read while one transaction is
// open, one at a time, and may be asked for again from the beginning. Other changes of the repository wait
// for it, about a millisecond for each row.
//
// What was published wins over what is here, but nothing that is here is lost: active rows that were not
// published stay, and so does a yank, or an unyank, that no published revision had yet. An upload that waits
// with other bytes than those published is rejected as a conflict. Then the release gets a revision beyond
// both, with a new nonce, and so do others of its distribution if noarch packages changed. A pair that
// is known already changes nothing.
//
// A release that does not exist is created; its distribution has to exist ([DB.AdoptSettings]), or the
// error wraps [ErrNotFound].
func (d *DB) Recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], foreign catalog.Revision, now time.Time) (Recovered, error) {
	return d.recover(ctx, r, rows, foreign, false, now)
}

// Rebuild is [DB.Recover] for whoever does not trust the rows that are here: each becomes what was
// published, also under a pair that this catalog drew. If that made rows other ones, the release gets the
// next revision. If this catalog has published a later pair, the error wraps [ErrOutdated].
func (d *DB) Rebuild(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], published catalog.Revision, now time.Time) (Recovered, error) {
	return d.recover(ctx, r, rows, published, true, now)
}

func (d *DB) recover(ctx context.Context, r catalog.Release, rows iter.Seq2[catalog.Package, error], foreign catalog.Revision, rebuild bool, now time.Time) (Recovered, error) {
	if err := checkPair(foreign); err != nil {
		return Recovered{}, fmt.Errorf("recover %s: %w", r, err)
	}
	var counts Recovered // of a try whose commit may have gone through unreported
	var unread error
	err := d.tx(ctx, func(tx *transaction) error {
		rec, err := beginRecovery(ctx, tx, r, now)
		if err != nil {
			return err
		}
		known, err := drew(ctx, tx, rec.release.id, foreign)
		if err != nil || known && !rebuild {
			return err
		}
		if known && foreign.Number < rec.release.published {
			return ErrOutdated
		}
		if err := rec.begin(ctx, foreign, known, rebuild); err != nil {
			return err
		}
		for k, err := range rows {
			if err != nil {
				unread = err
				return errUnread
			}
			if err := rec.take(ctx, k); err != nil {
				return err
			}
		}
		if counts = rec.counts; known {
			return rec.endRebuild(ctx)
		}
		return rec.end(ctx, foreign)
	})
	if errors.Is(err, errUnread) {
		err = unread
	}
	if err != nil {
		return Recovered{}, fmt.Errorf("recover %s: %w", r, err)
	}
	return counts, nil
}

// ErrOutdated says that what was read back is older than what this catalog has published since.
var ErrOutdated = errors.New("a newer revision was published meanwhile")

// errUnread stands for an error of whoever reads the rows: a lost connection of theirs is none of the
// database's, and not to be repeated here.
var errUnread = errors.New("the published rows cannot be read")

// A recovery is one transaction that takes over a release.
type recovery struct {
	tx           *transaction
	now          time.Time
	r            catalog.Release
	distribution int64
	release      releaseRow
	others       []releaseRow // of the distribution, that show noarch packages too
	counts       Recovered
	shared       bool  // something that others show changed
	rebuild      bool  // write every row
	read         int64 // the newest own revision that may be part of what was read
	next         int64 // the revision with which changes come into the release; 0: clients see them already, and the pair is foreign
}

// beginRecovery locks what a release is made of, and creates it if it is absent.
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

// create makes the release, and the architecture that it is of.
func (rec *recovery) create(ctx context.Context, repository repositoryRow) error {
	var format catalog.Format
	var has catalog.DistributionSettings
	err := rec.tx.QueryRowContext(ctx, `SELECT format, architectures FROM distributions WHERE id = ?`, rec.distribution).
		Scan(&format, jsonList[string]{&has.Architectures})
	if err != nil {
		return err
	}
	if (format == catalog.DEB) != (rec.r.Arch == "") {
		return fmt.Errorf("%s is no release of a %s distribution: %w", rec.r, format, ErrNotFound)
	}
	want := catalog.DistributionSettings{Distribution: rec.r.Distribution, Architectures: []string{rec.r.Arch}}
	created, err := ensureDistribution(ctx, rec.tx, repository.id, format, want, rec.now)
	if err != nil {
		return err
	}
	if len(created) == 0 { // the architecture was there, without its release
		return ensureReleases(ctx, rec.tx, rec.distribution, format, set(has.Architectures, want.Architectures), rec.now)
	}
	return repository.draw(ctx, rec.tx, repository.settings.Revision.Number+1, random(), rec.now)
}

// take takes one row over.
func (rec *recovery) take(ctx context.Context, k catalog.Package) error {
	if k.Repository != rec.r.Repository || k.Distribution != rec.r.Distribution || !shows(rec.r.Arch, dirOf(k)) ||
		k.State != catalog.Active && (k.State != catalog.Yanked || k.Yank == nil) {
		return fmt.Errorf("%s %s %s, %s in %s %s, is not a row of this release", k.Name, k.Version, k.Arch, k.State, k.Repository, k.Distribution)
	}
	evicted, err := rec.evict(ctx, k)
	if err != nil {
		return err
	}
	rec.counts.Replaced += evicted
	holder, id, err := find(ctx, rec.tx, k)
	if err == nil && k.Multilib != holder.Multilib {
		k, err = rec.widen(ctx, id, k)
	}
	if errors.Is(err, ErrNotFound) {
		if id, err = rec.insert(ctx, k); err != nil {
			return err
		}
		rec.counts.Inserted++
		return rec.appear(ctx, id, k)
	}
	pending := false
	if err == nil {
		pending, err = rec.pending(ctx, id, holder, k)
	}
	same := holder.File.SHA256 == k.File.SHA256
	if rec.rebuild { // nothing of the row is trusted
		same = same && holder.File == k.File && bytes.Equal(holder.SortKey, k.SortKey)
	}
	switch {
	case err != nil:
		return err
	case !same:
		if pending && holder.State == catalog.Yanked {
			k = keepYank(holder, k)
		}
		err = rec.replace(ctx, id, holder, k)
		rec.counts.Replaced++
	case pending:
		return nil
	case holder.State == k.State && rec.rebuild && k.State == catalog.Active:
		restored, err := rec.restore(ctx, id, k)
		if err != nil || !restored {
			return err
		}
		rec.counts.Replaced++
	case holder.State == k.State:
		return nil
	case k.State == catalog.Active:
		err = rec.write(ctx, id, k) // with fragments, which the record of a yank has not
		rec.counts.Inserted++
	default:
		err = yank(ctx, rec.tx, id, *k.Yank, rec.now)
		rec.counts.Yanked++
	}
	if err != nil {
		return err
	}
	return rec.appear(ctx, id, k)
}

func (rec *recovery) insert(ctx context.Context, k catalog.Package) (int64, error) {
	fragments, err := packAll(k)
	if err != nil {
		return 0, err
	}
	return insertPackage(ctx, rec.tx, rec.distribution, k, fragments)
}

// replace makes a row what was published. An upload that waits with other bytes brought what nobody
// can install.
func (rec *recovery) replace(ctx context.Context, id int64, holder, k catalog.Package) error {
	if holder.File.SHA256 == k.File.SHA256 {
		k.Signer = holder.Signer // no index has it
	}
	if err := rec.write(ctx, id, k); err != nil || holder.File.SHA256 == k.File.SHA256 {
		return err
	}
	return rejectWaiting(ctx, rec.tx, id, *conflict(k.Name+" "+k.Version+" "+k.Arch, holder.File.SHA256, k.File.SHA256), rec.now)
}

// write makes a row what was published.
func (rec *recovery) write(ctx context.Context, id int64, k catalog.Package) error {
	fragments, err := packAll(k)
	if err != nil {
		return err
	}
	_, err = rec.tx.ExecContext(ctx, `UPDATE packages SET component = ?, name = ?, version = ?, canonical = ?, arch = ?, variant = ?, dir = ?, sort_key = ?, object_key = ?,
			size = ?, sha256 = ?, md5 = ?, uploaded_at = ?, state = ?, pushed_by = ?, pushed_job = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, signer = ?,
			stanza = ?, primary_xml = ?, filelists_xml = ?, other_xml = ?, removed = 0 WHERE id = ?`, append(facts(k, fragments), id)...)
	return err
}

// restore gives a row the fragments that were published, and reports whether it had others.
func (rec *recovery) restore(ctx context.Context, id int64, k catalog.Package) (restored bool, err error) {
	fragments, err := packAll(k)
	if err != nil {
		return false, err
	}
	args := append(slices.Clone(fragments), id)
	for _, f := range fragments {
		if f == nil {
			f = []byte{}
		}
		args = append(args, f)
	}
	res, err := rec.tx.ExecContext(ctx, `UPDATE packages SET stanza = ?, primary_xml = ?, filelists_xml = ?, other_xml = ? WHERE id = ?
		AND (COALESCE(stanza, x'') <> ? OR COALESCE(primary_xml, x'') <> ? OR COALESCE(filelists_xml, x'') <> ? OR COALESCE(other_xml, x'') <> ?)`, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// appear records that clients see, or miss, a row already in this release, and from their next revision
// on in others.
func (rec *recovery) appear(ctx context.Context, id int64, k catalog.Package) error {
	if err := appear(ctx, rec.tx, id, rec.release.id, rec.next); err != nil {
		return err
	}
	for _, other := range rec.others {
		if !shows(other.arch, dirOf(k)) {
			continue
		}
		rec.shared = true
		if err := appear(ctx, rec.tx, id, other.id, other.revision+1); err != nil {
			return err
		}
	}
	return nil
}

// end keeps the foreign pair, and draws a revision beyond it.
func (rec *recovery) end(ctx context.Context, foreign catalog.Revision) error {
	_, err := rec.tx.ExecContext(ctx, `INSERT INTO foreign_pairs (release_id, revision, nonce, adopted_at) VALUES (?, ?, ?, ?)`,
		rec.release.id, foreign.Number, foreign.Nonce, millis(rec.now))
	if err != nil {
		return err
	}
	pair := catalog.Revision{Number: beyond(rec.release.revision, foreign.Number), Nonce: random()}
	if err := draw(ctx, rec.tx, rec.release.id, pair, rec.now); err != nil {
		return err
	}
	if err := raiseGeneration(ctx, rec.tx, rec.release.id); err != nil {
		return err
	}
	return rec.advanceOthers(ctx)
}

// endRebuild draws the next revision if rows became other ones, so that everybody looks at them again.
func (rec *recovery) endRebuild(ctx context.Context) error {
	if rec.counts == (Recovered{}) {
		return nil
	}
	if _, err := advance(ctx, rec.tx, rec.release.id, rec.now); err != nil {
		return err
	}
	if err := raiseGeneration(ctx, rec.tx, rec.release.id); err != nil {
		return err
	}
	return rec.advanceOthers(ctx)
}

// advanceOthers draws a revision for the other releases that show what changed.
func (rec *recovery) advanceOthers(ctx context.Context) error {
	for _, other := range rec.others {
		if !rec.shared || !shows(other.arch, layout.Noarch) {
			continue
		}
		if _, err := advance(ctx, rec.tx, other.id, rec.now); err != nil {
			return err
		}
		if err := raiseGeneration(ctx, rec.tx, other.id); err != nil {
			return err
		}
	}
	return nil
}
