package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A Wish is a package that is to be copied to another place.
type Wish struct {
	Source catalog.Package // its identity and digest
	To     catalog.Place

	// Withdraw is the reason with which the package is withdrawn where it is, once clients see the copy: the package moves. Empty
	// for a copy.
	Withdraw string

	rules string // digest of the rules of retention by which it leaves; empty for another reason
}

// maxReason bounds [Wish.Withdraw], in bytes.
const maxReason = 4096

// MovedTo begins the reason of the withdrawals of packages that were moved; the new place follows.
const MovedTo = "moved to "

// MovedElsewhere is the reason of such a withdrawal if the new place is in a private repository: pages show reasons, and not its name.
const MovedElsewhere = "moved to another repository"

// MovedAway reports whether a package is withdrawn because it was moved to another place: a copy of the same bytes brings it back.
// The reason is a place and nothing else: people may write more after the same words.
func MovedAway(k catalog.Package) bool {
	if k.State != catalog.Yanked || k.Yank == nil {
		return false
	}
	place, moved := strings.CutPrefix(k.Yank.Reason, MovedTo)
	t, err := catalog.ParsePackageTarget(place)
	return moved && err == nil && !t.Whole() && !strings.ContainsAny(place, " ,;") || k.Yank.Reason == MovedElsewhere
}

// reason returns why the source of a wish is withdrawn: empty if it is not.
func (w Wish) reason(ctx context.Context, q querier) (string, error) {
	if !strings.HasPrefix(w.Withdraw, MovedTo) || w.To.Repository == w.Source.Repository {
		return w.Withdraw, nil
	}
	var v catalog.Visibility
	err := q.QueryRowContext(ctx, `SELECT visibility FROM repositories WHERE owner = ? AND name = ?`, w.To.Repository.Owner, w.To.Repository.Name).Scan(&v)
	if err == nil && v != catalog.Public {
		return MovedElsewhere, nil
	}
	return w.Withdraw, notFound(err)
}

// maxWishes is how many wishes one transaction records. It is a variable for tests.
var maxWishes = 500

// Promote asks for copies of published packages, in the name of the context's actor, and returns the upload that makes each:
// any worker works on it as on one whose bytes are in staging. A wish that is not finished yet is not recorded twice; it moves the
// package if one of them does. The package of a move may be in the new place already: its upload is a duplicate. The error
// wraps [ErrNotFound] for a package that is not published; wishes before it may be recorded then.
func (d *DB) Promote(ctx context.Context, wishes []Wish, now time.Time) (uploads []catalog.Upload, err error) {
	for some := range slices.Chunk(wishes, maxWishes) {
		fresh := make([]catalog.Upload, len(some))
		for i, w := range some {
			fresh[i] = uploadFor(w)
		}
		asked := make([]catalog.Upload, len(some))
		err := d.tx(ctx, func(tx *transaction) error {
			if err := lockMoves(ctx, tx, some); err != nil {
				return err
			}
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
	if w.Withdraw, err = w.reason(ctx, tx); err != nil {
		return fresh, err
	}
	answer, answers, err := wished(ctx, tx, id, source, w, fresh, now)
	if err != nil || answers {
		return answer, err
	}
	upload, err := insertWish(ctx, tx, id, w, fresh, now)
	if err != nil {
		return fresh, err
	}
	if w.Withdraw != "" {
		if err := duplicateOf(ctx, tx, upload, source, w.To, now); err != nil {
			return fresh, err
		}
	}
	return fresh, record(ctx, tx, now, promotionEntries(source, w)...)
}

// wished returns the upload that answers a wish for a row of packages already, and whether there is one: it makes the copy, or did and waits
// to move the package. A copy that was made and withdrawn since answers no wish.
func wished(ctx context.Context, tx *transaction, pkg int64, source catalog.Package, w Wish, fresh catalog.Upload, now time.Time) (answer catalog.Upload, answers bool, err error) {
	type pending struct {
		upload catalog.Upload
		id     int64
		state  catalog.UploadState
		move   catalog.MoveState
	}
	all, err := collect(ctx, tx, func(scan func(...any) error) (p pending, err error) {
		return p, scan(&p.upload.Bucket, &p.upload.Object, &p.upload.Generation, &p.upload.Size, &p.id, &p.state, &p.move)
	}, `SELECT u.bucket, u.object, u.generation, u.size, u.id, u.state, m.move FROM promotions m JOIN uploads u ON u.id = m.upload_id
		WHERE m.package_id = ? AND m.target = ? AND (u.state IN (?, ?) OR m.move = ? AND ? <> '' OR u.object = ?) ORDER BY u.id`,
		pkg, w.To.String(), catalog.Received, catalog.Stored, catalog.MoveWaiting, w.Withdraw, fresh.Object)
	if err != nil || len(all) == 0 {
		return fresh, false, err
	}
	_, _, there, err := copyIn(ctx, tx, source, w.To)
	if err != nil {
		return fresh, false, err
	}
	for _, p := range all {
		switch {
		case p.state.Final() && !there && p.upload != fresh:
			continue
		case w.Withdraw == "" || p.move != "":
			return p.upload, true, nil
		}
		return p.upload, true, moveToo(ctx, tx, p.id, source, w, now)
	}
	return fresh, false, nil
}

// insertWish inserts the rows of a wish for a row of packages, and returns the id of its upload.
func insertWish(ctx context.Context, tx *transaction, pkg int64, w Wish, fresh catalog.Upload, now time.Time) (upload int64, err error) {
	by := catalog.ActorOf(ctx)
	res, err := tx.ExecContext(ctx, `INSERT INTO uploads (bucket, object, generation, size, state, outcome, reason, detail, lease_owner, lease_token, lease_until, attempts, received_at, verdict_written, staged, pushed_by, pushed_job, repository)
		VALUES (?, ?, ?, ?, ?, '', '', '', '', '', 0, 0, ?, 0, ?, ?, ?, ?)`,
		fresh.Bucket, fresh.Object, fresh.Generation, fresh.Size, catalog.Received, millis(now), objectGone, cut(by.User, maxUser), cut(by.Job, maxJob), repositoryOf(fresh.Object))
	if err != nil {
		return 0, err
	}
	if upload, err = res.LastInsertId(); err != nil {
		return 0, err
	}
	move := catalog.MoveState("")
	if w.Withdraw != "" {
		move = catalog.MoveWaiting
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO promotions (upload_id, package_id, target, actor, why, job, move, withdraw_reason, rules) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		upload, pkg, w.To.String(), cut(by.User, maxUser), by.Why, cut(by.Job, maxJob), move, cut(w.Withdraw, maxReason), w.rules)
	return upload, err
}

// promotionEntries returns the entries of the audit log for a wish: that of the target and, if it is another repository, that of
// the source.
func promotionEntries(k catalog.Package, w Wish) []catalog.AuditEntry {
	to, moves := w.To, ""
	if w.Withdraw != "" {
		moves = ", to be withdrawn there"
	}
	entry := packageEntry(catalog.ActionPromote, k, catalog.Yank{})
	name, from := entry.Detail, entry.Target
	entries := []catalog.AuditEntry{{Action: catalog.ActionPromote, Target: to.String(), Detail: name + " from " + from + moves}}
	if k.Repository != to.Repository {
		entries[0].Elsewhere, entry.Elsewhere = &k.Repository, &to.Repository
		if moves != "" {
			moves = ", to be withdrawn here"
		}
		entry.Detail = name + " to " + to.String() + moves
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
