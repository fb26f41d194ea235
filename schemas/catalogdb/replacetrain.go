package catalogdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// trainVariantFaults returns why held packages of mutable repositories cannot become active, as sentences for people.
func trainVariantFaults(ctx context.Context, q querier, n catalog.TrainName, stored []Stored) (faults []string, err error) {
	variants := map[string]string{} // of name, version and architecture in a distribution
	for _, s := range stored {
		k := s.Package
		if k.Variant == "" {
			continue
		}
		name := fmt.Sprintf("%s %s %s", k.Name, k.Version, k.Arch)
		key := strings.Join([]string{k.Repository.String(), k.Distribution.String(), k.Name, k.Canonical, k.Arch}, "\x00")
		if v, has := variants[key]; has && v != k.Variant {
			faults = append(faults, fmt.Sprintf("it holds two files of %s in %s %s: drop them with repomill train drop %s %s=%s, and push one again", name, k.Repository, k.Distribution, n, k.Name, k.Version))
		}
		variants[key] = k.Variant
		others, err := otherBytes(ctx, q, k)
		if err != nil {
			return nil, err
		}
		for _, row := range others {
			if rej := refuseOther(s.Upload, k, row.pkg); rej != nil {
				faults = append(faults, rej.Detail)
			}
		}
	}
	return faults, nil
}

// readReplaced sets what the held packages of mutable repositories take the place of.
func readReplaced(ctx context.Context, q querier, rows []memberRow) error {
	for i := range rows {
		m := &rows[i].member
		if m.Package == nil || m.State != catalog.Held {
			continue
		}
		others, err := otherBytes(ctx, q, *m.Package)
		if err != nil {
			return err
		}
		for _, o := range others {
			m.Replaces = append(m.Replaces, o.pkg)
		}
	}
	return nil
}

// replaceByTrain withdraws what the packages of a release train take the place of, and returns what that changes.
func replaceByTrain(ctx context.Context, tx *transaction, rows []memberRow, stored []Stored, releases map[distributionKey][]releaseRow, now time.Time) (changes []packageChange, err error) {
	for i, s := range stored {
		others, err := otherBytes(ctx, tx, s.Package)
		if err != nil || len(others) == 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		gone, replaced, err := replaceOthers(ctx, tx, s.Package, s.Package.Pusher, others, releases[distributionOf(s)], now)
		if err != nil {
			return nil, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE uploads SET replaced = ? WHERE id = ?`, replaced, rows[i].id); err != nil {
			return nil, err
		}
		changes = append(changes, gone...)
	}
	return changes, nil
}
