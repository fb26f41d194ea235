package catalogdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"repomill/schemas/catalog"
)

// checkRecovered returns an error for a row that is not published in a release.
func checkRecovered(r catalog.Release, k catalog.Package) error {
	if k.Repository != r.Repository || k.Distribution != r.Distribution || !shows(r.Arch, dirOf(k)) ||
		k.State != catalog.Active && (k.State != catalog.Yanked || k.Yank == nil) {
		return fmt.Errorf("%s %s %s, %s in %s %s, is not a row of this release", k.Name, k.Version, k.Arch, k.State, k.Repository, k.Distribution)
	}
	return nil
}

// recoverRow imports one row.
func (rec *recovery) recoverRow(ctx context.Context, k catalog.Package) error {
	evicted, err := rec.evict(ctx, k)
	if err == nil && k.State == catalog.Active {
		err = rec.replaceOthers(ctx, k)
	}
	if err != nil {
		return err
	}
	rec.counts.Replaced += evicted
	holder, id, err := find(ctx, rec.tx, k)
	if err == nil && k.Multilib != holder.Multilib {
		k, err = rec.mergeMultilib(ctx, id, k)
	}
	if errors.Is(err, ErrNotFound) {
		if id, err = rec.insert(ctx, k); err != nil {
			return err
		}
		rec.counts.Inserted++
		return rec.recordChange(ctx, id, k)
	}
	if err == nil && holder.State == k.State {
		err = rec.restoreAsked(ctx, id, k)
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
	case holder.State == k.State && k.State == catalog.Active && (rec.rebuild || rec.otherPhase(id, k)):
		restored, err := rec.restoreFragments(ctx, id, k)
		if err != nil || !restored {
			return err
		}
		rec.counts.Replaced++
	case holder.State == k.State:
		return nil
	case k.State == catalog.Active:
		if err = rec.write(ctx, id, k); err == nil { // with fragments, which the record of a yank has not
			err = rec.endHeld(ctx, id)
		}
		rec.counts.Inserted++
	default:
		err = yank(ctx, rec.tx, id, *k.Yank, rec.now)
		rec.counts.Yanked++
	}
	if err != nil {
		return err
	}
	return rec.recordChange(ctx, id, k)
}

// evict deletes the rows of other components that have other bytes than a published package of the same name,
// version and architecture: they were never published, and no client can have both. It rejects the uploads that wait
// for them, and returns how many rows it deleted.
func (rec *recovery) evict(ctx context.Context, k catalog.Package) (evicted int, err error) {
	if k.Variant != "" { // see replaceOthers
		return 0, nil
	}
	rows, err := namesakes(ctx, rec.tx, k)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if row.pkg.File.SHA256 == k.File.SHA256 {
			continue
		}
		rej := conflict(k.Name+" "+k.Version+" "+k.Arch, row.pkg.File.SHA256, k.File.SHA256)
		if err := rejectWaiting(ctx, rec.tx, row.id, *rej, rec.now); err != nil {
			return evicted, err
		}
		if err := dropContents(ctx, rec.tx, row.id); err != nil {
			return evicted, err
		}
		if err := rec.tx.askPagesOf(ctx, row.id, rec.now); err != nil {
			return evicted, err
		}
		for _, query := range []string{
			`UPDATE uploads SET package_id = NULL WHERE package_id = ?`, `DELETE FROM visibility WHERE package_id = ?`,
			`DELETE FROM promotions WHERE package_id = ?`, `DELETE FROM unyanks WHERE package_id = ?`, `DELETE FROM downloads WHERE package_id = ?`, `DELETE FROM packages WHERE id = ?`,
		} {
			if _, err := rec.tx.ExecContext(ctx, query, row.id); err != nil {
				return evicted, err
			}
		}
		if err := replaceNeeds(ctx, rec.tx, rec.distribution, row.id, nil); err != nil {
			return evicted, err
		}
		evicted++
	}
	return evicted, nil
}

// replaceOthers withdraws what is active here with other bytes than a published package of a mutable repository: no client can have both.
func (rec *recovery) replaceOthers(ctx context.Context, k catalog.Package) error {
	others, err := otherBytes(ctx, rec.tx, k)
	if err != nil || len(others) == 0 {
		return err
	}
	if _, _, err := replaceOthers(ctx, rec.tx, k, catalog.Pusher{}, others, nil, rec.now); err != nil {
		return err
	}
	for _, row := range others {
		rec.counts.Yanked++
		row.pkg.State = catalog.Yanked
		if err := rec.recordChange(ctx, row.id, row.pkg); err != nil {
			return err
		}
	}
	return nil
}

// mergeMultilib decides in which directories a package for 32-bit x86 is, if the catalog and what was published
// disagree: the release of x86_64 shows that it is in both, that of i386 does not show that it is not.
func (rec *recovery) mergeMultilib(ctx context.Context, id int64, k catalog.Package) (catalog.Package, error) {
	if !k.Multilib {
		k.Multilib = true
		return k, nil
	}
	_, err := rec.tx.ExecContext(ctx, `UPDATE packages SET dir = ? WHERE id = ?`, multilib, id)
	return k, err
}

// pending reports whether a package was yanked here, or brought back, later than what was published shows. If this
// catalog issued the published revision, revisions decide. A foreign revision shows only that no own publish had the
// change. Then a yank counts as later, because it cannot do harm, and an unyank if it is later than the published
// withdrawal. A package that was pushed and not published yet is older than its withdrawal in any case.
func (rec *recovery) pending(ctx context.Context, id int64, holder, k catalog.Package) (bool, error) {
	if holder.State == k.State || holder.State != catalog.Yanked && holder.State != catalog.Active || rec.next == 0 && holder.Replaced() {
		return false, nil // what replaced it here did not know of the published revision
	}
	n, err := scanID(rec.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM visibility WHERE package_id = ? AND release_id = ? AND (came > ? OR went > ?)`,
		id, rec.release.id, rec.read, rec.read).Scan)
	if err != nil || n == 0 || holder.State == catalog.Yanked {
		return n > 0, err
	}
	var back sql.NullInt64
	if err := rec.tx.QueryRowContext(ctx, `SELECT MAX(at) FROM unyanks WHERE package_id = ?`, id).Scan(&back); err != nil {
		return false, err
	}
	return back.Valid && (rec.next != 0 || back.Int64 >= millis(k.Yank.At)), nil
}

// keepYank returns the published package with the state of a row that was yanked here.
func keepYank(holder, k catalog.Package) catalog.Package {
	k.State, k.Yank = holder.State, holder.Yank
	return k
}

// endHeld ends the uploads that are held with the bytes of a package which was published: staging has those of its train once more.
func (rec *recovery) endHeld(ctx context.Context, id int64) error {
	_, err := rec.tx.ExecContext(ctx, `UPDATE uploads SET state = ?, detail = '', finished_at = ? WHERE package_id = ? AND state = ?`, catalog.Duplicate, millis(rec.now), id, catalog.Held)
	return err
}

func (rec *recovery) insert(ctx context.Context, k catalog.Package) (int64, error) {
	fragments, err := packAll(k)
	if err != nil {
		return 0, err
	}
	return insertPackage(ctx, rec.tx, rec.distribution, k, fragments)
}

// replace makes a row what was published. It rejects an upload that waits for the row with other bytes, which no
// client can install.
func (rec *recovery) replace(ctx context.Context, id int64, holder, k catalog.Package) error {
	if holder.File.SHA256 == k.File.SHA256 {
		k.Signer = holder.Signer // no index has it
	} else if err := dropContents(ctx, rec.tx, id); err != nil {
		return err
	}
	err := rec.write(ctx, id, k)
	if err == nil && holder.File.SHA256 == k.File.SHA256 {
		err = rec.endHeld(ctx, id)
	}
	if err != nil || holder.File.SHA256 == k.File.SHA256 {
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
	_, err = rec.tx.ExecContext(ctx, `UPDATE packages SET component = ?, name = ?, version = ?, canonical = ?, arch = ?, variant = ?, dir = ?, sort_key = ?, object_key = ?, file = ?,
			size = ?, sha256 = ?, md5 = ?, uploaded_at = ?, state = ?, pushed_by = ?, pushed_job = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, signer = ?, source = ?, phase = ?, embargo = ?,
			stanza = ?, primary_xml = ?, filelists_xml = ?, other_xml = ?, removed = 0 WHERE id = ?`, append(facts(k, fragments), id)...)
	if err == nil {
		err = replaceNeeds(ctx, rec.tx, rec.distribution, id, k.Needs)
	}
	return err
}

// restoreFragments gives a row the fragments that were published, and reports whether it had others.
func (rec *recovery) restoreFragments(ctx context.Context, id int64, k catalog.Package) (restored bool, err error) {
	fragments, err := packAll(k)
	if err != nil {
		return false, err
	}
	args := append(slices.Clone(fragments), sourceColumn(k.Stanza), phaseColumn(k.Stanza), id)
	for _, f := range fragments {
		if f == nil {
			f = []byte{}
		}
		args = append(args, f)
	}
	res, err := rec.tx.ExecContext(ctx, `UPDATE packages SET stanza = ?, primary_xml = ?, filelists_xml = ?, other_xml = ?, source = ?, phase = ? WHERE id = ?
		AND (COALESCE(stanza, x'') <> ? OR COALESCE(primary_xml, x'') <> ? OR COALESCE(filelists_xml, x'') <> ? OR COALESCE(other_xml, x'') <> ?)`, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err == nil && n > 0 {
		err = replaceNeeds(ctx, rec.tx, rec.distribution, id, k.Needs)
	}
	return n > 0, err
}

// recordShown records that clients see a row already, and that it is not known since when.
func (rec *recovery) recordShown(ctx context.Context, id int64) error {
	release, published := rec.release.id, rec.release.published
	shown, err := scanID(rec.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM visibility WHERE release_id = ? AND package_id = ? AND went IS NULL`, release, id).Scan)
	if err != nil {
		return err
	}
	if shown > 0 {
		_, err := rec.tx.ExecContext(ctx, `UPDATE visibility SET came_at = COALESCE(came_at, 0) WHERE release_id = ? AND package_id = ? AND went IS NULL`, release, id)
		return err
	}
	_, err = rec.tx.ExecContext(ctx, `UPDATE visibility SET went = NULL, went_at = NULL, came_at = COALESCE(came_at, 0)
		WHERE release_id = ? AND package_id = ? AND came = ?`, release, id, published)
	if err != nil {
		return err
	}
	_, err = rec.tx.ExecContext(ctx, `INSERT INTO visibility (release_id, package_id, came, came_at) SELECT ?, id, ?, 0 FROM packages
		WHERE id = ? AND NOT EXISTS (SELECT 1 FROM visibility v WHERE v.release_id = ? AND v.package_id = ? AND v.came = ?)`,
		release, published, id, release, id, published)
	return err
}

// recordWithdrawn records that clients saw a row, and do not any more, and that it is not known when that was.
func (rec *recovery) recordWithdrawn(ctx context.Context, id int64) error {
	after := rec.release.published + 1
	_, err := rec.tx.ExecContext(ctx, `UPDATE visibility SET went = CASE WHEN came > ? THEN came ELSE ? END, went_at = 0, came_at = COALESCE(came_at, 0)
		WHERE release_id = ? AND package_id = ? AND went IS NULL`, after, after, rec.release.id, id)
	if err != nil {
		return err
	}
	_, err = rec.tx.ExecContext(ctx, `INSERT INTO visibility (release_id, package_id, came, went, came_at, went_at) SELECT ?, id, 0, 0, 0, 0 FROM packages
		WHERE id = ? AND NOT EXISTS (SELECT 1 FROM visibility v WHERE v.release_id = ? AND v.package_id = ?)`, rec.release.id, id, rec.release.id, id)
	return err
}

// recordChange records that a row joined, or left, this release with revision rec.next, and others with their
// next revision.
func (rec *recovery) recordChange(ctx context.Context, id int64, k catalog.Package) error {
	var err error
	switch {
	case rec.next > 0:
		err = recordVisibility(ctx, rec.tx, rec.release.id, rec.next, []int64{id})
	case k.State == catalog.Active:
		err = rec.recordShown(ctx, id)
	default:
		err = rec.recordWithdrawn(ctx, id)
	}
	if err != nil {
		return err
	}
	for _, other := range rec.others {
		if !shows(other.arch, dirOf(k)) {
			continue
		}
		rec.shared = true
		if err := recordVisibility(ctx, rec.tx, other.id, other.revision+1, []int64{id}); err != nil {
			return err
		}
	}
	return nil
}
