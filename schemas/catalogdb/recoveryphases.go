package catalogdb

import (
	"context"

	"repomill/schemas/catalog"
)

// A recoveredPhases is what a recovery knows of phases. An index has the phases that were published.
type recoveredPhases struct {
	rows    map[int64]int    // of rows that do not have [catalog.Everyone], by id; filled by [recovery.readHolders]
	pending map[phaseKey]int // that were asked for here after the revision that is read
}

// readPhases reads what was asked for in the distribution.
func (rec *recovery) readPhases(ctx context.Context) error {
	rec.phases = recoveredPhases{map[int64]int{}, map[phaseKey]int{}}
	if rec.r.Arch != "" {
		return nil
	}
	_, err := collect(ctx, rec.tx, func(scan func(...any) error) (_ struct{}, err error) {
		key, percent := phaseKey{distribution: rec.distribution}, 0
		err = scan(&key.component, &key.source, &percent)
		rec.phases.pending[key] = percent
		return struct{}{}, err
	}, `SELECT component, source, percentage FROM phases WHERE distribution_id = ? AND revision > ?`, rec.distribution, rec.read)
	return err
}

// phaseKeyOf returns the source of a published package.
func (rec *recovery) phaseKeyOf(k catalog.Package) phaseKey {
	return phaseKey{rec.distribution, k.Component, sourceColumn(k.Stanza)}
}

// keepPhase returns a published package with the phase that was asked for here since.
func (rec *recovery) keepPhase(k catalog.Package) catalog.Package {
	if len(rec.phases.pending) == 0 || k.State != catalog.Active {
		return k
	}
	if percent, is := rec.phases.pending[rec.phaseKeyOf(k)]; is {
		if published, _ := catalog.PhaseOf(k.Stanza); published != percent {
			k.Stanza = catalog.WithPhase(k.Stanza, percent)
		}
	}
	return k
}

// otherPhase reports whether a published package has another phase than its row.
func (rec *recovery) otherPhase(id int64, k catalog.Package) bool {
	if k.Format != catalog.DEB {
		return false
	}
	is, _ := catalog.PhaseOf(k.Stanza)
	was, phased := rec.phases.rows[id]
	return phased != (is != catalog.Everyone) || phased && was != is
}

// restoreAsked makes what was asked for the source of a published package the phase that was published, if the row has another one:
// later pushes of the source get it, too. Its steps go on from there.
func (rec *recovery) restoreAsked(ctx context.Context, id int64, k catalog.Package) error {
	if k.State != catalog.Active || !rec.otherPhase(id, k) {
		return nil
	}
	percent, _ := catalog.PhaseOf(k.Stanza)
	key := rec.phaseKeyOf(k)
	_, err := rec.tx.ExecContext(ctx, `UPDATE phases SET percentage = ? WHERE `+ofSource, append([]any{percent}, key.args()...)...)
	return err
}
