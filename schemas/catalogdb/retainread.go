package catalogdb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// retainPage is how many rows of a directory one statement reads. It is a variable for tests.
var retainPage = 2000

// An applying is the application of rules to one distribution.
type applying struct {
	*keeper
	at           time.Time
	q            querier
	inOrder      string
	distribution targetDistribution
	downloaded   bool  // a package stays if it was downloaded after since
	since        int64 // days since 1970
	unknown      bool  // nothing is known of downloads for as long as the rule asks: they keep all

	kept    map[KeptBy]int
	sums    map[string]*dirSum // by directory
	leaving []leavingRow
	dirs    []string     // of numbers
	asked   []leavingRow // rows that stay only if they were downloaded
	young   []youngRow   // by id
}

// A youngRow is a package that clients see since a time, or not yet.
type youngRow struct{ id, since int64 }

// readYoung reads which packages of the distribution clients see since the earliest time that rules ask for, or later.
func (a *applying) readYoung(ctx context.Context) error {
	after := a.floor
	for _, cutoff := range a.cutoffs {
		after = min(after, cutoff)
	}
	for _, r := range a.distribution.releases {
		// What came with revisions that were published before is older: the others are few.
		rows, err := a.q.QueryContext(ctx, `SELECT package_id, COALESCE(came_at, ?) FROM visibility
			WHERE release_id = ? AND went IS NULL AND (came_at IS NULL OR came_at > ?)
			AND came > (SELECT COALESCE(MAX(u.revision), -1) FROM publications u WHERE u.release_id = ? AND u.published_at <= ?)`, millis(a.at), r.id, after, r.id, after)
		if err != nil {
			return err
		}
		for rows.Next() {
			var y youngRow
			if err := rows.Scan(&y.id, &y.since); err != nil {
				rows.Close() //nolint:errcheck // the other error counts
				return err
			}
			a.young = append(a.young, y)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		rows.Close() //nolint:errcheck // it was read to its end
	}
	slices.SortFunc(a.young, func(y, z youngRow) int { return cmp.Or(cmp.Compare(y.id, z.id), cmp.Compare(z.since, y.since)) }) // of several releases, the last
	return nil
}

// seenSince returns since when clients see a package, if that is later than it was uploaded.
func (a *applying) seenSince(id, uploaded int64) int64 {
	i, found := slices.BinarySearchFunc(a.young, id, func(y youngRow, id int64) int { return cmp.Compare(y.id, id) })
	if !found {
		return uploaded
	}
	return max(a.young[i].since, uploaded)
}

// A dirSum counts the packages of a directory.
type dirSum struct {
	number               int
	leave, stay, keyring int
	bytes                int64 // of those that leave
}

// read applies the rules to all active rows of the distribution.
func (a *applying) read(ctx context.Context) error {
	a.kept, a.keeper.decide = map[KeptBy]int{}, func(row retainRow, by KeptBy) error { return a.decided(ctx, row, by) }
	var cursors []*retainCursor
	for _, r := range a.distribution.releases {
		for _, dir := range dirsOf(r.arch) {
			if a.sums[dir] == nil {
				a.sums[dir] = &dirSum{number: len(a.dirs)}
				a.dirs = append(a.dirs, dir)
				cursors = append(cursors, &retainCursor{dir: dir})
			}
		}
	}
	for {
		var next *retainCursor
		for _, c := range cursors {
			if err := c.fill(ctx, a); err != nil {
				return err
			}
			if len(c.rows) > 0 && (next == nil || c.rows[0].compare(next.rows[0]) > 0) {
				next = c
			}
		}
		if next == nil {
			break
		}
		if err := a.add(next.rows[0].retainRow); err != nil {
			return err
		}
		next.rows = next.rows[1:]
	}
	if err := a.end(); err != nil {
		return err
	}
	return a.askDownloads(ctx)
}

// decided counts a row that a rule keeps, or that none does.
func (a *applying) decided(ctx context.Context, row retainRow, by KeptBy) error {
	sum := a.sums[row.dir]
	leaving := leavingRow{row.id, row.size, sum.number}
	switch {
	case by == "" && a.unknown:
		by = KeptDownloaded
	case by == "" && a.downloaded:
		if a.asked = append(a.asked, leaving); len(a.asked) == selectChunk {
			return a.askDownloads(ctx)
		}
		return nil
	}
	if by == KeptKeyring {
		sum.keyring++
	}
	a.stayOrLeave(leaving, by)
	return nil
}

func (a *applying) stayOrLeave(row leavingRow, by KeptBy) {
	sum := a.sums[a.dirs[row.dir]]
	if by == "" {
		sum.leave, sum.bytes = sum.leave+1, sum.bytes+row.size
		a.leaving = append(a.leaving, row)
		return
	}
	sum.stay++
	a.kept[by]++
}

// A retainCursor reads the rows of one directory in descending order.
type retainCursor struct {
	dir   string
	rows  []orderedRow
	last  *orderedRow // that was read
	ended bool
}

// An orderedRow is a row with what it is sorted by.
type orderedRow struct {
	retainRow
	sortKey []byte
	variant string
}

func (r orderedRow) compare(o orderedRow) int {
	return cmp.Or(bytes.Compare(r.sortKey, o.sortKey), cmp.Compare(r.component, o.component), cmp.Compare(r.variant, o.variant), cmp.Compare(r.arch, o.arch))
}

// fill reads the next rows if there are none.
func (c *retainCursor) fill(ctx context.Context, a *applying) (err error) {
	if len(c.rows) > 0 || c.ended {
		return nil
	}
	where, args := `k.distribution_id = ? AND k.state = ? AND k.dir = ?`, []any{a.distribution.id, catalog.Active, c.dir}
	if l := c.last; l != nil {
		where += ` AND k.sort_key <= ? AND (k.sort_key < ? OR k.component < ? OR k.component = ? AND k.variant < ?)`
		args = append(args, l.sortKey, l.sortKey, l.component, l.component, l.variant)
	}
	c.rows, err = collect(ctx, a.q, func(scan func(...any) error) (r orderedRow, err error) {
		r.dir = c.dir
		err = scan(&r.id, &r.name, &r.version, &r.canonical, &r.arch, &r.component, &r.variant, &r.sortKey, &r.size, &r.since, &r.phased)
		r.since = a.seenSince(r.id, r.since)
		return r, err
	}, `SELECT k.id, k.name, k.version, k.canonical, k.arch, k.component, k.variant, k.sort_key, k.size, k.uploaded_at, COALESCE(k.phase, ?) < ?
		FROM packages k`+a.inOrder+` WHERE `+where+`
		ORDER BY k.sort_key DESC, k.component DESC, k.variant DESC LIMIT ?`, append(append([]any{catalog.Everyone, catalog.Everyone}, args...), retainPage)...)
	if c.ended = len(c.rows) < retainPage; err == nil && len(c.rows) > 0 {
		c.last = &c.rows[len(c.rows)-1]
	}
	return err
}

// A Collected says how long downloads of a repository have been counted.
type Collected struct {
	Since time.Time `json:"since"` // the first and the last day of which logs were counted; zero if none were
	Until time.Time `json:"until"`
	Known bool      `json:"known"` // the days that all rules ask for were counted, up to a week ago at least: a package without a count was not downloaded
}

// lateLogs is how old the newest counted log may be until downloads count as unknown.
const lateLogs = 7

// readDownloads reads whether downloads are known for as long as the rules ask.
func (a *applying) readDownloads(ctx context.Context, s *RetentionState) error {
	days := a.downloadedDays()
	if days == 0 {
		return nil
	}
	if s.Downloads == nil {
		s.Downloads = &Collected{Known: true}
	}
	var first, last sql.NullInt64
	err := a.q.QueryRowContext(ctx, `SELECT MIN(l.day), MAX(l.day) FROM log_requests l JOIN repositories p ON p.id = l.repository_id WHERE p.owner = ? AND p.name = ?`,
		s.Settings.Repository.Owner, s.Settings.Repository.Name).Scan(&first, &last)
	if err != nil {
		return err
	}
	today := s.At.Unix() / 86400
	a.since = today - int64(days)
	a.unknown = !first.Valid || first.Int64 > a.since || last.Int64 < today-lateLogs
	a.downloaded = !a.unknown
	if first.Valid {
		s.Downloads.Since, s.Downloads.Until = time.Unix(first.Int64*86400, 0).UTC(), time.Unix(last.Int64*86400, 0).UTC()
	}
	s.Downloads.Known = s.Downloads.Known && !a.unknown
	return nil
}

// askDownloads decides for the rows that stay only if they were downloaded. A month that was summed up counts up to its end.
func (a *applying) askDownloads(ctx context.Context) error {
	if len(a.asked) == 0 {
		return nil
	}
	var ids []int64
	for _, r := range a.asked {
		ids = append(ids, r.id)
	}
	where, args := in("package_id", ids)
	found, err := collect(ctx, a.q, scanID, `SELECT DISTINCT package_id FROM downloads WHERE `+where+` AND (months = ? AND day >= ? OR months = ? AND day >= ?)`,
		append(args, daily, a.since, monthly, a.since-30)...)
	if err != nil {
		return err
	}
	slices.Sort(found)
	for _, r := range a.asked {
		by := KeptDownloaded
		if _, is := slices.BinarySearch(found, r.id); !is {
			by = ""
		}
		a.stayOrLeave(r, by)
	}
	a.asked = a.asked[:0]
	return nil
}
