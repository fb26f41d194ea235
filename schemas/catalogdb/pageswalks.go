package catalogdb

import (
	"context"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// beginWalk makes all names of a release to be queued: it has no cursor yet, what it shows was imported, or it was retired. Imported
// rows wait for the next publication: until then some may count as unseen that clients see. Rows that come and go while its
// names are queued have later revisions than the one that is published now.
func (d *DB) beginWalk(ctx context.Context, c pageCursor, now time.Time) (pageCursor, error) {
	at := millis(now)
	if !c.known && c.publishedAt.Valid {
		at = c.publishedAt.Int64
	}
	after := c
	after.known, after.was, after.gone, after.revision, after.pkg = true, c.generation, c.retired, c.published, 0
	after.walking, after.whole, after.at, after.next = true, c.known, at, ""
	args := []any{c.generation, c.retired, after.revision, after.whole, after.at, c.release}
	return after, d.tx(ctx, func(tx *transaction) error {
		n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM page_cursors WHERE release_id = ?`, c.release).Scan)
		if err == nil && n == 0 {
			_, err = tx.ExecContext(ctx, `INSERT INTO page_cursors (generation, retired, revision, whole, requested_at, release_id, walking) VALUES (?, ?, ?, ?, ?, ?, 1)`, args...)
		} else if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE page_cursors SET generation = ?, retired = ?, revision = ?, package_id = 0, walking = 1, whole = ?, requested_at = ?, next_name = ''
				WHERE release_id = ? AND (generation <> ? OR retired <> ?)`, append(args, c.generation, c.retired)...)
		}
		return err
	})
}

// keepPages keeps the pages of a release as they are, whose rows are the same in its next generation.
func (tx *transaction) keepPages(ctx context.Context, release int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE page_cursors SET generation = generation + 1
		WHERE release_id = ? AND generation = (SELECT generation FROM releases WHERE id = ?)`, release, release)
	return err
}

// walkRelease requests the pages of the next names of a release.
func (d *DB) walkRelease(ctx context.Context, c pageCursor, limit int) (int, error) {
	found, err := d.pageNamesBehind(ctx, c.distribution, c.next, limit, dirsOf(c.arch))
	if err != nil {
		return 0, err
	}
	next := ""
	if len(found) == limit {
		next = found[limit-1].name
	}
	var names []string
	for _, n := range found {
		if n.shown {
			names = append(names, n.name)
		}
	}
	return len(found), d.tx(ctx, func(tx *transaction) error {
		moved, err := tx.moved(ctx, `UPDATE page_cursors SET walking = ?, next_name = ? WHERE release_id = ? AND walking = 1 AND next_name = ? AND generation = ? AND retired = ?`,
			next != "", next, c.release, c.next, c.was, c.gone)
		if err != nil || !moved {
			return err
		}
		return tx.askPages(ctx, c.repository, asksOf(names, c.at, c.whole)...)
	})
}

func asksOf(names []string, at int64, whole bool) []pageAsk {
	asks := make([]pageAsk, len(names))
	for i, name := range names {
		asks[i] = pageAsk{name: name, at: at, whole: whole}
	}
	return asks
}

// A foundName is a name of packages of a distribution.
type foundName struct {
	name  string
	shown bool // there is a package of it in the directories that were asked for
}

func scanName(scan func(...any) error) (name string, err error) { return name, scan(&name) }

// pageNamesBehind returns the next names of the packages of a distribution, in order. It reads the index of identities, and one row
// or a few of each name.
func (d *DB) pageNamesBehind(ctx context.Context, distribution int64, behind string, limit int, dirs []string) ([]foundName, error) {
	where, args := in("k.dir", dirs)
	args = append(append([]any{distribution, catalog.Active, catalog.Yanked}, args...), distribution, behind, limit)
	return list(ctx, d, func(scan func(...any) error) (n foundName, err error) { return n, scan(&n.name, &n.shown) },
		`SELECT n.name, EXISTS (SELECT 1 FROM packages k WHERE k.distribution_id = ? AND k.name = n.name AND CASE WHEN k.state IN (?, ?) AND `+where+` THEN 1 ELSE 0 END = 1)
		FROM (SELECT name FROM packages WHERE distribution_id = ? AND name > ? GROUP BY name ORDER BY name LIMIT ?) n ORDER BY n.name`, args...)
}

// A pageWalk is a repository all of whose pages are wanted.
type pageWalk struct {
	repository           int64
	wanted, walk, queued int64
	next                 string
}

// queueWhole requests the next pages of repositories all of whose pages are wanted.
func (d *DB) queueWhole(ctx context.Context, limit int, now time.Time) (queued int, err error) {
	walks, err := list(ctx, d, func(scan func(...any) error) (w pageWalk, err error) {
		return w, scan(&w.repository, &w.wanted, &w.walk, &w.queued, &w.next)
	}, `SELECT repository_id, wanted, walk, queued, next_name FROM page_states WHERE queued <> wanted ORDER BY repository_id`)
	if err != nil {
		return 0, err
	}
	for _, w := range walks {
		n, err := d.walkRepository(ctx, w, limit, now)
		if err != nil {
			return queued, err
		}
		queued += n
	}
	return queued, nil
}

// walkRepository requests the pages of the next names of a repository. All that was wanted before its first name is done with
// its last one.
func (d *DB) walkRepository(ctx context.Context, w pageWalk, limit int, now time.Time) (int, error) {
	names, err := d.repositoryNames(ctx, w, limit)
	if err != nil {
		return 0, err
	}
	walk, queued, next := w.walk, w.queued, ""
	if walk == queued {
		walk = w.wanted
	}
	if len(names) < limit {
		queued = walk
	} else {
		next = names[limit-1]
	}
	err = d.tx(ctx, func(tx *transaction) error {
		moved, err := tx.moved(ctx, `UPDATE page_states SET walk = ?, queued = ?, next_name = ? WHERE repository_id = ? AND walk = ? AND queued = ? AND next_name = ?`,
			walk, queued, next, w.repository, w.walk, w.queued, w.next)
		if err != nil || !moved {
			return err
		}
		return tx.askPages(ctx, w.repository, asksOf(names, millis(now), true)...)
	})
	return max(len(names), 1), err // the first one of the next walk may wait
}

// repositoryNames returns the next names of a repository: those of its rows, be they seen or not, and those that its list has.
func (d *DB) repositoryNames(ctx context.Context, w pageWalk, limit int) ([]string, error) {
	distributions, err := list(ctx, d, scanID, `SELECT id FROM distributions WHERE repository_id = ?`, w.repository)
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, d, scanName, `SELECT name FROM page_names WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?`, w.repository, w.next, limit)
	for _, id := range distributions {
		if err != nil {
			return nil, err
		}
		var some []string
		some, err = list(ctx, d, scanName, `SELECT name FROM packages WHERE distribution_id = ? AND name > ? GROUP BY name ORDER BY name LIMIT ?`, id, w.next, limit)
		all = append(all, some...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), limit)], err
}
