package catalogdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var (
	// ErrOtherBytes is returned for a package of a mutable repository that cannot be active again: its version has other bytes now.
	ErrOtherBytes = errors.New("its version has other bytes now")
	// ErrReturning is returned for bytes that come back after they were replaced, while their file is being removed. The upload is
	// tried again.
	ErrReturning = errors.New("the file of these bytes is being removed, because they were replaced before")
)

// A variantUpload is an upload to a mutable repository that is about to take effect.
type variantUpload struct {
	id    int64
	of    catalog.Upload
	by    catalog.Pusher
	order uploadOrder
}

// An uploadOrder orders uploads: by when their bytes reached staging, and then by when the catalog learnt of them.
type uploadOrder struct {
	at time.Time
	id int64
}

func (o uploadOrder) compare(p uploadOrder) int {
	return cmp.Or(o.at.Compare(p.at), cmp.Compare(o.id, p.id))
}

// scanVariantUpload reads an upload of the columns id, bucket, object, generation, received_at, pushed_by and pushed_job.
func scanVariantUpload(scan func(...any) error) (u variantUpload, err error) {
	err = scan(&u.id, &u.of.Bucket, &u.of.Object, &u.of.Generation, (*scanTime)(&u.order.at), &u.by.User, &u.by.Job)
	u.order.id = u.id
	if at, known := u.of.Staged(); known {
		u.order.at = at
	}
	return u, err
}

const variantUploadColumns = `id, bucket, object, generation, received_at, pushed_by, pushed_job`

func readVariantUpload(ctx context.Context, q querier, id int64) (variantUpload, error) {
	return scanVariantUpload(q.QueryRowContext(ctx, `SELECT `+variantUploadColumns+` FROM uploads WHERE id = ?`, id).Scan)
}

// lastUpload returns the order of the last upload that had the bytes of a row. If the catalog knows none, because it was rebuilt, that is
// the time which the row has.
func lastUpload(ctx context.Context, q querier, row packageRow) (last uploadOrder, err error) {
	uploads, err := collect(ctx, q, scanVariantUpload, `SELECT `+variantUploadColumns+` FROM uploads WHERE package_id = ? AND state IN (?, ?, ?)`,
		row.id, catalog.Stored, catalog.Published, catalog.Duplicate)
	if err != nil || len(uploads) == 0 {
		return uploadOrder{at: row.pkg.Uploaded}, err
	}
	return slices.MaxFunc(uploads, func(a, b variantUpload) int { return a.order.compare(b.order) }).order, nil
}

// latestFirst sorts uploads to mutable repositories by their order, the last one first: those before it are refused then, and are never
// active. Others keep their places.
func latestFirst(ctx context.Context, q querier, stored []Stored) ([]Stored, error) {
	if !slices.ContainsFunc(stored, func(s Stored) bool { return s.Package.Variant != "" }) {
		return stored, nil
	}
	orders := map[catalog.Upload]uploadOrder{}
	for _, s := range stored {
		u, err := scanVariantUpload(q.QueryRowContext(ctx, `SELECT `+variantUploadColumns+` FROM uploads WHERE bucket = ? AND object = ? AND generation = ?`,
			s.Upload.Bucket, s.Upload.Object, s.Upload.Generation).Scan)
		if err = notFound(err); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		orders[s.Upload] = u.order
	}
	stored = slices.Clone(stored)
	slices.SortStableFunc(stored, func(a, b Stored) int { return orders[b.Upload].compare(orders[a.Upload]) })
	return stored, nil
}

// activateVariant is activate of an upload to a mutable repository: the package takes the place of the active one with other bytes.
func activateVariant(ctx context.Context, tx *transaction, s Stored, upload int64, holder catalog.Package, id int64, releases []releaseRow, now time.Time) ([]packageChange, error) {
	if rej := checkActivatable(s.Package, holder); rej != nil && !holder.Replaced() {
		return nil, reject(ctx, tx, upload, *rej, now)
	}
	c := packageChange{upload: upload, pkg: id, changed: holder.State != catalog.Active}
	var err error
	if c.releases, err = releasesShowing(s, releases); err != nil {
		return nil, err
	}
	if !c.changed {
		_, err := tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '', package_id = ?, checked = ? WHERE id = ?`, catalog.Stored, catalog.Duplicate, id, s.Checked, upload)
		return []packageChange{c}, err
	}
	u, err := readVariantUpload(ctx, tx, upload)
	if err != nil {
		return nil, err
	}
	others, err := otherBytes(ctx, tx, holder)
	if err != nil {
		return nil, err
	}
	rej, err := refuseVariant(ctx, tx, u, holder, others)
	if err != nil {
		return nil, err
	}
	if rej != nil {
		if holder.Yank == nil { // else it stays withdrawn
			if err := dropClaim(ctx, tx, id, now); err != nil {
				return nil, err
			}
		}
		return nil, reject(ctx, tx, upload, *rej, now)
	}
	if rej, err := showVariant(ctx, tx, s, holder, id, now); err != nil {
		return nil, err
	} else if rej != nil {
		return nil, reject(ctx, tx, upload, *rej, now)
	}
	if holder.State == catalog.Claimed && holder.Yank != nil {
		if err := returned(ctx, tx, id, holder, now); err != nil {
			return nil, err
		}
	}
	gone, replaced, err := replaceOthers(ctx, tx, holder, u.by, others, releases, now)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '', package_id = ?, checked = ?, replaced = ? WHERE id = ?`,
		catalog.Stored, catalog.Published, id, s.Checked, replaced, upload)
	return append([]packageChange{c}, gone...), err
}

// refuseVariant returns why an upload does not take the place of others, or nil: it is older than one of them, they are in another
// component, or it was pushed to replace nothing.
func refuseVariant(ctx context.Context, q querier, u variantUpload, k catalog.Package, others []packageRow) (*catalog.Rejection, error) {
	for _, row := range others {
		if rej := refuseOther(u.of, k, row.pkg); rej != nil {
			return rej, nil
		}
		last, err := lastUpload(ctx, q, row)
		if err != nil {
			return nil, err
		}
		if u.order.compare(last) < 0 {
			return &catalog.Rejection{Reason: catalog.Replaced, Detail: fmt.Sprintf(
				"%s %s %s in %s has other bytes, which were pushed after this file and are published already (sha256 %s; this file has %s): push this file again if clients are to have it",
				k.Name, k.Version, k.Arch, k.Place(), row.pkg.File.SHA256, k.File.SHA256)}, nil
		}
	}
	return nil, nil
}

// refuseOther returns why an upload cannot take the place of an active package of a mutable repository, whenever it was pushed, or nil.
func refuseOther(u catalog.Upload, k, other catalog.Package) *catalog.Rejection {
	what := fmt.Sprintf("%s %s %s in %s is published with other bytes (sha256 %s; this file has %s)", k.Name, k.Version, k.Arch, other.Place(), other.File.SHA256, k.File.SHA256)
	switch {
	case other.Component != k.Component:
		return &catalog.Rejection{Reason: catalog.Conflict, Detail: what + ", and a version has the same bytes in all components: push to that component, or withdraw it there first"}
	case layout.IsIfAbsent(u.Object):
		return &catalog.Rejection{Reason: catalog.Conflict, Detail: what + ", and --if-absent replaces nothing: raise the version, or push without it"}
	}
	return nil
}

// RefuseOther returns why an upload of k cannot take the place of what is active, as far as that is known before it takes effect; nil if
// it can.
func (d *DB) RefuseOther(ctx context.Context, u catalog.Upload, k catalog.Package) (rej *catalog.Rejection, err error) {
	err = d.ask(ctx, func(q querier) error {
		rej = nil
		others, err := otherBytes(ctx, q, k)
		for _, row := range others {
			if rej = refuseOther(u, k, row.pkg); rej != nil {
				break
			}
		}
		return err
	})
	return rej, err
}

// dropClaim gives up a claim whose upload is refused: its row is as one whose bytes were replaced, so that the file stays for the retention
// period. It may be published: a catalog that was lost reads staging before it has the rows of the release. A row in another state stays.
func dropClaim(ctx context.Context, tx *transaction, pkg int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = '' WHERE id = ? AND state = ?`,
		catalog.Yanked, millis(now), catalog.ReplacedReason, pkg, catalog.Claimed)
	return err
}

// showVariant makes a package active that is claimed, or was replaced before.
func showVariant(ctx context.Context, tx *transaction, s Stored, k catalog.Package, id int64, now time.Time) (*catalog.Rejection, error) {
	if k.State == catalog.Claimed {
		_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE id = ?`, catalog.Active, id)
		return nil, err
	}
	lost, err := scanID(tx.QueryRowContext(ctx, `SELECT removed IN (?, ?) OR (stanza IS NULL AND primary_xml IS NULL) FROM packages WHERE id = ?`+tx.forUpdate, fileDoomed, fileDeleted, id).Scan)
	if err != nil {
		return nil, err
	}
	if lost != 0 {
		return nil, fmt.Errorf("%s %s %s: %w", k.Name, k.Version, k.Arch, ErrReturning)
	}
	if err := checkOffered(ctx, tx, k); errors.Is(err, ErrRetired) {
		return &catalog.Rejection{Reason: catalog.UnknownArchitecture, Detail: fmt.Sprintf("repository %s does not have architecture %s in %s any more", k.Repository, k.Arch, k.Distribution)}, nil
	} else if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = NULL, yank_reason = '', yanked_by = '', removed = 0, uploaded_at = ? WHERE id = ?`,
		catalog.Active, millis(s.Package.Uploaded), id)
	if err == nil {
		_, err = tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) VALUES (?, ?)`, id, millis(now))
	}
	return nil, err
}

// replaceOthers withdraws the packages whose place k takes, and returns what that changes, and their digest. Uploads that wait for them
// to be published are rejected.
func replaceOthers(ctx context.Context, tx *transaction, k catalog.Package, by catalog.Pusher, others []packageRow, releases []releaseRow, now time.Time) (changes []packageChange, replaced string, err error) {
	y := catalog.Yank{Reason: catalog.ReplacedReason, By: cut(by.User, maxUser), At: now.UTC().Truncate(time.Second)}
	for _, row := range others {
		name := fmt.Sprintf("%s %s %s", k.Name, k.Version, k.Arch)
		rej := catalog.Rejection{Reason: catalog.Replaced, Detail: fmt.Sprintf("%s in %s got other bytes before clients saw these (sha256 %s; this file has %s): they were pushed later",
			name, k.Place(), k.File.SHA256, row.pkg.File.SHA256)}
		if err := rejectWaiting(ctx, tx, row.id, rej, now); err != nil {
			return nil, "", err
		}
		if err := yank(ctx, tx, row.id, y, now); err != nil {
			return nil, "", err
		}
		entry := packageEntry(catalog.ActionReplace, k, catalog.Yank{By: y.By})
		entry.Detail, entry.Job = fmt.Sprintf("%s: sha256 %s in place of %s", name, k.File.SHA256, row.pkg.File.SHA256), cut(by.Job, maxJob)
		if err := record(ctx, tx, now, entry); err != nil {
			return nil, "", err
		}
		c := packageChange{pkg: row.id, changed: true}
		for _, r := range releases {
			if shows(r.arch, dirOf(row.pkg)) {
				c.releases = append(c.releases, r)
			}
		}
		changes, replaced = append(changes, c), row.pkg.File.SHA256
	}
	return changes, replaced, nil
}

// claimAgain prepares a row whose bytes were replaced, and whose file or index entry is gone, for the same bytes: its file is stored again, and
// the row stays withdrawn until [DB.Activate]. It reports false for a row that needs nothing.
func claimAgain(ctx context.Context, tx *transaction, id int64, k catalog.Package, fragments []any) (claimed bool, err error) {
	var removed int
	var lost bool
	err = tx.QueryRowContext(ctx, `SELECT removed, stanza IS NULL AND primary_xml IS NULL FROM packages WHERE id = ?`+tx.forUpdate, id).Scan(&removed, &lost)
	switch {
	case err != nil:
		return false, err
	case removed == fileDoomed:
		return false, ErrReturning
	case removed != fileDeleted && removed != fileAgain && !lost:
		return false, nil
	}
	distribution, err := lockClaims(ctx, tx, k)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE packages SET removed = ?, stanza = ?, primary_xml = ?, filelists_xml = ?, other_xml = ?, source = ?, phase = ? WHERE id = ?`,
		append(append([]any{fileAgain}, fragments...), sourceColumn(k.Stanza), phaseColumn(k.Stanza), id)...)
	if err == nil {
		err = replaceNeeds(ctx, tx, distribution, id, k.Needs)
	}
	return true, err
}

// notAgain has the file removed that a rejected upload may have stored once more ([claimAgain]): as the withdrawal of the row says or, if that
// is another one by now, at once. It may as well have stored none, if it hung: without its index entry the row does not come back before an
// upload has stored the file again. One of the same bytes that is on its way meets [ErrReturning].
func notAgain(ctx context.Context, tx *transaction, upload int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE packages SET removed = CASE WHEN yank_reason = ? THEN ? ELSE ? END, stanza = NULL, primary_xml = NULL, filelists_xml = NULL, other_xml = NULL
		WHERE state = ? AND removed = ? AND id = (SELECT package_id FROM uploads WHERE id = ?)`,
		catalog.ReplacedReason, fileKept, fileUrgent, catalog.Yanked, fileAgain, upload)
	return err
}
