package catalogdb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/stall"
)

// A Snapshot is one consistent view of a release: its revision, its repository's settings and its rows.
type Snapshot struct {
	Release   catalog.Release
	Revision  catalog.Revision
	Published int64 // the newest revision that the catalog knows to be visible
	// Generation rises when [Snapshot.Changes] does not have all that changed: rows were imported from what is
	// published, or a reindex found other indexes. What was rendered in another generation is not updated but rendered whole.
	Generation int64
	SignedBy   string // how what is published is signed ([DB.RecordSignedBy]); empty if that is not known
	Lock       ReleaseLock
	// Recovering says that rows of the release are being imported, and are not all here. OtherRecovering is a release of the same distribution
	// of which that is so, if it has changed packages that this release shows, too: it is not to be published with a part of them, unless that
	// recovery has failed. It is nil for none.
	Recovering      bool
	OtherRecovering *OtherRecovery
	Settings        catalog.Settings

	tx           *sql.Tx
	distribution int64
	release      int64
}

// Snapshot opens a view of a release as it is at one moment, on the primary. The caller closes it; until then it holds a
// connection. The error wraps [ErrNotFound] for an unknown release.
func (d *DB) Snapshot(ctx context.Context, r catalog.Release) (s *Snapshot, err error) {
	err = d.retry(ctx, func() error {
		s, err = d.snapshot(ctx, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", r, err)
	}
	return s, nil
}

func (d *DB) snapshot(ctx context.Context, r catalog.Release) (*Snapshot, error) {
	tx, err := d.views.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Release: r, tx: tx}
	if err = d.checkPrimary(ctx, tx); err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		tx.Rollback() //nolint:errcheck // a read
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) begin(ctx context.Context) error {
	err := s.tx.QueryRowContext(ctx, `SELECT r.id, d.id, r.revision, r.nonce, r.published_revision, r.generation, r.signed_by,
		(SELECT COUNT(*) FROM recoveries WHERE release_id = r.id)
		FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?`, append(distributionArgs(s.Release), s.Release.Arch)...).
		Scan(&s.release, &s.distribution, &s.Revision.Number, &s.Revision.Nonce, &s.Published, &s.Generation, &s.SignedBy, &s.Recovering)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if s.Lock, err = readLock(ctx, s.tx, s.release); err != nil {
		return err
	}
	if s.OtherRecovering, err = readOtherRecovery(ctx, s.tx, s); err != nil {
		return err
	}
	s.Settings, err = settings(ctx, s.tx, s.Release.Repository)
	return err
}

// Close ends the view.
func (s *Snapshot) Close() error { return s.tx.Rollback() }

// Count returns how many packages the release shows.
func (s *Snapshot) Count(ctx context.Context) (int, error) { return count(ctx, s.tx, s.Release) }

// Packages returns the active rows that the release shows, in sort-key order, with their fragments.
// A package is valid until the next one is asked for.
func (s *Snapshot) Packages(ctx context.Context) iter.Seq2[catalog.Package, error] {
	return packages(ctx, s.tx, s.Release, catalog.Active, true)
}

// A Change is a row that joined a release, or left it, or has another phase.
type Change struct {
	SortKey         []byte
	Arch, Component string
}

// Changes returns the rows that may differ from those at an earlier revision of the release, in order, each once. It
// reports false if this catalog did not issue that revision, if it is later than the snapshot, or if there are more
// than limit rows.
func (s *Snapshot) Changes(ctx context.Context, since catalog.Revision, limit int) (changes []Change, known bool, err error) {
	if since == s.Revision {
		return nil, true, nil
	}
	if known, err := s.issued(ctx, since); err != nil || !known {
		return nil, false, err
	}
	for _, where := range []string{`v.came > ?`, `v.went > ?`} { // one index range each
		some, err := collect(ctx, s.tx, func(scan func(...any) error) (c Change, err error) {
			return c, scan(&c.SortKey, &c.Arch, &c.Component)
		}, `SELECT k.sort_key, k.arch, k.component FROM visibility v JOIN packages k ON k.id = v.package_id
			WHERE v.release_id = ? AND `+where+` LIMIT ?`, s.release, since.Number, limit+1)
		if err != nil || len(some) > limit {
			return nil, false, err
		}
		changes = append(changes, some...)
	}
	rephased, err := s.rephased(ctx, since.Number, limit+1)
	if err != nil || len(rephased) > limit {
		return nil, false, err
	}
	changes = append(changes, rephased...)
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(bytes.Compare(a.SortKey, b.SortKey), strings.Compare(a.Component, b.Component), strings.Compare(a.Arch, b.Arch))
	})
	changes = slices.CompactFunc(changes, func(a, b Change) bool { // one that came and went
		return bytes.Equal(a.SortKey, b.SortKey) && a.Component == b.Component && a.Arch == b.Arch
	})
	return changes, len(changes) <= limit, nil
}

// rephased returns up to limit rows whose phase changed after a revision: they neither came nor went.
func (s *Snapshot) rephased(ctx context.Context, since int64, limit int) ([]Change, error) {
	if s.Release.Arch != "" {
		return nil, nil
	}
	return collect(ctx, s.tx, func(scan func(...any) error) (c Change, err error) {
		return c, scan(&c.SortKey, &c.Arch, &c.Component)
	}, `SELECT k.sort_key, k.arch, k.component FROM phases f
		JOIN packages k ON k.distribution_id = f.distribution_id AND k.component = f.component AND k.source = f.source AND k.state = ?
		WHERE f.distribution_id = ? AND f.revision > ? LIMIT ?`, catalog.Active, s.distribution, since, limit)
}

// issued reports whether this catalog issued a revision of the release, not later than that of the snapshot.
func (s *Snapshot) issued(ctx context.Context, revision catalog.Revision) (bool, error) {
	n, err := scanID(s.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM publications WHERE release_id = ? AND revision = ? AND nonce = ?`,
		s.release, revision.Number, revision.Nonce).Scan)
	return n > 0 && revision.Number <= s.Revision.Number, err
}

// An Entry is what the indexes of a release say of one active row, as bytes that are valid until the next
// entry is asked for.
type Entry struct {
	SortKey, Name, Version, Canonical, Arch, Component []byte

	Key       []byte     // of the package file
	Size      int64      // of the package file, in bytes
	Fragments []Fragment // DEB: the stanza. RPM: the elements of primary, filelists and other
}

// String names a row for people.
func (e *Entry) String() string { return fmt.Sprintf("%s %s %s", e.Name, e.Version, e.Arch) }

// A Range says which entries to read.
type Range struct {
	From, To  []byte   // sort keys: From is in it and To is not; empty for no bound
	Component string   // DEB: of this component; empty for all
	Arches    []string // DEB: of these architectures; none for all
	Fragments []int    // RPM: only these (0: primary, 1: filelists, 2: other); none for all. The others are empty
	Bare      bool     // without fragments
}

// Entries returns the entries of a release in a range, in sort-key order. It yields an error, and ends, at a row that
// cannot be read or has no fragment. It never repeats an entry.
func (s *Snapshot) Entries(ctx context.Context, in Range) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		e := &Entry{Fragments: make([]Fragment, len(s.fragmentColumns()))}
		for {
			part, err := s.nextPart(ctx, catalog.Active, in)
			if err == nil && !s.entries(ctx, part, e, yield) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if bytes.Equal(part.To, in.To) {
				return
			}
			in.From = part.To
		}
	}
}

// partSize is how many rows of one directory are sorted together with those of another. It is a variable for
// tests.
var partSize = 1000

// nextPart returns the beginning of a range of the rows in a state. The index has the rows of one directory in order, so that
// those of an RPM release, which shows several, have to be merged; a part is small enough for any database.
func (s *Snapshot) nextPart(ctx context.Context, state catalog.PackageState, in Range) (Range, error) {
	dirs := dirsOf(s.Release.Arch)
	if len(dirs) == 1 {
		return in, nil
	}
	for _, dir := range dirs {
		where, args := s.condition(state, in, dir)
		var boundary []byte
		err := s.tx.QueryRowContext(ctx, `SELECT k.sort_key FROM packages k WHERE `+where+` ORDER BY k.sort_key LIMIT 1 OFFSET ?`,
			append(args, partSize)...).Scan(&boundary)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return in, err
		}
		if err == nil {
			in.To = boundary
		}
	}
	return in, nil
}

// condition returns the condition on the rows of some directories that are in a state and in a range.
func (s *Snapshot) condition(state catalog.PackageState, in Range, dirs ...string) (where string, args []any) {
	where, args = `k.distribution_id = ? AND k.state = ? AND k.dir IN (?`, []any{s.distribution, state, dirs[0]}
	for _, dir := range dirs[1:] {
		where, args = where+`, ?`, append(args, dir)
	}
	where += `)`
	if len(in.From) > 0 {
		where, args = where+` AND k.sort_key >= ?`, append(args, in.From)
	}
	if len(in.To) > 0 {
		where, args = where+` AND k.sort_key < ?`, append(args, in.To)
	}
	if in.Component != "" {
		where, args = where+` AND k.component = ?`, append(args, in.Component)
	}
	for i, arch := range in.Arches {
		where, args = where+[]string{` AND k.arch IN (?`, `, ?`}[min(i, 1)], append(args, arch)
	}
	if len(in.Arches) > 0 {
		where += `)`
	}
	return where, args
}

func (s *Snapshot) fragmentColumns() []string {
	if s.Release.Arch == "" {
		return []string{"k.stanza"}
	}
	return []string{"k.primary_xml", "k.filelists_xml", "k.other_xml"}
}

// wantedFragments returns which fragments to read of a range.
func (s *Snapshot) wantedFragments(in Range) []int {
	all := []int{0, 1, 2}[:len(s.fragmentColumns())]
	switch {
	case in.Bare:
		return nil
	case len(in.Fragments) > 0 && len(all) > 1:
		return in.Fragments
	default:
		return all
	}
}

// entries yields the entries of a part, through e.
func (s *Snapshot) entries(ctx context.Context, in Range, e *Entry, yield func(*Entry, error) bool) (more bool) {
	columns := `SELECT k.sort_key, k.name, k.version, k.canonical, k.arch, k.component, k.object_key, k.size`
	names, wanted := s.fragmentColumns(), s.wantedFragments(in)
	for _, i := range wanted {
		columns += `, ` + names[i]
	}
	where, args := s.condition(catalog.Active, in, dirsOf(s.Release.Arch)...)
	rows, err := s.tx.QueryContext(ctx, columns+` FROM packages k WHERE `+where+inOrder, args...)
	if err != nil {
		return yield(nil, err) && false
	}
	defer rows.Close()
	var raw [7]sql.RawBytes
	fragments := make([]sql.RawBytes, len(wanted))
	dest := []any{&raw[0], &raw[1], &raw[2], &raw[3], &raw[4], &raw[5], &raw[6], &e.Size}
	for i := range fragments {
		dest = append(dest, &fragments[i])
	}
	for n := 1; rows.Next(); n++ {
		if err := rows.Scan(dest...); err != nil {
			return yield(nil, err) && false
		}
		if n%partSize == 0 {
			stall.Moved(ctx)
		}
		e.SortKey, e.Name, e.Version, e.Canonical, e.Arch, e.Component, e.Key = raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6]
		for n, i := range wanted {
			err := e.Fragments[i].unpack(fragments[n])
			if err == nil && len(fragments[n]) == 0 {
				err = errors.New("it has no index entry")
			}
			if err != nil {
				return yield(nil, fmt.Errorf("row %s of %s: %w: push its file again under a higher version, or reindex --from published", e, s.Release, err)) && false
			}
		}
		if !yield(e, nil) {
			return false
		}
	}
	if err := rows.Err(); err != nil {
		return yield(nil, err) && false
	}
	return true
}
