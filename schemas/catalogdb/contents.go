package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// Contents are what was read of the files of a package, or why that was not done.
type Contents struct {
	Files     int    // how many, folders not counted
	Changelog string // the newest entries of its changelog, as it has them; empty if it has none
	Why       string // "not read: larger than 16 MiB"; empty if they were read
}

// A WantedContents is a package whose contents a process has taken to read.
type WantedContents struct {
	catalog.Package      // a row that has its file, without fragments; without a Key if there is none
	Attempts        int  // this one included
	Gone            bool // its list of files is to be deleted, and nothing read
}

// MaxContentsAttempts is how often the contents of a package are tried to be read, if that fails.
const MaxContentsAttempts = 5

// The states of contents.
const (
	contentsWanted  = "wanted"
	contentsDone    = "done"
	contentsSkipped = "skipped" // too large for the limit of this installation
	contentsFailed  = "failed"
	contentsGone    = "gone"
)

// contentsBatch is how many packages are looked up at a time.
const contentsBatch = 500

// WantContents asks for the contents of packages of a repository. Those that are known, and those of other formats, stay as they are.
// The step that makes pages calls it for the rows of [DB.PagePackages] whose Contents are nil.
func (d *DB) WantContents(ctx context.Context, r catalog.Repository, packages []catalog.Package) error {
	wanted := map[string]catalog.Package{} // by SHA-256
	var sums []string
	for _, k := range packages {
		if _, there := wanted[k.File.SHA256]; k.Format == catalog.DEB && !there {
			wanted[k.File.SHA256] = k
			sums = append(sums, k.File.SHA256)
		}
	}
	slices.Sort(sums) // all callers lock rows in this order
	for some := range slices.Chunk(sums, contentsBatch) {
		if err := d.tx(ctx, func(tx *transaction) error { return wantContents(ctx, tx, r, some, wanted) }); err != nil {
			return fmt.Errorf("ask for the contents of packages of %s: %w", r, err)
		}
	}
	return nil
}

// WantContentsAgain asks for the contents of packages of a repository to be read once more, whose lists of files are lost.
func (d *DB) WantContentsAgain(ctx context.Context, r catalog.Repository, packages []catalog.Package) error {
	for _, k := range packages {
		err := d.exec(ctx, `UPDATE package_contents SET state = ?, attempts = 0, not_before = at WHERE `+ofRepository+` AND sha256 = ? AND state = ?`,
			contentsWanted, r.Owner, r.Name, k.File.SHA256, contentsDone)
		if err != nil {
			return fmt.Errorf("ask for the contents of %s %s of %s again: %w", k.Name, k.Version, r, err)
		}
	}
	return nil
}

func wantContents(ctx context.Context, tx *transaction, r catalog.Repository, sums []string, packages map[string]catalog.Package) error {
	repository, err := scanID(tx.QueryRowContext(ctx, `SELECT id FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan)
	if err != nil {
		return notFound(err)
	}
	where, args := in("sha256", sums)
	states := map[string]string{}
	_, err = collect(ctx, tx, func(scan func(...any) error) (struct{}, error) {
		var sum, state string
		err := scan(&sum, &state)
		states[sum] = state
		return struct{}{}, err
	}, `SELECT sha256, state FROM package_contents WHERE repository_id = ? AND `+where, append([]any{repository}, args...)...)
	if err != nil {
		return err
	}
	for _, sum := range sums {
		switch states[sum] {
		case "":
			k := packages[sum]
			_, err = tx.ExecContext(ctx, `INSERT INTO package_contents (repository_id, sha256, name, version, canonical, size, state, not_before, at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, repository, sum, k.Name, k.Version, k.Canonical, k.File.Size, contentsWanted, millis(k.Uploaded), millis(k.Uploaded))
		case contentsGone: // it was pushed again; its list may be being deleted until not_before
			_, err = tx.ExecContext(ctx, `UPDATE package_contents SET state = ?, attempts = 0 WHERE repository_id = ? AND sha256 = ? AND state = ?`,
				contentsWanted, repository, sum, contentsGone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TakeContents takes the package that waits longest, for the caller alone until a time; those that are gone come first. Without
// reading only those are taken. One whose readers end without a word fails after [MaxContentsAttempts].
func (d *DB) TakeContents(ctx context.Context, reading bool, now, until time.Time) (w WantedContents, taken bool, err error) {
	for _, state := range []string{contentsGone, contentsWanted} {
		for !taken && err == nil && (reading || state == contentsGone) {
			var found bool
			if w, found, taken, err = d.takeContents(ctx, state, now, until); !found {
				break
			}
		}
	}
	if err != nil {
		return w, false, fmt.Errorf("take a package whose contents are wanted: %w", err)
	}
	return w, taken, nil
}

// takeContents takes one in a state. found reports whether there was one, which another process may have taken.
func (d *DB) takeContents(ctx context.Context, state string, now, until time.Time) (w WantedContents, found, taken bool, err error) {
	var repository, notBefore int64
	err = d.ask(ctx, func(q querier) error {
		w = WantedContents{Package: catalog.Package{Format: catalog.DEB}, Gone: state == contentsGone}
		return q.QueryRowContext(ctx, `SELECT c.repository_id, c.not_before, p.owner, p.name, c.sha256, c.name, c.version, c.canonical, c.size, c.attempts + 1
			FROM package_contents c JOIN repositories p ON p.id = c.repository_id WHERE c.state = ? AND c.not_before <= ? ORDER BY c.not_before LIMIT 1`, state, millis(now)).
			Scan(&repository, &notBefore, &w.Repository.Owner, &w.Repository.Name, &w.File.SHA256, &w.Name, &w.Version, &w.Canonical, &w.File.Size, &w.Attempts)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return w, false, false, nil
	}
	if err != nil {
		return w, false, false, err
	}
	if w.Attempts > MaxContentsAttempts && !w.Gone {
		return w, true, false, d.FailContents(ctx, w, "not read: the program ended each time that it tried", true, now, now)
	}
	err = d.tx(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, `UPDATE package_contents SET not_before = ?, attempts = attempts + 1 WHERE repository_id = ? AND sha256 = ? AND state = ? AND not_before = ?`,
			millis(until), repository, w.File.SHA256, state, notBefore)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		taken = n == 1
		return err
	})
	if err != nil || !taken || w.Gone {
		return w, true, taken, err
	}
	return w, true, true, d.findContents(ctx, repository, &w.Package)
}

// findContents sets k to a row that has its bytes, an active one if there is one.
func (d *DB) findContents(ctx context.Context, repository int64, k *catalog.Package) error {
	err := d.ask(ctx, func(q querier) error {
		return scanPackage(k, q.QueryRowContext(ctx, `SELECT `+packageColumns+` FROM `+packageTables+`
			WHERE d.repository_id = ? AND k.name = ? AND k.canonical = ? AND k.sha256 = ? AND k.state IN (?, ?) AND k.removed < ? ORDER BY k.state, k.id LIMIT 1`,
			repository, k.Name, k.Canonical, k.File.SHA256, catalog.Active, catalog.Yanked, fileDoomed).Scan)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// PutContents stores what was read of a package, and asks for the pages of its version. kept is false if it is not wanted any more.
// It may be called again, and by another process that has read the same.
func (d *DB) PutContents(ctx context.Context, r catalog.Repository, sha256 string, c Contents, now time.Time) (kept bool, err error) {
	state := contentsDone
	if c.Why != "" {
		state = contentsSkipped
	}
	kept, err = d.endContents(ctx, r, sha256, state, c, now)
	if err != nil {
		return false, fmt.Errorf("store the contents of a package of %s: %w", r, err)
	}
	return kept, nil
}

// FailContents records why the contents of a package were not read, after so many attempts. If that is final, or after
// [MaxContentsAttempts], pages say why, as c.Why does of [DB.PutContents]; before, they are tried again at a time.
func (d *DB) FailContents(ctx context.Context, w WantedContents, why string, final bool, now, again time.Time) (err error) {
	if final || w.Attempts >= MaxContentsAttempts {
		_, err = d.endContents(ctx, w.Repository, w.File.SHA256, contentsFailed, Contents{Why: why}, now)
	} else {
		err = d.delayContents(ctx, w, `fault = ?, not_before = ?`, cut(why, maxContentsFault), millis(again))
	}
	if err != nil {
		return fmt.Errorf("record why the contents of %s %s of %s were not read: %w", w.Name, w.Version, w.Repository, err)
	}
	return nil
}

// ReturnContents gives back a package that was taken, and not read: the attempt does not count. It may be called again.
func (d *DB) ReturnContents(ctx context.Context, w WantedContents, now time.Time) error {
	if err := d.delayContents(ctx, w, `attempts = ?, not_before = ?`, w.Attempts-1, millis(now)); err != nil {
		return fmt.Errorf("give back %s %s of %s: %w", w.Name, w.Version, w.Repository, err)
	}
	return nil
}

func (d *DB) delayContents(ctx context.Context, w WantedContents, set string, args ...any) error {
	return d.exec(ctx, `UPDATE package_contents SET `+set+` WHERE `+ofRepository+` AND sha256 = ? AND state = ? AND attempts = ?`,
		append(args, w.Repository.Owner, w.Repository.Name, w.File.SHA256, contentsWanted, w.Attempts)...)
}

const (
	ofRepository     = `repository_id = (SELECT id FROM repositories WHERE owner = ? AND name = ?)`
	maxContentsFault = 2000 // bytes
)

// endContents stores a result, unless the package is gone, and asks for pages if that is something else than before.
func (d *DB) endContents(ctx context.Context, r catalog.Repository, sha256, state string, c Contents, now time.Time) (kept bool, err error) {
	changelog, err := pack([]byte(c.Changelog))
	if err != nil {
		return false, err
	}
	err = d.tx(ctx, func(tx *transaction) error {
		kept = false
		var repository int64
		var name, version, was string
		err := tx.QueryRowContext(ctx, `SELECT repository_id, name, version, state FROM package_contents WHERE `+ofRepository+` AND sha256 = ?`+tx.forUpdate,
			r.Owner, r.Name, sha256).Scan(&repository, &name, &version, &was)
		if errors.Is(err, sql.ErrNoRows) || err == nil && was == contentsGone {
			return nil
		}
		if kept = err == nil; err != nil || was == contentsDone {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE package_contents SET state = ?, files = ?, changelog = ?, fault = ?, at = ?, not_before = ? WHERE repository_id = ? AND sha256 = ?`,
			state, c.Files, changelog, cut(c.Why, maxContentsFault), millis(now), millis(now), repository, sha256)
		if err != nil {
			return err
		}
		return tx.askPages(ctx, repository, pageAsk{name: name, version: version, at: millis(now), alone: true})
	})
	return kept, err
}

// ForgetContents removes the record of a package that is gone, after its list of files was deleted.
func (d *DB) ForgetContents(ctx context.Context, w WantedContents) error {
	err := d.exec(ctx, `DELETE FROM package_contents WHERE `+ofRepository+` AND sha256 = ? AND state = ?`, w.Repository.Owner, w.Repository.Name, w.File.SHA256, contentsGone)
	if err != nil {
		return fmt.Errorf("forget the contents of %s %s of %s: %w", w.Name, w.Version, w.Repository, err)
	}
	return nil
}
