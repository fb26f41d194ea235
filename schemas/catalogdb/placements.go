package catalogdb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A Located is what a repository has of the packages that a pattern selects, at one moment.
type Located struct {
	Settings   catalog.Settings
	Releases   []ReleaseState  // of the repository, in order
	Placements []Placement     // in the order of the releases, and there as in indexes
	Others     []OtherVersions // of the same names, that the pattern does not select; by distribution, component, name and architecture
}

// A Placement is a selected package in one of the releases that it belongs to.
type Placement struct {
	Release     catalog.Release
	Package     catalog.Package // without fragments, in any state
	Visible     bool            // clients see it, as far as the catalog knows
	Came, Went  int64           // the revision that showed it first, and the first later one that does not; 0 if there is none
	Since, Till *time.Time      // when clients first saw that it came, and that it went; nil if they did not, or it is not known
	Removed     bool            // its file is deleted, or about to be
	Snapshots   SnapshotCount   // that have it in this release; only for a pattern with a version
	Phase       *int            // the percentage of hosts that upgrade to it; nil for all
}

// A SnapshotCount is how many kept snapshots there are, and the identifiers of the first and the last of them.
type SnapshotCount struct {
	Count          int
	Oldest, Newest string
}

// An OtherVersions is what one component of a distribution has of a name and an architecture besides what a pattern selects.
type OtherVersions struct {
	Place  catalog.Place
	Name   string
	Arch   string
	Newest string // version of the newest active package
	Active int    // how many active packages there are
}

// Locate returns where the packages are that a pattern selects in a repository, in any state, and where their names are without
// them. It is read in one transaction. The error wraps [ErrNotFound] for an unknown repository, and [ErrTooMany].
func (d *DB) Locate(ctx context.Context, r catalog.Repository, p catalog.Pattern) (l Located, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		l = Located{}
		s, err := settings(ctx, q, r)
		if err != nil {
			return err
		}
		l.Settings = s
		releases, err := locatedReleases(ctx, q, r)
		if err != nil {
			return err
		}
		for _, row := range releases {
			l.Releases = append(l.Releases, row.state)
		}
		targets, err := targetDistributions(ctx, q, catalog.PackageTarget{Repository: r})
		if err != nil {
			return err
		}
		var ids []int64
		for _, t := range targets {
			place := catalog.Place{Repository: r, Distribution: t.distribution}
			some, others, err := t.named(ctx, q, place, p)
			if err != nil {
				return err
			}
			ids, l.Others = append(ids, some...), append(l.Others, others...)
		}
		if len(ids) > maxSelected {
			return ErrTooMany
		}
		return l.place(ctx, q, releases, ids, p.Version != "")
	})
	if err != nil {
		return l, fmt.Errorf("find %s in %s: %w", p, r, err)
	}
	sortOthers(l.Others)
	return l, nil
}

func sortOthers(all []OtherVersions) {
	slices.SortFunc(all, func(a, b OtherVersions) int {
		return cmp.Or(cmp.Compare(a.Place.String(), b.Place.String()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
}

// A releaseStateRow is a release with its id.
type releaseStateRow struct {
	id    int64
	state ReleaseState
}

func locatedReleases(ctx context.Context, q querier, r catalog.Repository) ([]releaseStateRow, error) {
	return collect(ctx, q, func(scan func(...any) error) (row releaseStateRow, err error) {
		row.state, err = scanReleaseSince(func(dest ...any) error { return scan(append([]any{&row.id}, dest...)...) })
		return row, err
	}, `SELECT r.id, `+releaseColumns+`, u.published_at, r.fault FROM `+releaseTables+`
		LEFT JOIN publications u ON u.release_id = r.id AND u.revision = r.published_revision WHERE p.owner = ? AND p.name = ?`+releaseOrder, r.Owner, r.Name)
}

// named returns the ids of the rows of a distribution that a pattern selects, and what else there is of their names. It reads all
// rows of these names as a stream.
func (t targetDistribution) named(ctx context.Context, q querier, place catalog.Place, p catalog.Pattern) (ids []int64, others []OtherVersions, err error) {
	where, args := namesFrom(p.NamePrefix())
	if name := p.LiteralName(); name != "" {
		where, args = ` AND k.name = ?`, []any{name}
	}
	rows, err := q.QueryContext(ctx, `SELECT k.id, k.name, k.version, k.arch, k.component, k.state, k.sort_key FROM packages k WHERE k.distribution_id = ?`+where,
		append([]any{t.id}, args...)...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	type key struct{ component, name, arch string }
	type newest struct {
		OtherVersions
		sortKey []byte
	}
	found := map[key]newest{}
	ofName := catalog.Pattern{Name: p.Name}
	for rows.Next() {
		var id int64
		var k catalog.Package
		if err := rows.Scan(&id, &k.Name, &k.Version, &k.Arch, &k.Component, &k.State, &k.SortKey); err != nil {
			return nil, nil, err
		}
		if p.Matches(k) {
			if ids = append(ids, id); len(ids) > maxSelected {
				return nil, nil, ErrTooMany
			}
			continue
		}
		if k.State != catalog.Active || !ofName.Matches(k) {
			continue
		}
		at := key{k.Component, k.Name, k.Arch}
		o, seen := found[at]
		if !seen && len(found) == maxSelected {
			return nil, nil, ErrTooMany
		}
		if o.Active++; !seen || bytes.Compare(k.SortKey, o.sortKey) > 0 {
			o.Newest, o.sortKey = k.Version, k.SortKey
		}
		o.Place, o.Name, o.Arch = place, k.Name, k.Arch
		o.Place.Component = k.Component
		found[at] = o
	}
	for o := range maps.Values(found) {
		others = append(others, o.OtherVersions)
	}
	return ids, others, rows.Err()
}

// place reads selected rows with what their releases show of them.
func (l *Located) place(ctx context.Context, q querier, releases []releaseStateRow, ids []int64, snapshots bool) error {
	byRelease := map[int64][]Placement{}
	for some := range slices.Chunk(ids, selectChunk) {
		spans, err := lastSpans(ctx, q, some)
		if err != nil {
			return err
		}
		var held map[spanKey]SnapshotCount
		if snapshots {
			if held, err = countSnapshots(ctx, q, some); err != nil {
				return err
			}
		}
		where, args := in("k.id", some)
		_, err = collect(ctx, q, func(scan func(...any) error) (none struct{}, err error) {
			var p Placement
			var id int64
			var phase sql.NullInt64
			if err := scanPackage(&p.Package, scan, &id, &p.Removed, &phase); err != nil {
				return none, err
			}
			if percent := int(phase.Int64); phase.Valid && percent < catalog.Everyone {
				p.Phase = &percent
			}
			for _, row := range releases {
				r := row.state.Release
				if r.Distribution == p.Package.Distribution && shows(r.Arch, dirOf(p.Package)) {
					p.Release, p.Snapshots = r, held[spanKey{id, row.id}]
					byRelease[row.id] = append(byRelease[row.id], p.in(spans[spanKey{id, row.id}]))
				}
			}
			return none, nil
		}, `SELECT k.id, k.removed > 0, k.phase, `+packageColumns+` FROM `+packageTables+` WHERE `+where, args...)
		if err != nil {
			return err
		}
	}
	for _, row := range releases {
		some := byRelease[row.id]
		slices.SortFunc(some, func(a, b Placement) int {
			return cmp.Or(bytes.Compare(a.Package.SortKey, b.Package.SortKey), cmp.Compare(a.Package.Component, b.Package.Component), cmp.Compare(a.Package.Variant, b.Package.Variant))
		})
		l.Placements = append(l.Placements, withoutReplaced(some)...)
	}
	return nil
}

// withoutReplaced leaves out the packages of a release whose version has other bytes there now, or has been withdrawn since.
func withoutReplaced(some []Placement) []Placement {
	return slices.DeleteFunc(slices.Clone(some), func(p Placement) bool {
		return p.Package.Replaced() && slices.ContainsFunc(some, func(o Placement) bool {
			return !o.Package.Replaced() && bytes.Equal(o.Package.SortKey, p.Package.SortKey)
		})
	})
}

// in returns the placement with what its release has last shown of it.
func (p Placement) in(s span) Placement {
	p.Visible = s.seen()
	p.Came, p.Went, p.Since, p.Till = s.came.Int64, s.went.Int64, known(s.cameAt), known(s.wentAt)
	return p
}

// A spanKey names the spans of a package in a release.
type spanKey struct{ pkg, release int64 }

// lastSpans returns the last span of each of some packages in each release.
func lastSpans(ctx context.Context, q querier, packages []int64) (map[spanKey]span, error) {
	where, args := in("v.package_id", packages)
	last := map[spanKey]span{}
	_, err := collect(ctx, q, func(scan func(...any) error) (none struct{}, err error) {
		var key spanKey
		var s span
		if err := scan(append([]any{&key.pkg, &key.release}, s.dest()...)...); err != nil {
			return none, err
		}
		if old, has := last[key]; !has || s.came.Int64 > old.came.Int64 {
			last[key] = s
		}
		return none, nil
	}, `SELECT v.package_id, v.release_id, `+spanColumns+` FROM visibility v WHERE `+where, args...)
	return last, err
}

// countSnapshots returns how many snapshots have each of some packages in each release.
func countSnapshots(ctx context.Context, q querier, packages []int64) (map[spanKey]SnapshotCount, error) {
	where, args := in("v.package_id", packages)
	counts := map[spanKey]SnapshotCount{}
	_, err := collect(ctx, q, func(scan func(...any) error) (none struct{}, err error) {
		var key spanKey
		var n SnapshotCount
		err = scan(&key.pkg, &key.release, &n.Count, &n.Oldest, &n.Newest)
		counts[key] = n
		return none, err
	}, `SELECT v.package_id, v.release_id, COUNT(DISTINCT s.id), MIN(s.ident), MAX(s.ident) FROM visibility v JOIN snapshot_releases t ON t.release_id = v.release_id
			AND t.came_until >= v.came AND (v.went IS NULL OR v.went > t.went_after) JOIN snapshots s ON s.id = t.snapshot_id AND s.state = ?
		WHERE `+where+` GROUP BY v.package_id, v.release_id`, append([]any{catalog.SnapshotKept}, args...)...)
	return counts, err
}
