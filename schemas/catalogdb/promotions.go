package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A Wish is a package that is to be copied to another place.
type Wish struct {
	Source catalog.Package // its identity and digest
	To     catalog.Place
}

// maxWishes is how many wishes one transaction records. It is a variable for tests.
var maxWishes = 500

// Promote asks for copies of published packages, in the name of the context's actor, and returns the upload that makes each:
// any worker works on it as on one whose bytes are in staging. A wish that is not finished yet is not recorded twice. The error
// wraps [ErrNotFound] for a package that is not published; wishes before it may be recorded then.
func (d *DB) Promote(ctx context.Context, wishes []Wish, now time.Time) (uploads []catalog.Upload, err error) {
	for some := range slices.Chunk(wishes, maxWishes) {
		fresh := make([]catalog.Upload, len(some))
		for i, w := range some {
			fresh[i] = uploadFor(w)
		}
		asked := make([]catalog.Upload, len(some))
		err := d.tx(ctx, func(tx *transaction) error {
			for i, w := range some {
				var err error
				if asked[i], err = promote(ctx, tx, w, fresh[i], now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return uploads, fmt.Errorf("ask for copies: %w", err)
		}
		uploads = append(uploads, asked...)
	}
	return uploads, nil
}

// promote records one wish as the upload fresh, and returns that, or the upload that makes the copy already. The row of the
// source keeps two callers with one wish apart.
func promote(ctx context.Context, tx *transaction, w Wish, fresh catalog.Upload, now time.Time) (catalog.Upload, error) {
	what := fmt.Sprintf("%s %s %s of %s", w.Source.Name, w.Source.Version, w.Source.Arch, w.Source.Place())
	source, id, err := find(ctx, tx, w.Source)
	if err == nil && tx.forUpdate != "" {
		err = tx.QueryRowContext(ctx, `SELECT state FROM packages WHERE id = ?`+tx.forUpdate, id).Scan(&source.State)
	}
	switch {
	case err != nil:
		return fresh, fmt.Errorf("%s: %w", what, notFound(err))
	case source.State != catalog.Active || source.File.SHA256 != w.Source.File.SHA256:
		return fresh, fmt.Errorf("%s is not published any more: %w", what, ErrNotFound)
	}
	there, err := collect(ctx, tx, scanUpload, `SELECT u.bucket, u.object, u.generation, u.size FROM promotions m JOIN uploads u ON u.id = m.upload_id
		WHERE m.package_id = ? AND m.target = ? AND (u.state IN (?, ?) OR u.object = ?) ORDER BY u.id LIMIT 1`,
		id, w.To.String(), catalog.Received, catalog.Stored, fresh.Object)
	if err != nil || len(there) > 0 {
		return append(there, fresh)[0], err
	}
	by := catalog.ActorOf(ctx)
	res, err := tx.ExecContext(ctx, `INSERT INTO uploads (bucket, object, generation, size, state, outcome, reason, detail, lease_owner, lease_token, lease_until, attempts, received_at, told, staged, pushed_by, pushed_job, repository)
		VALUES (?, ?, ?, ?, ?, '', '', '', '', '', 0, 0, ?, 0, ?, ?, ?, ?)`,
		fresh.Bucket, fresh.Object, fresh.Generation, fresh.Size, catalog.Received, millis(now), objectGone, cut(by.User, maxUser), cut(by.Job, maxJob), repositoryOf(fresh.Object))
	if err != nil {
		return fresh, err
	}
	upload, err := res.LastInsertId()
	if err != nil {
		return fresh, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO promotions (upload_id, package_id, target, actor, why, job) VALUES (?, ?, ?, ?, ?, ?)`,
		upload, id, w.To.String(), cut(by.User, maxUser), by.Why, cut(by.Job, maxJob))
	if err != nil {
		return fresh, err
	}
	return fresh, record(ctx, tx, now, promotionEntries(source, w.To)...)
}

// promotionEntries returns the entries of the audit log for a wish: that of the target and, if it is another repository, that of
// the source.
func promotionEntries(k catalog.Package, to catalog.Place) []catalog.AuditEntry {
	entry := packageEntry(catalog.ActionPromote, k, catalog.Yank{})
	name, from := entry.Detail, entry.Target
	entries := []catalog.AuditEntry{{Action: catalog.ActionPromote, Target: to.String(), Detail: name + " from " + from}}
	if k.Repository != to.Repository {
		entry.Detail = name + " to " + to.String()
		entries = append(entries, entry)
	}
	return entries
}

// Promotion returns the wish behind an upload, with its package as it is now. The error wraps [ErrNotFound] if there is none, as
// after the loss of its row.
func (d *DB) Promotion(ctx context.Context, u catalog.Upload) (p catalog.Promotion, err error) {
	p.Upload = u
	err = d.ask(ctx, func(q querier) error {
		return scanPackage(&p.Source, q.QueryRowContext(ctx, `SELECT m.actor, m.why, m.job, `+packageColumns+`
			FROM uploads u JOIN promotions m ON m.upload_id = u.id JOIN packages k ON k.id = m.package_id
			JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id
			WHERE u.bucket = ? AND u.object = ? AND u.generation = ?`, u.Bucket, u.Object, u.Generation).Scan, &p.By.User, &p.By.Why, &p.By.Job)
	})
	if err = notFound(err); err == nil && p.Source.File.SHA256 != u.Generation {
		err = ErrNotFound // the row has another package now
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read what %s copies: %w", u, err)
	}
	return p, err
}

// Unattempted returns promotions that no worker has begun with, oldest first. [DB.Unfinished] has them, too.
func (d *DB) Unattempted(ctx context.Context, now time.Time, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND state = ? AND attempts = 0 AND lease_until <= ? ORDER BY id LIMIT ?`, catalog.PromotionBucket, catalog.Received, millis(now), limit)
}
