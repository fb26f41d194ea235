package catalogdb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Selection selects packages of a target by patterns, in some states.
type Selection struct {
	Target   catalog.PackageTarget
	Patterns []catalog.Pattern // a package that one of them matches is selected
	Arch     string            // empty for all
	States   []catalog.PackageState

	// Back selects, while the packages of a release are being recovered, from those that are back by now, if each pattern has one name and one
	// version, and selects some. Else that is a [RecoveringError].
	Back bool
}

// A SelectedPackage is a package that a selection has.
type SelectedPackage struct {
	Package  catalog.Package   // without fragments
	Releases []catalog.Release // that it belongs to, also if it is withdrawn
	Named    bool              // some pattern has its name, and not a glob
	Exact    bool              // some pattern has its name and version, without a glob
	Removed  bool              // its file is deleted, or about to be
	Back     error             // why it cannot be active again: [ErrRemoved], [ErrRetired], [ErrDeleted], or nil

	id       int64
	releases []releaseRow
	went     int64 // in a mutable repository, the revision that withdrew it
}

// A Selected is what a selection has at one moment.
type Selected struct {
	Settings  catalog.Settings        // of the repository
	Packages  []SelectedPackage       // in the order of lists: by distribution, and there as in indexes
	Unmatched []catalog.Pattern       // patterns that select nothing
	Shown     map[catalog.Release]int // how many active packages each release of a selected package shows, without the keyring package

	Recovering []*RecoveringError // releases of the target whose packages are not all back ([Selection.Back])
}

// Keyring reports whether a package has the keys of its repository: globs do not mean it.
func (s Selected) Keyring(k catalog.Package) bool {
	return s.Settings.Keyring != nil && k.Name == layout.KeyringName(k.Repository, k.Format)
}

// maxSelected bounds what one selection holds in memory, and changes in one transaction. It is a variable for tests.
var maxSelected = 100_000

// selectChunk is how many rows one statement names.
const selectChunk = 500

// ErrTooMany is returned for a selection of more packages than one transaction changes.
var ErrTooMany = errors.New("too many packages for one command: name fewer, such as one distribution or a longer name")

// Select returns what a selection has, read in one transaction. The error wraps [ErrNotFound] if there is no such repository,
// [ErrTooMany] and [RecoveringError], as those of all changes of selected packages.
func (d *DB) Select(ctx context.Context, s Selection) (found Selected, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		targets, err := targetDistributions(ctx, q, s.Target)
		if err == nil {
			found, err = s.read(ctx, q, targets)
		}
		return err
	})
	if err != nil {
		return found, fmt.Errorf("select packages of %s: %w", s.Target, err)
	}
	return found, nil
}

// read returns what the selection has of some distributions.
func (s Selection) read(ctx context.Context, q querier, targets []targetDistribution) (found Selected, err error) {
	if found.Settings, err = settings(ctx, q, s.Target.Repository); err != nil {
		return found, err
	}
	if found.Recovering, err = recoveringIn(ctx, q, s.Target.Repository, targets); err != nil {
		return found, err
	}
	if len(found.Recovering) > 0 && !(s.Back && s.exact()) {
		return found, found.Recovering[0]
	}
	matched := make([]bool, len(s.Patterns))
	marks := map[int64]*SelectedPackage{}
	for _, t := range targets {
		if err := s.match(ctx, q, t.id, matched, marks); err != nil {
			return found, err
		}
	}
	for i, p := range s.Patterns {
		if !matched[i] {
			found.Unmatched = append(found.Unmatched, p)
		}
	}
	if len(found.Unmatched) > 0 && len(found.Recovering) > 0 {
		absent := *found.Recovering[0]
		absent.Absent = found.Unmatched[0].String()
		return found, &absent
	}
	if err := s.readRows(ctx, q, targets, marks, &found); err != nil {
		return found, err
	}
	if found.Settings.Mutable {
		if err := found.readWent(ctx, q); err != nil {
			return found, err
		}
	}
	sortSelected(found.Packages)
	found.Shown, err = s.shown(ctx, q, found)
	return found, err
}

// Recovers reports whether a release of the distribution of a package is being recovered.
func (s Selected) Recovers(k catalog.Package) bool {
	return slices.ContainsFunc(s.Recovering, func(e *RecoveringError) bool { return e.Release.Distribution == k.Distribution })
}

// exact reports whether each pattern has one name and one version.
func (s Selection) exact() bool {
	return !slices.ContainsFunc(s.Patterns, func(p catalog.Pattern) bool { return !p.Exact() })
}

// sortSelected sorts packages as lists do: by distribution, and there as in indexes.
func sortSelected(packages []SelectedPackage) {
	slices.SortFunc(packages, func(a, b SelectedPackage) int {
		j, k := a.Package, b.Package
		return cmp.Or(cmp.Compare(j.Distribution.String(), k.Distribution.String()), bytes.Compare(j.SortKey, k.SortKey),
			cmp.Compare(j.Arch, k.Arch), cmp.Compare(j.Component, k.Component), cmp.Compare(j.Variant, k.Variant))
	})
}

// match marks the rows of a distribution that patterns match. It reads the rows of literal names by their names, and those of a
// glob as a stream of all names that begin as the glob does; nothing but the marks stays in memory.
func (s Selection) match(ctx context.Context, q querier, distribution int64, matched []bool, marks map[int64]*SelectedPackage) error {
	byName := map[string][]int{} // pattern numbers
	for i, p := range s.Patterns {
		if name := p.LiteralName(); name != "" {
			byName[name] = append(byName[name], i)
			continue
		}
		where, args := namesFrom(p.NamePrefix())
		if err := s.mark(ctx, q, distribution, where, args, func(string) []int { return []int{i} }, matched, marks); err != nil {
			return err
		}
	}
	for names := range slices.Chunk(slices.Sorted(maps.Keys(byName)), selectChunk) {
		where, args := in("k.name", names)
		if err := s.mark(ctx, q, distribution, ` AND `+where, args, func(name string) []int { return byName[name] }, matched, marks); err != nil {
			return err
		}
	}
	return nil
}

// namesFrom selects names with a prefix. Names compare as bytes.
func namesFrom(prefix string) (where string, args []any) {
	if prefix == "" {
		return "", nil
	}
	where, args = ` AND k.name >= ?`, []any{prefix}
	if last := prefix[len(prefix)-1]; last < 0x7f {
		where, args = where+` AND k.name < ?`, append(args, prefix[:len(prefix)-1]+string(rune(last+1)))
	}
	return where, args
}

// mark marks the rows of a condition that one of their candidates, numbers of patterns, matches.
func (s Selection) mark(ctx context.Context, q querier, distribution int64, where string, args []any, candidates func(name string) []int, matched []bool, marks map[int64]*SelectedPackage) error {
	rows, err := q.QueryContext(ctx, `SELECT k.id, k.name, k.version, k.arch, k.component, k.state FROM packages k WHERE k.distribution_id = ?`+where, append([]any{distribution}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var k catalog.Package
		if err := rows.Scan(&id, &k.Name, &k.Version, &k.Arch, &k.Component, &k.State); err != nil {
			return err
		}
		if s.Target.Component != "" && k.Component != s.Target.Component || s.Arch != "" && k.Arch != s.Arch || !slices.Contains(s.States, k.State) {
			continue
		}
		for _, i := range candidates(k.Name) {
			if !s.Patterns[i].Matches(k) {
				continue
			}
			m := marks[id]
			if m == nil {
				if len(marks) == maxSelected {
					return ErrTooMany
				}
				m = &SelectedPackage{id: id}
				marks[id] = m
			}
			matched[i], m.Named, m.Exact = true, m.Named || s.Patterns[i].LiteralName() != "", m.Exact || s.Patterns[i].Exact()
		}
	}
	return rows.Err()
}

// readRows reads the rows that are marked.
func (s Selection) readRows(ctx context.Context, q querier, targets []targetDistribution, marks map[int64]*SelectedPackage, found *Selected) error {
	releases := map[catalog.Distribution][]releaseRow{}
	for _, t := range targets {
		releases[t.distribution] = t.releases
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(marks)), selectChunk) {
		where, args := in("k.id", ids)
		rows, err := collect(ctx, q, func(scan func(...any) error) (p SelectedPackage, err error) {
			var lost bool
			if err := scanPackage(&p.Package, scan, &p.id, &p.Removed, &lost); err != nil {
				return p, err
			}
			p.Named, p.Exact = marks[p.id].Named, marks[p.id].Exact
			if p.Removed || lost {
				p.Back = ErrRemoved
			}
			return p, nil
		}, `SELECT k.id, k.removed > 0, k.stanza IS NULL AND k.primary_xml IS NULL, `+packageColumns+` FROM `+packagesByID+` WHERE `+where, args...)
		if err != nil {
			return err
		}
		for _, p := range rows {
			if !slices.Contains(s.States, p.Package.State) { // it changed since it was marked; only without a lock
				continue
			}
			p.place(releases[p.Package.Distribution], found.Settings)
			found.Packages = append(found.Packages, p)
		}
	}
	return nil
}

// place sets the releases of a package, and whether its repository still has its architecture.
func (p *SelectedPackage) place(releases []releaseRow, s catalog.Settings) {
	k := p.Package
	for _, r := range releases {
		if shows(r.arch, dirOf(k)) {
			p.releases = append(p.releases, r)
			p.Releases = append(p.Releases, catalog.Release{Repository: k.Repository, Distribution: k.Distribution, Arch: r.arch})
		}
	}
	if t, del := s.DeletedTarget(k.Distribution, k.Component); p.Back == nil && del != nil {
		p.Back = deletedError{t, del}
	}
	ds, _ := s.Find(k.Distribution)
	if arch := layout.OfferedArch(k); p.Back == nil && arch != "" && !slices.Contains(ds.Architectures, arch) {
		p.Back = fmt.Errorf("%s: %w", arch, ErrRetired)
	}
}

// shown counts what the releases of selected packages show.
func (s Selection) shown(ctx context.Context, q querier, found Selected) (map[catalog.Release]int, error) {
	counts := map[catalog.Release]int{}
	for _, p := range found.Packages {
		for _, r := range p.Releases {
			counts[r] = 0
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(counts), func(a, b catalog.Release) int { return strings.Compare(a.String(), b.String()) }) {
		where, args := releaseCondition(r, catalog.Active)
		if found.Settings.Keyring != nil {
			where += ` AND k.name NOT IN (?, ?)`
			args = append(args, layout.KeyringName(r.Repository, catalog.DEB), layout.KeyringName(r.Repository, catalog.RPM))
		}
		var n int
		if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+packageTables+` WHERE `+where, args...).Scan(&n); err != nil {
			return nil, err
		}
		counts[r] = n
	}
	return counts, nil
}
