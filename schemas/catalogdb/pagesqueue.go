package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// QueuePages requests the pages of what was published since it was called last, and of all that is asked for: it reads what came
// and went in each release behind a cursor, and the names of releases and repositories whose pages are all to be made. It
// makes the front pages due of up to limit repositories whose settings or keys have changed. Each release, and each repository
// all of whose pages are asked for, advances by at most limit rows, in a transaction of its own. It returns how many rows it read: call
// it again until it returns 0.
//
// With nothing to do it is three queries, however many releases there are. Several processes may call it at a time.
func (d *DB) QueuePages(ctx context.Context, limit int, now time.Time) (queued int, err error) {
	n, err := d.queueChanges(ctx, limit, now)
	if err == nil {
		queued += n
		n, err = d.queueReleases(ctx, limit, now)
	}
	if err == nil {
		queued += n
		n, err = d.queueWhole(ctx, limit, now)
	}
	if err != nil {
		return queued, fmt.Errorf("find pages to be made: %w", err)
	}
	return queued + n, nil
}

// A pageSettings is what a front page depends on, besides packages.
type pageSettings struct {
	repository int64
	visibility string
	settings   int64
	given      string
	keys       int64
}

// queueChanges finds repositories whose settings or keys differ from those of their front pages. If the visibility differs, or
// an earlier version of the program has made the pages, all pages are wanted.
func (d *DB) queueChanges(ctx context.Context, limit int, now time.Time) (int, error) {
	changed, err := list(ctx, d, func(scan func(...any) error) (s pageSettings, err error) {
		return s, scan(&s.repository, &s.visibility, &s.settings, &s.given, &s.keys)
	}, `SELECT p.id, p.visibility, p.settings_revision, p.given_keys, l.revision
		FROM repositories p CROSS JOIN (SELECT COALESCE(MAX(revision), 0) AS revision FROM key_list) l LEFT JOIN page_states s ON s.repository_id = p.id
		WHERE p.removed = 0 AND (s.repository_id IS NULL OR s.visibility <> p.visibility OR s.settings_revision <> p.settings_revision OR s.given_keys <> p.given_keys
			OR s.key_list <> l.revision OR s.renderer < ?) ORDER BY p.id LIMIT ?`, layout.PagesRenderer, limit)
	if err != nil || len(changed) == 0 {
		return 0, err
	}
	return len(changed), d.tx(ctx, func(tx *transaction) error {
		for _, s := range changed {
			if err := tx.ensurePageState(ctx, s.repository); err != nil {
				return err
			}
			if err := tx.askForSettings(ctx, s, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// askForSettings asks for what settings and keys change, unless another process has.
func (tx *transaction) askForSettings(ctx context.Context, s pageSettings, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE page_states SET wanted = wanted + CASE WHEN visibility <> '' AND visibility <> ? OR renderer < ? THEN 1 ELSE 0 END,
			`+frontAsked+`, visibility = ?, settings_revision = ?, given_keys = ?, key_list = ?, renderer = CASE WHEN renderer < ? THEN ? ELSE renderer END
		WHERE repository_id = ? AND (visibility <> ? OR settings_revision <> ? OR given_keys <> ? OR key_list <> ? OR renderer < ?)`,
		s.visibility, layout.PagesRenderer, millis(now), s.visibility, s.settings, s.given, s.keys, layout.PagesRenderer, layout.PagesRenderer,
		s.repository, s.visibility, s.settings, s.given, s.keys, layout.PagesRenderer)
	return err
}

// A pageCursor is a release whose pages are behind, and what was queued of them.
type pageCursor struct {
	release, distribution, repository int64
	arch                              string
	published, generation             int64 // of the release
	retired                           bool
	publishedAt                       sql.NullInt64

	known    bool // there is a cursor; it is:
	was      int64
	gone     bool
	revision int64
	pkg      int64
	walking  bool
	whole    bool
	at       int64
	next     string
}

// pageCursors returns the releases whose pages are behind.
func (d *DB) pageCursors(ctx context.Context) ([]pageCursor, error) {
	return list(ctx, d, func(scan func(...any) error) (c pageCursor, err error) {
		return c, scan(&c.release, &c.distribution, &c.repository, &c.arch, &c.published, &c.generation, &c.retired, &c.publishedAt,
			&c.known, &c.was, &c.gone, &c.revision, &c.pkg, &c.walking, &c.whole, &c.at, &c.next)
	}, `SELECT r.id, d.id, d.repository_id, r.arch, r.published_revision, r.generation, r.retired <> 0,
			(SELECT u.published_at FROM publications u WHERE u.release_id = r.id AND u.revision = r.published_revision),
			c.release_id IS NOT NULL, COALESCE(c.generation, 0), COALESCE(c.retired, 0) <> 0, COALESCE(c.revision, 0), COALESCE(c.package_id, 0),
			COALESCE(c.walking, 0) <> 0, COALESCE(c.whole, 0) <> 0, COALESCE(c.requested_at, 0), COALESCE(c.next_name, '')
		FROM releases r JOIN distributions d ON d.id = r.distribution_id LEFT JOIN page_cursors c ON c.release_id = r.id
		WHERE r.published_revision > 0 AND (c.release_id IS NULL AND r.retired = 0
			OR c.walking <> 0 OR c.retired <> r.retired OR c.revision < r.published_revision)
		ORDER BY r.id`)
}

func (d *DB) queueReleases(ctx context.Context, limit int, now time.Time) (queued int, err error) {
	cursors, err := d.pageCursors(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range cursors {
		if !c.known || c.gone != c.retired || c.was != c.generation && c.revision < c.published {
			c, err = d.beginWalk(ctx, c, now)
		}
		n, walked := 0, 0
		if err == nil && c.revision < c.published {
			n, err = d.queueRevisions(ctx, c, limit, now)
		}
		if err == nil && c.walking {
			walked, err = d.walkRelease(ctx, c, limit)
		}
		if err != nil {
			return queued, err
		}
		queued += n + walked
	}
	return queued, nil
}

// A pageTurn is a row that came into a release or went out of it, or got another phase there, with the revision of that.
type pageTurn struct {
	revision, pkg int64
	pageAsk
}

// queueRevisions requests the pages of the next rows that came or went.
func (d *DB) queueRevisions(ctx context.Context, c pageCursor, limit int, now time.Time) (int, error) {
	turns, err := d.pageTurns(ctx, c, limit)
	if err != nil {
		return 0, err
	}
	revision, pkg := c.published, int64(0)
	if len(turns) == limit {
		revision, pkg = turns[limit-1].revision-1, turns[limit-1].pkg
	}
	asks := make([]pageAsk, len(turns))
	for i, t := range turns {
		asks[i] = t.pageAsk
		if t.at == 0 { // recorded by no publication here
			asks[i].at = millis(now)
		}
	}
	return len(turns), d.tx(ctx, func(tx *transaction) error {
		if len(asks) == 0 { // another revision of the same packages
			if err := tx.askFront(ctx, c.repository, now); err != nil {
				return err
			}
		}
		moved, err := tx.moved(ctx, `UPDATE page_cursors SET revision = ?, package_id = ? WHERE release_id = ? AND revision = ? AND package_id = ? AND generation = ?`,
			revision, pkg, c.release, c.revision, c.pkg, c.was)
		if err != nil || !moved {
			return err
		}
		return tx.askPages(ctx, c.repository, slices.Clone(asks)...)
	})
}

// phaseTurns returns the next rows behind a cursor that got another phase, as pageTurns does. Nothing says when clients saw that.
func (d *DB) phaseTurns(ctx context.Context, c pageCursor, limit int) ([]pageTurn, error) {
	if c.arch != "" {
		return nil, nil
	}
	next := c.revision + 1
	return list(ctx, d, func(scan func(...any) error) (t pageTurn, err error) {
		return t, scan(&t.revision, &t.pkg, &t.name, &t.version)
	}, `SELECT f.revision, k.id, k.name, k.version FROM phases f JOIN packages k ON k.distribution_id = f.distribution_id AND k.component = f.component AND k.source = f.source AND k.state = ?
		WHERE f.distribution_id = ? AND f.revision BETWEEN ? AND ? AND (f.revision > ? OR k.id > ?) ORDER BY f.revision, k.id LIMIT ?`,
		catalog.Active, c.distribution, next, c.published, next, c.pkg, limit)
}

// moved executes an UPDATE, and reports whether it found its row: another process may have been faster.
func (tx *transaction) moved(ctx context.Context, query string, args ...any) (bool, error) {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// pageTurns returns the next rows behind a cursor that came or went, in the order of their revisions and ids, without those that were never seen.
func (d *DB) pageTurns(ctx context.Context, c pageCursor, limit int) (turns []pageTurn, err error) {
	next := c.revision + 1
	for _, revision := range []string{`came`, `went`} { // one index range each
		some, err := list(ctx, d, func(scan func(...any) error) (t pageTurn, err error) {
			return t, scan(&t.revision, &t.pkg, &t.name, &t.version, &t.at)
		}, `SELECT v.`+revision+`, v.package_id, k.name, k.version, COALESCE(v.`+revision+`_at, 0) FROM visibility v JOIN packages k ON k.id = v.package_id
			WHERE v.release_id = ? AND v.`+revision+` BETWEEN ? AND ? AND v.came_at IS NOT NULL AND (v.`+revision+` > ? OR v.package_id > ?) ORDER BY v.`+revision+`, v.package_id LIMIT ?`,
			c.release, next, c.published, next, c.pkg, limit)
		if err != nil {
			return nil, err
		}
		turns = append(turns, some...)
	}
	some, err := d.phaseTurns(ctx, c, limit)
	if err != nil {
		return nil, err
	}
	turns = append(turns, some...)
	slices.SortFunc(turns, func(a, b pageTurn) int {
		return cmp.Or(cmp.Compare(a.revision, b.revision), cmp.Compare(a.pkg, b.pkg))
	})
	return turns[:min(len(turns), limit)], nil
}
