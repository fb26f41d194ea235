package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// maxRepository is what the column of a repository holds: two names and a slash.
const maxRepository = 511

// repositoryOf returns the repository of an upload as its column has it: the first two segments of the object. Of an object
// that can be in no repository, or is under embargo, it is empty.
func repositoryOf(object string) string {
	if _, embargo := layout.CutEmbargo(object); embargo {
		return ""
	}
	p := strings.SplitN(object, "/", 3)
	if len(p) < 3 || p[0] == "" || p[1] == "" || len(p[0])+len(p[1])+1 > maxRepository {
		return ""
	}
	return p[0] + "/" + p[1]
}

// A PushedUpload is an upload with who pushed it, without the releases that it waits for.
type PushedUpload struct {
	catalog.Verdict
	Pusher catalog.Pusher
	From   catalog.Repository // of a promotion: where the package is; zero for others
	id     int64
}

// RecentUploads returns the newest uploads of a repository in some states, newest first. It reads limit rows of each state at most,
// however many there are.
func (d *DB) RecentUploads(ctx context.Context, r catalog.Repository, limit int, states ...catalog.UploadState) (uploads []PushedUpload, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		uploads = nil
		for _, s := range states {
			some, err := collect(ctx, q, scanPushed, `SELECT u.pushed_by, u.pushed_job, `+promotedFrom+verdictColumns+` FROM `+verdictTables+`
				WHERE u.repository = ? AND u.state = ? ORDER BY u.received_at DESC, u.id DESC LIMIT ?`, r.String(), s, limit)
			if err != nil {
				return err
			}
			uploads = append(uploads, some...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the newest uploads of %s: %w", r, err)
	}
	slices.SortFunc(uploads, func(a, b PushedUpload) int {
		return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.id, a.id))
	})
	return uploads[:min(len(uploads), limit)], nil
}

// promotedFrom are the columns of the repository that the package of a promotion is in.
const promotedFrom = `COALESCE((SELECT sp.owner` + promotionSource + `), ''), COALESCE((SELECT sp.name` + promotionSource + `), ''), `

const promotionSource = ` FROM promotions sm JOIN packages sk ON sk.id = sm.package_id JOIN distributions sd ON sd.id = sk.distribution_id
	JOIN repositories sp ON sp.id = sd.repository_id WHERE sm.upload_id = u.id`

func scanPushed(scan func(...any) error) (u PushedUpload, err error) {
	row, err := scanVerdict(func(dest ...any) error {
		return scan(append([]any{&u.Pusher.User, &u.Pusher.Job, &u.From.Owner, &u.From.Name}, dest...)...)
	})
	u.Verdict, u.id = row.verdict, row.id
	return u, err
}

// Waiting is how many uploads of a repository wait in a state, and since when the oldest does.
type Waiting struct {
	State  catalog.UploadState
	Count  int
	Oldest time.Time
}

// WaitingUploads returns the states in which uploads of a repository wait: for a worker to read them, for their releases to be
// published, or for their release train. States without an upload are left out.
func (d *DB) WaitingUploads(ctx context.Context, r catalog.Repository) (all []Waiting, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		all = nil
		for _, s := range []catalog.UploadState{catalog.Received, catalog.Stored, catalog.Held} {
			w := Waiting{State: s}
			var oldest sql.NullInt64
			if err := q.QueryRowContext(ctx, `SELECT COUNT(*), MIN(received_at) FROM uploads WHERE repository = ? AND state = ?`, r.String(), s).Scan(&w.Count, &oldest); err != nil {
				return err
			}
			if oldest.Valid {
				w.Oldest = instant(oldest.Int64)
				all = append(all, w)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count the waiting uploads of %s: %w", r, err)
	}
	return all, nil
}

// RecentChanges returns the newest entries of the audit log about a repository, newest first, without those about its owner or
// about all repositories.
func (d *DB) RecentChanges(ctx context.Context, r catalog.Repository, limit int) ([]catalog.AuditEntry, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (e catalog.AuditEntry, err error) {
		var elsewhere string
		err = scan((*scanTime)(&e.At), &e.By, &e.Action, &e.Target, &e.Detail, &e.Why, &e.Job, &elsewhere)
		e.Elsewhere = elsewhereOf(elsewhere)
		return e, err
	}, `SELECT at, actor, action, target, detail, why, job, elsewhere FROM audit WHERE owner = ? AND name = ? ORDER BY at DESC, id DESC LIMIT ?`, r.Owner, r.Name, limit)
	if err != nil {
		return nil, fmt.Errorf("list the newest changes of %s: %w", r, err)
	}
	return all, nil
}
