package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
)

// A PageSnapshot is a kept snapshot as pages say it: nothing of who took it, and why.
type PageSnapshot struct {
	catalog.Snapshot // its number, target, identifier, name and times
	Changes          []PageSnapshotChange
}

// A PageSnapshotChange is what came into a release and went out of it between two snapshots.
type PageSnapshotChange struct {
	Known      bool // false of the first snapshot of the release, and after a loss of the catalog
	Came, Went int  // packages
}

// PageSnapshots returns some of the kept snapshots of a repository, in the order of their times, and how many there are: up to limit behind
// the first offset ones. Each has its releases, and for each of them the change since the snapshot of that release before it. All is read
// in one transaction. The error wraps [ErrNotFound] for an unknown repository.
func (d *DB) PageSnapshots(ctx context.Context, r catalog.Repository, offset, limit int) (some []PageSnapshot, total int, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		id, err := repositoryID(ctx, q, r)
		if err != nil {
			return err
		}
		if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots WHERE repository_id = ? AND state = ?`, id, catalog.SnapshotKept).Scan(&total); err != nil {
			return err
		}
		all, err := collect(ctx, q, func(scan func(...any) error) (p PageSnapshot, err error) {
			p.Snapshot, err = scanSnapshot(scan)
			p.By, p.Fault = catalog.Actor{}, ""
			return p, err
		}, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE s.repository_id = ? AND s.state = ? ORDER BY s.ident LIMIT ? OFFSET ?`, id, catalog.SnapshotKept, limit, offset)
		if err == nil {
			err = addChanges(ctx, q, id, all)
		}
		some = all
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read the snapshots of %s for their pages: %w", r, err)
	}
	return some, total, err
}

// A keptRelease is a release of a snapshot. The revision before it is that of the snapshot before; 0 if there is none.
type keptRelease struct {
	catalog.SnapshotRelease
	snapshot, id int64 // rows
	exact        bool  // it is known which packages the revision has
	before       int64
	changes      int // their index in the snapshot
}

// addChanges adds their releases to snapshots, which are in order, and what changed in them.
func addChanges(ctx context.Context, q querier, repository int64, all []PageSnapshot) error {
	if len(all) == 0 {
		return nil
	}
	releases, err := keptReleases(ctx, q, all)
	if err != nil {
		return err
	}
	last := map[int64]keptRelease{} // by release
	var pairs []*keptRelease
	for i := range all {
		for _, one := range releases[all[i].Number] {
			was, seen := last[one.id]
			if !seen {
				if was, err = keptBefore(ctx, q, repository, all[0].ID, one.id); err != nil {
					return err
				}
			}
			last[one.id] = *one
			change := PageSnapshotChange{Known: was.exact && one.exact && was.Revision > 0 && was.Revision <= one.Revision}
			one.before, one.changes = was.Revision, len(all[i].Changes)
			all[i].Releases, all[i].Changes = append(all[i].Releases, one.SnapshotRelease), append(all[i].Changes, change)
			if change.Known && was.Revision < one.Revision {
				pairs = append(pairs, one)
			}
		}
	}
	byNumber := map[int64]*PageSnapshot{}
	for i := range all {
		byNumber[all[i].Number] = &all[i]
	}
	for len(pairs) > 0 {
		n := min(len(pairs), pairsPerStatement)
		if err := countChanges(ctx, q, pairs[:n], func(of *keptRelease) *PageSnapshotChange { return &byNumber[of.snapshot].Changes[of.changes] }); err != nil {
			return err
		}
		pairs = pairs[n:]
	}
	return nil
}

// keptReleases returns the releases of snapshots, by the numbers of those.
func keptReleases(ctx context.Context, q querier, all []PageSnapshot) (map[int64][]*keptRelease, error) {
	releases := map[int64][]*keptRelease{}
	for begin := 0; begin < len(all); begin += maxPerStatement {
		var ids []int64
		for _, s := range all[begin:min(begin+maxPerStatement, len(all))] {
			ids = append(ids, s.Number)
		}
		where, args := in("t.snapshot_id", ids)
		found, err := collect(ctx, q, func(scan func(...any) error) (*keptRelease, error) {
			var one keptRelease
			k := &one.Release
			return &one, scan(&one.snapshot, &one.id, &k.Repository.Owner, &k.Repository.Name, &k.Distribution.OS, &k.Distribution.Version, &k.Arch, &one.Revision, &one.Packages, &one.exact)
		}, `SELECT t.snapshot_id, t.release_id, p.owner, p.name, d.os, d.version, r.arch, t.revision, t.packages, t.came_until = t.revision AND t.went_after = t.revision
			FROM snapshot_releases t JOIN releases r ON r.id = t.release_id JOIN distributions d ON d.id = r.distribution_id JOIN repositories p ON p.id = d.repository_id
			WHERE `+where+releaseOrder, args...)
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			releases[one.snapshot] = append(releases[one.snapshot], one)
		}
	}
	return releases, nil
}

// keptBefore returns a release as the last snapshot before an identifier has it; the zero one if none has.
func keptBefore(ctx context.Context, q querier, repository int64, ident string, release int64) (was keptRelease, err error) {
	found, err := collect(ctx, q, func(scan func(...any) error) (one keptRelease, err error) {
		return one, scan(&one.Revision, &one.exact)
	}, `SELECT t.revision, t.came_until = t.revision AND t.went_after = t.revision FROM snapshots s JOIN snapshot_releases t ON t.snapshot_id = s.id AND t.release_id = ?
		WHERE s.repository_id = ? AND s.state = ? AND s.ident < ? ORDER BY s.ident DESC LIMIT 1`, release, repository, catalog.SnapshotKept, ident)
	if len(found) > 0 {
		was = found[0]
	}
	return was, err
}

// pairsPerStatement bounds the states of releases that are compared by one query.
const pairsPerStatement = 50

// countChanges counts what clients see in each release of snapshots, and not in the one before, and the other way round. The cost is that
// of what changed between the two.
func countChanges(ctx context.Context, q querier, pairs []*keptRelease, to func(*keptRelease) *PageSnapshotChange) error {
	var rows []string
	var args []any
	for i, one := range pairs {
		rows, args = append(rows, `SELECT ? AS n, ? AS r, ? AS a, ? AS b`), append(args, i, one.id, one.before, one.Revision)
	}
	const shown = `EXISTS (SELECT 1 FROM visibility o WHERE o.release_id = v.release_id AND o.package_id = v.package_id AND o.came <= `
	_, err := collect(ctx, q, func(scan func(...any) error) (_ struct{}, err error) {
		var n, came, went int
		if err := scan(&n, &came, &went); err != nil {
			return struct{}{}, err
		}
		c := to(pairs[n])
		c.Came, c.Went = came, went
		return struct{}{}, nil
	}, `SELECT x.n,
		(SELECT COUNT(*) FROM visibility v WHERE v.release_id = x.r AND v.came > x.a AND v.came <= x.b AND (v.went IS NULL OR v.went > x.b)
			AND NOT `+shown+`x.a AND (o.went IS NULL OR o.went > x.a))),
		(SELECT COUNT(*) FROM visibility v WHERE v.release_id = x.r AND v.went > x.a AND v.went <= x.b AND v.came <= x.a
			AND NOT `+shown+`x.b AND (o.went IS NULL OR o.went > x.b)))
		FROM (`+strings.Join(rows, ` UNION ALL `)+`) x`, args...)
	return err
}
