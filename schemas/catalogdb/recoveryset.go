package catalogdb

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
)

const (
	// rowsPerInsert is how many packages one statement inserts: each has some thirty values.
	rowsPerInsert = 250
	// namesPerQuery is how many packages one statement looks for.
	namesPerQuery = 250
	// spansPerInsert is how many rows of visibility one statement inserts.
	spansPerInsert = 1000
)

// recoverAlone has rows imported one by one, for tests that compare.
var recoverAlone = false

// A versionKey is what packages of several components of a distribution, and variants of one in a mutable repository, share.
type versionKey struct{ name, canonical, arch string }

func versionOf(k catalog.Package) versionKey { return versionKey{k.Name, k.Canonical, k.Arch} }

// A holderRow is a row that has the name, version and architecture of one that is recovered.
type holderRow struct {
	id        int64
	pkg       catalog.Package // without fragments
	fragments [4][]byte       // as the columns have them; read for a rebuild only
}

// importBatch imports rows in a few statements, with the same result as [recovery.recoverRow] of each in their order: rows of which the
// catalog has nothing are inserted together, those that are here as they were published stay, and others are imported one by one.
func (rec *recovery) importBatch(ctx context.Context, rows []catalog.Package) error {
	var ids []versionKey
	several := map[versionKey]int{}
	rows = slices.Clone(rows) // a repeated transaction keeps other phases
	for i, k := range rows {
		if err := checkRecovered(rec.r, k); err != nil {
			return err
		}
		rows[i] = rec.keepPhase(k)
		id := versionOf(k)
		if several[id]++; several[id] == 1 {
			ids = append(ids, id)
		}
	}
	holders, err := rec.readHolders(ctx, ids)
	if err != nil {
		return err
	}
	var absent, others []catalog.Package
	for _, k := range rows {
		id := versionOf(k)
		switch {
		case recoverAlone:
			others = append(others, k)
		case several[id] == 1 && len(holders[id]) == 0:
			absent = append(absent, k)
		case several[id] == 1:
			same, err := rec.settled(k, holders[id])
			if err != nil {
				return err
			}
			if !same {
				others = append(others, k)
			}
		default:
			others = append(others, k)
		}
	}
	if err := rec.insertAll(ctx, absent); err != nil {
		return err
	}
	for _, k := range others {
		if err := rec.recoverRow(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// readHolders returns the rows of the distribution that have one of some names, versions and architectures, and learns their phases.
func (rec *recovery) readHolders(ctx context.Context, ids []versionKey) (map[versionKey][]holderRow, error) {
	holders := map[versionKey][]holderRow{}
	columns := ``
	if rec.rebuild {
		columns = `, k.stanza, k.primary_xml, k.filelists_xml, k.other_xml`
	}
	for some := range slices.Chunk(ids, namesPerQuery) {
		where, args := rec.ofVersions(some)
		_, err := collect(ctx, rec.tx, func(scan func(...any) error) (_ struct{}, err error) {
			var h holderRow
			var phase sql.NullInt64
			more := []any{&phase}
			if rec.rebuild {
				more = append(more, &h.fragments[0], &h.fragments[1], &h.fragments[2], &h.fragments[3])
			}
			if err = scanPackageAnd(&h.pkg, more, scan, &h.id); err != nil {
				return struct{}{}, err
			}
			if phase.Valid {
				rec.phases.rows[h.id] = int(phase.Int64)
			}
			id := versionOf(h.pkg)
			holders[id] = append(holders[id], h)
			return struct{}{}, nil
		}, `SELECT k.id, `+packageColumns+`, k.phase`+columns+` FROM `+packageTables+` WHERE `+where, args...)
		if err != nil {
			return nil, err
		}
	}
	return holders, nil
}

// ofVersions is the condition on rows k of the distribution that have one of some names, versions and architectures.
func (rec *recovery) ofVersions(some []versionKey) (where string, args []any) {
	args = []any{rec.distribution}
	for _, id := range some {
		args = append(args, id.name, id.canonical, id.arch)
	}
	return `k.distribution_id = ? AND (k.name, k.canonical, k.arch) IN ` + rec.tx.tuples(len(some), 3), args
}

// settled reports whether a published row is here already as it was published, so that [recovery.recoverRow] would change nothing. holders
// are all rows with its name, version and architecture.
func (rec *recovery) settled(k catalog.Package, holders []holderRow) (bool, error) {
	var own *holderRow
	for i, h := range holders {
		switch {
		case h.pkg.Component == k.Component && h.pkg.Variant == k.Variant:
			own = &holders[i]
		case k.Variant == "" && h.pkg.File.SHA256 != k.File.SHA256, // see evict
			k.Variant != "" && k.State == catalog.Active && h.pkg.State == catalog.Active: // see replaceOthers
			return false, nil
		}
	}
	if own == nil || own.pkg.Multilib != k.Multilib || own.pkg.State != k.State || own.pkg.File.SHA256 != k.File.SHA256 ||
		k.State == catalog.Active && rec.otherPhase(own.id, k) {
		return false, nil
	}
	if !rec.rebuild {
		return true, nil
	}
	if own.pkg.File != k.File || !bytes.Equal(own.pkg.SortKey, k.SortKey) {
		return false, nil
	}
	if k.State != catalog.Active {
		return true, nil
	}
	fragments, err := packAll(k)
	for i, f := range fragments {
		b, _ := f.([]byte)
		if !sameFragment(b, own.fragments[i]) {
			return false, err
		}
	}
	return err == nil, err
}

// sameFragment reports whether two columns have the same fragment. One that an earlier version of this program wrote may be packed otherwise; a
// member of an index is the same in all bytes.
func sameFragment(made, column []byte) bool {
	if bytes.Equal(made, column) {
		return true
	}
	if gzipmember.Is(made) || gzipmember.Is(column) {
		return false
	}
	var a, b Fragment
	return a.unpack(made) == nil && b.unpack(column) == nil && bytes.Equal(a.Text, b.Text)
}

// insertAll inserts rows of which the catalog has no row with the same name, version and architecture.
func (rec *recovery) insertAll(ctx context.Context, rows []catalog.Package) error {
	if len(rows) == 0 {
		return nil
	}
	all := make([]versionKey, len(rows))
	for i, k := range rows {
		all[i] = versionOf(k)
	}
	for some := range slices.Chunk(rows, rowsPerInsert) {
		var args []any
		for _, k := range some {
			fragments, err := packAll(k)
			if err != nil {
				return err
			}
			args = append(append(args, rec.distribution), facts(k, fragments)...)
		}
		_, err := rec.tx.ExecContext(ctx, `INSERT INTO packages (distribution_id, `+factColumns+`) VALUES `+values(len(some), len(args)/len(some)), args...)
		if err != nil {
			return err
		}
	}
	ids, err := rec.idsOf(ctx, all)
	if err != nil {
		return err
	}
	rec.counts.Inserted += len(rows)
	if err := rec.insertAllNeeds(ctx, rows, ids); err != nil {
		return err
	}
	return rec.recordInserted(ctx, rows, ids)
}

// idsOf returns the ids of rows that were just inserted.
func (rec *recovery) idsOf(ctx context.Context, all []versionKey) (map[versionKey]int64, error) {
	ids := make(map[versionKey]int64, len(all))
	for some := range slices.Chunk(all, namesPerQuery) {
		where, args := rec.ofVersions(some)
		_, err := collect(ctx, rec.tx, func(scan func(...any) error) (_ struct{}, err error) {
			var i versionKey
			var id int64
			err = scan(&id, &i.name, &i.canonical, &i.arch)
			ids[i] = id
			return struct{}{}, err
		}, `SELECT k.id, k.name, k.canonical, k.arch FROM packages k WHERE `+where, args...)
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// insertAllNeeds records what new rows need by exact version.
func (rec *recovery) insertAllNeeds(ctx context.Context, rows []catalog.Package, ids map[versionKey]int64) error {
	var needs [][]any
	for _, k := range rows {
		for _, n := range k.Needs {
			needs = append(needs, []any{rec.distribution, ids[versionOf(k)], n.Name, n.From, n.Until})
		}
	}
	for some := range slices.Chunk(needs, spansPerInsert) {
		_, err := rec.tx.ExecContext(ctx, `REPLACE INTO exact_needs (distribution_id, package_id, name, from_version, until_version) VALUES `+values(len(some), 5), slices.Concat(some...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// recordInserted is [recovery.recordChange] of new rows.
func (rec *recovery) recordInserted(ctx context.Context, rows []catalog.Package, ids map[versionKey]int64) error {
	all := make([]int64, len(rows))
	var spans [][]any
	for i, k := range rows {
		all[i] = ids[versionOf(k)]
		if k.State == catalog.Active { // see recordShown, and recordWithdrawn
			spans = append(spans, []any{rec.release.id, all[i], rec.release.published, nil, 0, nil})
		} else {
			spans = append(spans, []any{rec.release.id, all[i], 0, 0, 0, 0})
		}
	}
	if rec.next > 0 {
		if err := recordVisibility(ctx, rec.tx, rec.release.id, rec.next, all); err != nil {
			return err
		}
		spans = nil
	}
	for some := range slices.Chunk(spans, spansPerInsert) {
		_, err := rec.tx.ExecContext(ctx, `INSERT INTO visibility (release_id, package_id, came, went, came_at, went_at) VALUES `+values(len(some), 6), slices.Concat(some...)...)
		if err != nil {
			return err
		}
	}
	for _, other := range rec.others {
		var shown []int64
		for i, k := range rows {
			if shows(other.arch, dirOf(k)) {
				shown = append(shown, all[i])
			}
		}
		rec.shared = rec.shared || len(shown) > 0
		if err := recordVisibility(ctx, rec.tx, other.id, other.revision+1, shown); err != nil {
			return err
		}
	}
	return nil
}

// values returns "(?, ...), ..." for so many rows of so many columns.
func values(rows, columns int) string {
	one := `(?` + strings.Repeat(`, ?`, columns-1) + `)`
	return one + strings.Repeat(`, `+one, rows-1)
}

// tuples returns the list for IN of so many tuples of so many columns. SQLite looks them up in an index only if they are values.
func (tx *transaction) tuples(n, columns int) string {
	if tx.forUpdate == "" {
		return `(VALUES ` + values(n, columns) + `)`
	}
	return `(` + values(n, columns) + `)`
}
