package catalogdb

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// recordVisibility records that packages joined a release with a revision or, if they are yanked now, left it. A package that it
// shows already, or does not show any more, stays as it is.
func recordVisibility(ctx context.Context, tx *transaction, release, revision int64, packages []int64) error {
	for some := range slices.Chunk(packages, maxPerStatement) {
		where, ids := in("package_id", some)
		_, err := tx.ExecContext(ctx, `UPDATE visibility SET went = ? WHERE release_id = ? AND went IS NULL AND `+where+`
			AND package_id IN (SELECT id FROM packages WHERE state = ? AND `+inID(some)+`)`,
			append(append([]any{revision, release}, ids...), append([]any{catalog.Yanked}, ids...)...)...)
		if err != nil {
			return err
		}
	}
	return recordJoined(ctx, tx, release, revision, packages)
}

// recordJoined is recordVisibility of packages of which none left.
func recordJoined(ctx context.Context, tx *transaction, release, revision int64, packages []int64) error {
	for some := range slices.Chunk(packages, maxPerStatement) {
		_, ids := in("id", some)
		_, err := tx.ExecContext(ctx, `INSERT INTO visibility (release_id, package_id, came) SELECT ?, k.id, ? FROM packages k
			LEFT JOIN visibility v ON v.release_id = ? AND v.package_id = k.id AND v.went IS NULL WHERE v.package_id IS NULL AND k.state = ? AND k.`+inID(some),
			append([]any{release, revision, release, catalog.Active}, ids...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// inID returns the condition that a column id is one of some.
func inID(some []int64) string {
	where, _ := in("id", some)
	return where
}

// recordChanges issues a revision for each release that changed, and records which packages joined or left with it. It
// returns the revisions by release.
func recordChanges(ctx context.Context, tx *transaction, changes []packageChange, now time.Time) (map[int64]int64, error) {
	revisions, err := issueForChanged(ctx, tx, changes, now)
	if err != nil {
		return nil, err
	}
	joined, others := map[int64][]int64{}, map[int64][]int64{} // packages by release
	for _, c := range changes {
		for _, r := range c.releases {
			switch {
			case c.changed && c.upload != 0: // a package leaves on behalf of no upload
				joined[r.id] = append(joined[r.id], c.pkg)
			case c.changed:
				others[r.id] = append(others[r.id], c.pkg)
			}
		}
	}
	for release, revision := range revisions {
		if err := recordVisibility(ctx, tx, release, revision, others[release]); err != nil {
			return nil, err
		}
		if err := recordJoined(ctx, tx, release, revision, joined[release]); err != nil {
			return nil, err
		}
	}
	return revisions, nil
}

// showAll records that a release which is new, or is there again, shows with a revision all active packages of its directories.
func showAll(ctx context.Context, tx *transaction, release, distribution, revision int64, arch string) error {
	where, dirs := in("k.dir", dirsOf(arch))
	_, err := tx.ExecContext(ctx, `INSERT INTO visibility (release_id, package_id, came) SELECT ?, k.id, ? FROM packages k
		LEFT JOIN visibility v ON v.release_id = ? AND v.package_id = k.id AND v.went IS NULL
		WHERE v.package_id IS NULL AND k.distribution_id = ? AND k.state = ? AND `+where,
		append([]any{release, revision, release, distribution, catalog.Active}, dirs...)...)
	return err
}

// hideAll records that clients are to see nothing of a release any more, from the revision after its latest on.
func hideAll(ctx context.Context, tx *transaction, release int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE visibility SET went = (SELECT revision + 1 FROM releases WHERE id = ?), went_at = CASE WHEN came_at IS NULL THEN NULL ELSE ? END
		WHERE release_id = ? AND went IS NULL`, release, millis(now), release)
	return err
}

// recordSeen records what clients see, and do not see any more, since a revision was published; before was the one before.
func recordSeen(ctx context.Context, tx *transaction, release, before, revision int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE visibility SET came_at = ? WHERE release_id = ? AND came > ? AND came <= ? AND came_at IS NULL AND (went IS NULL OR went > ?)`,
		millis(now), release, before, revision, revision)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE visibility SET went_at = ? WHERE release_id = ? AND went > ? AND went <= ? AND went_at IS NULL AND came_at IS NOT NULL`,
		millis(now), release, before, revision)
	return err
}

// A span is the time in which a release has shown a package. Without a row for it, none of its fields is valid.
type span struct {
	came, went     sql.NullInt64 // revisions
	cameAt, wentAt sql.NullInt64 // when clients saw that; 0 if it is not known
}

// lastSpan joins the last span of a package, the table k, in a release, the table r, as the table v.
const (
	spanColumns = `v.came, v.went, v.came_at, v.went_at`
	lastSpan    = ` LEFT JOIN visibility v ON v.release_id = r.id AND v.package_id = k.id
		AND v.came = (SELECT MAX(m.came) FROM visibility m WHERE m.release_id = r.id AND m.package_id = k.id) `
	// lastSeenSpan is lastSpan of those spans that clients have seen.
	lastSeenSpan = ` LEFT JOIN visibility v ON v.release_id = r.id AND v.package_id = k.id
		AND v.came = (SELECT MAX(m.came) FROM visibility m WHERE m.release_id = r.id AND m.package_id = k.id AND m.came_at IS NOT NULL) `
)

func (s *span) dest() []any { return []any{&s.came, &s.went, &s.cameAt, &s.wentAt} }

// seen reports whether clients see the package.
func (s span) seen() bool { return s.cameAt.Valid && !s.wentAt.Valid }

// gone reports whether clients saw the package, and do not any more.
func (s span) gone() bool { return s.wentAt.Valid }

// turn returns the revision of the last change.
func (s span) turn() int64 { return max(s.came.Int64, s.went.Int64) }

// known returns a time; none if it is not known.
func known(at sql.NullInt64) *time.Time {
	if at.Int64 == 0 {
		return nil
	}
	return optional(at)
}
