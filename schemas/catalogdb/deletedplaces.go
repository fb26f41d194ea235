package catalogdb

import (
	"context"
	"fmt"

	"repomill/schemas/catalog"
)

// deletions returns the settings of a repository as far as they say what is deleted of it, and whether it is mutable.
func deletions(ctx context.Context, q querier, r catalog.Repository) (s catalog.Settings, err error) {
	s.Repository = r
	var list []catalog.Deletion
	err = q.QueryRowContext(ctx, `SELECT deletion, deleted_parts, mutable FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).
		Scan(jsonList[catalog.Deletion]{&list}, jsonList[catalog.DeletedPart]{&s.DeletedParts}, &s.Mutable)
	if len(list) > 0 {
		s.Deleted = &list[0]
	}
	return s, notFound(err)
}

// checkNotDeleted returns [ErrDeleted], wrapped, if a place is in a deleted repository, distribution or component. It stays so if a lock on
// its releases is held.
func checkNotDeleted(ctx context.Context, q querier, p catalog.Place) error {
	s, err := deletions(ctx, q, p.Repository)
	if err != nil {
		return err
	}
	if t, del := s.DeletedTarget(p.Distribution, p.Component); del != nil {
		return deletedError{t, del}
	}
	return nil
}

// checkNoneDeleted is checkNotDeleted of the places of packages of one repository.
func checkNoneDeleted(ctx context.Context, q querier, rows []SelectedPackage) error {
	if len(rows) == 0 {
		return nil
	}
	s, err := deletions(ctx, q, rows[0].Package.Repository)
	for _, p := range rows {
		if err != nil {
			break
		}
		if t, del := s.DeletedTarget(p.Package.Distribution, p.Package.Component); del != nil {
			err = deletedError{t, del}
		}
	}
	return err
}

// withdrawnWith returns the deletion with which a package was withdrawn, if that can be undone still, or nil: the package would come back
// with it. s says what is deleted of its repository.
func withdrawnWith(s catalog.Settings, k catalog.Package) *catalog.Deletion {
	if k.State != catalog.Yanked || k.Yank == nil {
		return nil
	}
	for _, t := range []catalog.PackageTarget{{Repository: k.Repository}, wholeOf(k.Place()), catalog.PackageTarget(k.Place())} {
		del := s.DeletedPart(t)
		if del != nil && !del.Removing && k.Yank.At.Equal(del.At) && k.Yank.Reason == deletedReason(t) {
			return del
		}
	}
	return nil
}

// deletedWord returns the reason of the rejection of an upload to a deleted target.
func deletedWord(t catalog.PackageTarget) catalog.Reason {
	switch {
	case t.Whole():
		return catalog.UnknownRepository
	case t.Component == "":
		return catalog.UnknownDistribution
	}
	return catalog.UnknownComponent
}

// DeletedRejection returns the rejection of an upload to a deleted target.
func DeletedRejection(t catalog.PackageTarget, del catalog.Deletion) *catalog.Rejection {
	return &catalog.Rejection{Reason: deletedWord(t), Detail: fmt.Sprintf("%s %s takes no packages: %s", t.Kind(), t, del)}
}

// A DeletionPreview is what a deletion would withdraw, and remove later.
type DeletionPreview struct {
	Settings  catalog.Settings
	Packages  int   // that clients see, or will
	Files     int   // that there are, also of withdrawn packages
	Bytes     int64 // of these files
	Snapshots int   // of a repository: that are removed with it; of a part: that name it, and keep its files until they are deleted

	ArchiveOf []catalog.Repository // whose rules of retention send packages to it; of a repository
	Refused   error                // why [DB.Delete] would refuse; nil if it would not
	Unused    bool                 // it never had a package; of a part of a repository, it has no file of one: it would be removed at once
}

// PreviewDeletion returns what a deletion would do now, read in one transaction. The error wraps [ErrNotFound] for an unknown
// repository.
func (d *DB) PreviewDeletion(ctx context.Context, t catalog.PackageTarget) (p DeletionPreview, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		p, err = previewDeletion(ctx, q, t)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("read what %s has: %w", t, err)
	}
	return p, nil
}

// PlanDeletion is [DB.PreviewDeletion] with the packages that a deletion would withdraw. The error wraps [ErrTooMany] for more than a plan has.
func (d *DB) PlanDeletion(ctx context.Context, t catalog.PackageTarget) (p DeletionPreview, s Selected, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		targets, err := targetDistributions(ctx, q, t)
		if err == nil {
			p, s, err = planDeletion(ctx, q, t, targets)
		}
		return err
	})
	if err != nil {
		return p, s, fmt.Errorf("plan the deletion of %s: %w", t, err)
	}
	return p, s, nil
}

func planDeletion(ctx context.Context, q querier, t catalog.PackageTarget, in []targetDistribution) (p DeletionPreview, s Selected, err error) {
	if p, err = previewDeletion(ctx, q, t); err == nil {
		s, err = Selection{Target: t, Patterns: []catalog.Pattern{{Name: "*"}}, States: []catalog.PackageState{catalog.Active}}.read(ctx, q, in)
	}
	return p, s, err
}

func previewDeletion(ctx context.Context, q querier, t catalog.PackageTarget) (p DeletionPreview, err error) {
	where, args := `p.owner = ? AND p.name = ?`, []any{t.Repository.Owner, t.Repository.Name}
	if !t.Whole() {
		where, args = releaseKey, append(args, t.Distribution.OS, t.Distribution.Version)
	}
	if t.Component != "" {
		where, args = where+` AND k.component = ?`, append(args, t.Component)
	}
	if p.Settings, err = settings(ctx, q, t.Repository); err != nil {
		return p, err
	}
	err = q.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN k.state = ? THEN 1 ELSE 0 END), 0), COUNT(*), COALESCE(SUM(k.size), 0)
		FROM `+packageTables+` WHERE k.removed < ? AND `+where, append([]any{catalog.Active, fileDeleted}, args...)...).Scan(&p.Packages, &p.Files, &p.Bytes)
	if err != nil {
		return p, err
	}
	row := deletionRow{repositoryRow: repositoryRow{settings: p.Settings}, target: t}
	if p.Refused, err = row.refused(ctx, q, where, args); err != nil {
		return p, err
	}
	if p.Unused = p.Files == 0; !t.Whole() {
		p.Snapshots, err = snapshotsNaming(ctx, q, t)
		return p, err
	}
	if p.Unused { // the names of packages that are gone stay
		n, err := scanID(q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+packageTables+` WHERE `+where, args...).Scan)
		if p.Unused = n == 0; err != nil {
			return p, err
		}
	}
	if p.ArchiveOf, err = archivedIn(ctx, q, t.Repository); err != nil {
		return p, err
	}
	return p, q.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots s JOIN repositories p ON p.id = s.repository_id WHERE `+where, args...).Scan(&p.Snapshots)
}

// refused returns why the target would not be deleted. where selects its packages.
func (row *deletionRow) refused(ctx context.Context, q querier, where string, args []any) (refused, err error) {
	if row.deleted() != nil {
		return nil, nil // a repeat changes nothing
	}
	if refused := row.check(); refused != nil {
		return refused, nil
	}
	if row.isLast() {
		return ErrOnlyComponent, nil
	}
	held, err := scanID(q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+packageTables+` WHERE `+where+` AND k.state = ?`, append(args[:len(args):len(args)], catalog.Reserved)...).Scan)
	if err == nil && held > 0 {
		refused = ErrTrainHolds
	}
	return refused, err
}

// snapshotsNaming returns how many snapshots name a distribution, or have packages of a component. One that is in the making may, and is
// counted.
func snapshotsNaming(ctx context.Context, q querier, t catalog.PackageTarget) (n int, err error) {
	args := []any{t.Repository.Owner, t.Repository.Name, catalog.SnapshotAsked, t.Repository.Owner, t.Repository.Name, t.Distribution.OS, t.Distribution.Version}
	from := `SELECT t.snapshot_id FROM snapshot_releases t JOIN releases r ON r.id = t.release_id
		JOIN distributions d ON d.id = r.distribution_id JOIN repositories p ON p.id = d.repository_id WHERE ` + releaseKey
	if t.Component != "" {
		from += ` AND EXISTS (SELECT 1 FROM visibility v JOIN packages k ON k.id = v.package_id WHERE v.release_id = r.id AND t.came_until >= v.came
			AND (v.went IS NULL OR v.went > t.went_after) AND k.component = ?)`
		args = append(args, t.Component)
	}
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots s JOIN repositories o ON o.id = s.repository_id
		WHERE o.owner = ? AND o.name = ? AND (s.state = ? OR s.id IN (`+from+`))`, args...).Scan(&n)
	return n, err
}
