package catalogdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"repomill/schemas/catalog"
)

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

// Entries returns the entries of a release in a range, in sort-key order.
func (s *Snapshot) Entries(ctx context.Context, in Range) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		e := &Entry{Fragments: make([]Fragment, len(s.fragmentColumns()))}
		for {
			part, err := s.part(ctx, in)
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

// part returns the beginning of a range. The index has the rows of one directory in order, so that
// those of an RPM release, which shows several, have to be merged; a part is small enough for any database.
func (s *Snapshot) part(ctx context.Context, in Range) (Range, error) {
	dirs := dirsOf(s.Release.Arch)
	if len(dirs) == 1 {
		return in, nil
	}
	for _, dir := range dirs {
		where, args := s.where(in, dir)
		var border []byte
		err := s.tx.QueryRowContext(ctx, `SELECT k.sort_key FROM packages k WHERE `+where+` ORDER BY k.sort_key LIMIT 1 OFFSET ?`,
			append(args, partSize)...).Scan(&border)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return in, err
		}
		if err == nil {
			in.To = border
		}
	}
	return in, nil
}

// where returns the condition on the active rows of some directories in a range.
func (s *Snapshot) where(in Range, dirs ...string) (where string, args []any) {
	where, args = `k.distribution_id = ? AND k.state = ? AND k.dir IN (?`, []any{s.distribution, catalog.Active, dirs[0]}
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

// wanted returns which fragments to read of a range.
func (s *Snapshot) wanted(in Range) []int {
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
	names, wanted := s.fragmentColumns(), s.wanted(in)
	for _, i := range wanted {
		columns += `, ` + names[i]
	}
	where, args := s.where(in, dirsOf(s.Release.Arch)...)
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
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return yield(nil, err) && false
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
