package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"repomill/schemas/catalog"
)

// advance draws a new revision and nonce for a release, by steps above the present one, and keeps the pair.
func advance(ctx context.Context, tx *sql.Tx, release, steps int64, now time.Time) (int64, error) {
	nonce := random()
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET revision = revision + ?, nonce = ? WHERE id = ?`, steps, nonce, release); err != nil {
		return 0, err
	}
	var revision int64
	if err := tx.QueryRowContext(ctx, `SELECT revision FROM releases WHERE id = ?`, release).Scan(&revision); err != nil {
		return 0, err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO publications (release_id, revision, nonce, drawn_at) VALUES (?, ?, ?, ?)`, release, revision, nonce, millis(now))
	return revision, err
}

// releaseColumns and scanRelease read a release with its revision; the tables are r, d and p.
const (
	releaseColumns = `p.owner, p.name, d.os, d.version, r.arch, r.revision, r.nonce, r.published_revision`
	releaseTables  = `releases r JOIN distributions d ON d.id = r.distribution_id JOIN repositories p ON p.id = d.repository_id`
	releaseKey     = `p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`
)

// A ReleaseState is a release with where it stands.
type ReleaseState struct {
	Release   catalog.Release
	Revision  catalog.Revision // of the rows
	Published int64            // the newest revision that clients see; 0 if none
	Since     *time.Time       // when that was published; only from [DB.Releases]
	Fault     string           // why the last publish came to nothing; likewise
}

func scanRelease(scan func(...any) error) (ReleaseState, error) {
	var s ReleaseState
	r := &s.Release
	err := scan(&r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch,
		&s.Revision.Number, &s.Revision.Nonce, &s.Published)
	return s, err
}

func distributionArgs(r catalog.Release) []any {
	return []any{r.Repository.Owner, r.Repository.Name, r.Distribution.OS, r.Distribution.Version}
}

// Releases returns all releases, in order.
func (d *DB) Releases(ctx context.Context) ([]ReleaseState, error) {
	return collect(ctx, d.read, func(scan func(...any) error) (ReleaseState, error) {
		var since sql.NullInt64
		var fault string
		s, err := scanRelease(func(dest ...any) error { return scan(append(dest, &since, &fault)...) })
		s.Since, s.Fault = optional(since), fault
		return s, err
	}, `SELECT `+releaseColumns+`, u.published_at, r.fault FROM `+releaseTables+`
		LEFT JOIN publications u ON u.release_id = r.id AND u.revision = r.published_revision
		ORDER BY p.owner, p.name, d.os, d.version, r.arch`)
}

// Count returns how many packages a release shows.
func (d *DB) Count(ctx context.Context, r catalog.Release) (int, error) { return count(ctx, d.read, r) }

func count(ctx context.Context, q querier, r catalog.Release) (n int, err error) {
	where, args := shown(r)
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+packageTables+` WHERE `+where, args...).Scan(&n)
	return n, err
}

// Unpublished returns the releases whose rows are ahead of what clients see, in order.
func (d *DB) Unpublished(ctx context.Context) ([]catalog.Release, error) {
	states, err := collect(ctx, d.read, scanRelease,
		`SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE r.revision > r.published_revision ORDER BY p.owner, p.name, d.os, d.version, r.arch`)
	releases := make([]catalog.Release, len(states))
	for i, s := range states {
		releases[i] = s.Release
	}
	return releases, err
}

// Drew reports whether this catalog ever drew a pair for a release. If it did not, somebody else
// published it, or this catalog was restored from an old copy.
func (d *DB) Drew(ctx context.Context, r catalog.Release, pair catalog.Revision) (bool, error) {
	var n int
	err := d.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+releaseTables+` JOIN publications u ON u.release_id = r.id
		WHERE `+releaseKey+` AND r.arch = ? AND u.revision = ? AND u.nonce = ?`,
		append(distributionArgs(r), r.Arch, pair.Number, pair.Nonce)...).Scan(&n)
	return n > 0, err
}

// A Snapshot is one consistent view of a release: its revision, its repository's settings and its rows.
type Snapshot struct {
	Release   catalog.Release
	Revision  catalog.Revision
	Published int64 // the newest revision that the catalog knows to be visible
	Settings  catalog.Settings

	tx *sql.Tx
}

// Snapshot opens a view of a release. The caller closes it.
func (d *DB) Snapshot(ctx context.Context, r catalog.Release) (*Snapshot, error) {
	tx, err := d.views.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", r, err)
	}
	s := &Snapshot{Release: r, tx: tx}
	state, err := scanRelease(tx.QueryRowContext(ctx, `SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?`,
		append(distributionArgs(r), r.Arch)...).Scan)
	if err == nil {
		s.Revision, s.Published = state.Revision, state.Published
		s.Settings, err = settings(ctx, tx, r.Repository)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		tx.Rollback() //nolint:errcheck // a read
		return nil, fmt.Errorf("snapshot %s: %w", r, err)
	}
	return s, nil
}

// Close ends the view.
func (s *Snapshot) Close() error { return s.tx.Rollback() }

// Count returns how many packages [Snapshot.Packages] will yield.
func (s *Snapshot) Count(ctx context.Context) (int, error) { return count(ctx, s.tx, s.Release) }

// Packages returns the active rows that the release shows, in sort-key order, with their fragments.
// A package is valid until the next one is asked for.
func (s *Snapshot) Packages(ctx context.Context) iter.Seq2[catalog.Package, error] {
	return packages(ctx, s.tx, s.Release, true)
}

// Publish records that clients see a revision of a release, and finishes the uploads that waited for
// nothing else.
func (d *DB) Publish(ctx context.Context, r catalog.Release, revision int64, now time.Time) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		var id int64
		err := tx.QueryRowContext(ctx, `SELECT r.id FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?`,
			append(distributionArgs(r), r.Arch)...).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE releases SET published_revision = ?, fault = '' WHERE id = ? AND published_revision < ?`, revision, id, revision); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE publications SET published_at = ? WHERE release_id = ? AND revision = ? AND published_at IS NULL`, millis(now), id, revision); err != nil {
			return err
		}
		return finish(ctx, tx, id, now)
	})
	if err != nil {
		return fmt.Errorf("record publication of %s: %w", r, err)
	}
	return nil
}

// Fault records why a publish of a release came to nothing, for people. The next one that succeeds clears it.
func (d *DB) Fault(ctx context.Context, r catalog.Release, why string) error {
	_, err := d.write.ExecContext(ctx, `UPDATE releases SET fault = ? WHERE id IN (SELECT r.id FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?)`,
		append(append([]any{why}, distributionArgs(r)...), r.Arch)...)
	return err
}

// finish gives their outcome to the stored uploads that waited for a release and now wait for none.
func finish(ctx context.Context, tx *sql.Tx, release int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE uploads SET state = outcome, finished_at = ?
		WHERE state = ?
		AND id IN (SELECT upload_id FROM upload_releases WHERE release_id = ?)
		AND NOT EXISTS (SELECT 1 FROM upload_releases w JOIN releases r ON r.id = w.release_id
			WHERE w.upload_id = uploads.id AND w.revision > r.published_revision)`,
		millis(now), catalog.Stored, release)
	return err
}
