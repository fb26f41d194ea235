package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"path"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// countMembers returns how many members of a train are held, and how many wait or were rejected.
func countMembers(members []catalog.TrainMember) (held, others int) {
	for _, m := range members {
		switch {
		case m.State == catalog.Held:
			held++
		case m.State == catalog.Received, m.State == catalog.Rejected && m.Reason != catalog.DroppedFromTrain:
			others++
		}
	}
	return held, others
}

// A memberRow is an upload of a release train with the ids of its rows.
type memberRow struct {
	id, pkg int64 // pkg is 0 if the upload has no package
	member  catalog.TrainMember
}

func membersOf(rows []memberRow) []catalog.TrainMember {
	members := make([]catalog.TrainMember, len(rows))
	for i, row := range rows {
		members[i] = row.member
	}
	return members
}

// trainMembers returns the uploads of a release train, by the folder and name of their files.
func trainMembers(ctx context.Context, q querier, train int64) ([]memberRow, error) {
	rows, err := collect(ctx, q, func(scan func(...any) error) (row memberRow, err error) {
		var pkg sql.NullInt64
		u := &row.member.Upload
		err = scan(&row.id, &pkg, &u.Bucket, &u.Object, &u.Generation, &u.Size, &row.member.State, &row.member.Reason, &row.member.Detail, (*scanTime)(&row.member.Received))
		row.pkg = pkg.Int64
		return row, err
	}, `SELECT u.id, u.package_id, u.bucket, u.object, u.generation, u.size, u.state, u.reason, u.detail, u.received_at
		FROM train_uploads m JOIN uploads u ON u.id = m.upload_id WHERE m.train_id = ? ORDER BY u.id LIMIT ?`, train, maxSelected+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > maxSelected {
		return nil, ErrTooMany
	}
	if err := readMemberPackages(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := readReplaced(ctx, q, rows); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b memberRow) int {
		return strings.Compare(memberPlace(a.member), memberPlace(b.member))
	})
	return rows, nil
}

// memberPlace returns where an upload goes, and as what.
func memberPlace(m catalog.TrainMember) string { return layout.ShownStaging(m.Upload.Object) }

func readMemberPackages(ctx context.Context, q querier, rows []memberRow) error {
	packages := map[int64]*catalog.Package{}
	var ids []int64
	for _, row := range rows {
		if row.pkg != 0 {
			ids = append(ids, row.pkg)
		}
	}
	for some := range slices.Chunk(ids, selectChunk) {
		where, args := in("k.id", some)
		found, err := collect(ctx, q, func(scan func(...any) error) (row packageRow, err error) {
			return row, scanPackage(&row.pkg, scan, &row.id)
		}, `SELECT k.id, `+packageColumns+` FROM `+packageTables+` WHERE `+where, args...)
		if err != nil {
			return err
		}
		for _, row := range found {
			packages[row.id] = &row.pkg
		}
	}
	for i := range rows {
		rows[i].member.Package = packages[rows[i].pkg]
	}
	return nil
}

// withdrawnSince reports whether clients had a package when it was pushed for a train, and do not have it any more.
func withdrawnSince(m catalog.TrainMember) bool {
	return m.State == catalog.Duplicate && m.Package != nil && m.Package.State != catalog.Active
}

// TrainFaults returns why a release train with these uploads cannot be published, as sentences for people; none if it can.
func TrainFaults(t catalog.Train, members []catalog.TrainMember) (faults []string) {
	accepted := map[string]bool{} // places whose last upload is held, or published already
	for _, m := range slices.Backward(slices.SortedStableFunc(slices.Values(members), func(a, b catalog.TrainMember) int { return a.Received.Compare(b.Received) })) {
		place := memberPlace(m)
		name := path.Base(place) + " for " + path.Dir(place)
		switch {
		case m.State == catalog.Received:
			faults = append(faults, name+" is being read: wait until push --wait, or repomill status, says held")
		case m.State == catalog.Rejected && m.Reason != catalog.DroppedFromTrain && !accepted[place]:
			faults = append(faults, fmt.Sprintf("%s was rejected (%s: %s): push it again for the train, or leave it out with repomill train drop %s --rejected", name, m.Reason, m.Detail, t.Train))
		case m.State == catalog.Held && (m.Package == nil || m.Package.State != catalog.Reserved):
			faults = append(faults, notReserved(t, m, name))
		case withdrawnSince(m) && !accepted[place]:
			k := m.Package
			faults = append(faults, fmt.Sprintf("%s %s %s was published in %s when it was pushed for the train, and is not any more: bring it back with repomill unyank, or leave it out with repomill train drop %s --rejected",
				k.Name, k.Version, k.Arch, k.Place(), t.Train))
		case withdrawnSince(m): // a later upload took its place in the train
		case m.State != catalog.Rejected:
			accepted[place] = true
		}
	}
	if len(members) == 0 || len(faults) == 0 && !slices.ContainsFunc(members, func(m catalog.TrainMember) bool { return m.State == catalog.Held }) {
		faults = append(faults, fmt.Sprintf("it holds no package: push some with --train %s", t.Train.Name))
	}
	slices.Sort(faults)
	return faults
}

// notReserved says why a held upload has no package that waits.
func notReserved(t catalog.Train, m catalog.TrainMember, name string) string {
	if k := m.Package; k != nil && (k.State == catalog.Active || k.State == catalog.Yanked) {
		return fmt.Sprintf("%s %s %s is %s in %s already, outside of the train: drop it with repomill train drop %s %s=%s",
			k.Name, k.Version, k.Arch, map[catalog.PackageState]string{catalog.Active: "published", catalog.Yanked: "withdrawn"}[k.State], k.Place(), t.Train, k.Name, k.Version)
	}
	return fmt.Sprintf("%s has lost its row: push it again for the train", name)
}
