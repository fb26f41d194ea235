package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// hideMovedPlaces has packages of other repositories, which were moved to a repository that becomes private, name it no more in the reasons of their
// withdrawals: pages and lists that all can read have those, and are made again.
func hideMovedPlaces(ctx context.Context, tx *transaction, r catalog.Repository, now time.Time) error {
	type movedRow struct {
		id, repository int64
		pkg            catalog.Package
	}
	prefix := MovedTo + r.String() + "/"
	rows, err := collect(ctx, tx, func(scan func(...any) error) (m movedRow, err error) {
		m.pkg.State, m.pkg.Yank = catalog.Yanked, &catalog.Yank{}
		d := &m.pkg.Distribution
		return m, scan(&m.id, &m.repository, &m.pkg.Repository.Owner, &m.pkg.Repository.Name, &d.OS, &d.Version, &m.pkg.Yank.Reason)
	}, `SELECT k.id, p.id, p.owner, p.name, d.os, d.version, k.yank_reason FROM `+packageTables+`
		WHERE k.state = ? AND SUBSTR(k.yank_reason, 1, ?) = ? AND NOT (p.owner = ? AND p.name = ?) ORDER BY d.id, k.id`,
		catalog.Yanked, len(prefix), prefix, r.Owner, r.Name)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(m movedRow) bool { return !MovedAway(m.pkg) })
	var places []catalog.PackageTarget
	for _, m := range rows {
		places = append(places, catalog.PackageTarget{Repository: m.pkg.Repository, Distribution: m.pkg.Distribution})
	}
	targets, err := tx.lockedTargets(ctx, slices.Compact(places)...) // releases before their packages, and in the order of all others
	if err != nil {
		return err
	}
	for i, m := range rows {
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET yank_reason = ? WHERE id = ? AND state = ? AND yank_reason = ?`, MovedElsewhere, m.id, catalog.Yanked, m.pkg.Yank.Reason); err != nil {
			return err
		}
		if err := tx.askPagesOf(ctx, m.id, now); err != nil {
			return err
		}
		if i > 0 && rows[i-1].repository == m.repository {
			continue
		}
		if err := tx.askFront(ctx, m.repository, now); err != nil {
			return err
		}
	}
	for _, d := range slices.Concat(targets...) {
		for _, of := range d.releases {
			if err := advance(ctx, tx, of, now); err != nil { // their lists of withdrawn packages have the reason
				return err
			}
		}
	}
	return nil
}

// movedTo returns the repository that the reason of a withdrawal by a move names.
func movedTo(reason string) (to catalog.Repository, moved bool) {
	place, moved := strings.CutPrefix(reason, MovedTo)
	t, err := catalog.ParsePackageTarget(place)
	return t.Repository, moved && err == nil
}

// shownReason returns the reason of a withdrawal by a move that was asked for with another one: the new place may have become private since. It
// locks the repository of that place, so that it does not become private before the transaction ends.
func shownReason(ctx context.Context, tx *transaction, source catalog.Package, reason string) (string, error) {
	to, moved := movedTo(reason)
	if !moved || to == source.Repository {
		return reason, nil
	}
	id, err := repositoryID(ctx, tx, to)
	if err == nil && tx.forUpdate != "" { // by its primary key, as [transaction.lockDistribution] does
		_, err = scanID(tx.QueryRowContext(ctx, `SELECT id FROM repositories WHERE id = ? LOCK IN SHARE MODE`, id).Scan)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", to, err)
	}
	shown, err := Wish{Source: source, To: catalog.Place{Repository: to}, Withdraw: reason}.reason(ctx, tx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", to, err)
	}
	return shown, nil
}
