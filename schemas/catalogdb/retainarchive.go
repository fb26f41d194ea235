package catalogdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A LeavingPackage is a package that no rule of retention keeps.
type LeavingPackage struct {
	SelectedPackage
	Archive catalog.Place     // where it is copied to first
	Copy    catalog.CopyState // what a copy meets there; empty if there is no archive: it is withdrawn at once
	Detail  string            // why it cannot go there, and stays
	Upload  catalog.Upload    // that makes the copy, if one does already
}

// goes reports whether a run withdraws the package, or sees it to the archive. again: also what was rejected there before.
func (p LeavingPackage) goes(again bool) bool {
	switch p.Copy {
	case "", catalog.ToCopy, catalog.CopyThere:
		return true
	case catalog.CopyUnderWay:
		return p.Upload != catalog.Upload{}
	case catalog.CopyRefused:
		return again && p.Upload != catalog.Upload{}
	default:
		return false
	}
}

// Stays reports whether the package stays, since the archive cannot take it.
func (p LeavingPackage) Stays() bool { return p.Copy != catalog.CopyUnderWay && !p.goes(true) }

// An archiveOf is the archive of a rule set.
type archiveOf struct {
	catalog.Archive
	of       catalog.Distribution // of the set; zero for all
	settings *catalog.Settings    // nil if it is not declared
	round    []catalog.Repository // archives from this one on that lead back to the repository; none if they do not
}

// archivesOf returns the archives of the rule sets for a target.
func archivesOf(ctx context.Context, q querier, s catalog.Settings, t catalog.PackageTarget) (all []archiveOf, err error) {
	for _, set := range s.Retention {
		if set.Archive == nil || !t.Whole() && set.Distribution != (catalog.Distribution{}) && set.Distribution != t.Distribution {
			continue
		}
		a := archiveOf{Archive: *set.Archive, of: set.Distribution}
		of, err := settings(ctx, q, a.Repository)
		switch {
		case err == nil:
			a.settings = &of
			if a.round, err = archivesBack(ctx, q, s.Repository, of, set.Distribution, nil); err != nil {
				return nil, err
			}
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// archiveFor returns the archive of a distribution; nil for none.
func (s RetentionState) archiveFor(d catalog.Distribution) (found *archiveOf) {
	for i, a := range s.archive {
		if a.of == d || a.of == (catalog.Distribution{}) && found == nil {
			found = &s.archive[i]
		}
	}
	return found
}

// ArchiveSettings returns the settings of the archive of a distribution; zero without one.
func (s RetentionState) ArchiveSettings(d catalog.Distribution) (of catalog.Settings) {
	if a := s.archiveFor(d); a != nil && a.settings != nil {
		of = *a.settings
	}
	return of
}

// archiveTargets returns the repositories of the archives.
func (s RetentionState) archiveTargets() (all []catalog.PackageTarget) {
	for _, a := range s.archive {
		all = append(all, catalog.PackageTarget{Repository: a.Repository})
	}
	return all
}

// A RoundError says that the archives of rules lead back to the repository that has them.
type RoundError struct{ Archive, Of catalog.Repository } // the repository, and the last one on the way

// Error implements error.
func (e *RoundError) Error() string {
	return fmt.Sprintf("packages would go round: %s is the archive of %s, which is to be an archive of it; name another repository with --archive, or take the archive from the rules of %s", e.Archive, e.Of, e.Of)
}

// CheckArchive returns why an archive of the rules cannot take packages. The error is a sentence for the user.
func (s RetentionState) CheckArchive() error {
	for _, a := range s.archive {
		if err := a.Check(s.Settings, a.settings); err != nil {
			return err
		}
		if n := len(a.round); n > 0 {
			return &RoundError{Archive: s.Settings.Repository, Of: a.round[n-2]}
		}
	}
	return nil
}

// look sets what copies of packages of one distribution meet in the archive.
func (a *archiveOf) look(ctx context.Context, q querier, packages []LeavingPackage) error {
	d := packages[0].Package.Distribution
	meets, err := a.holders(ctx, q, d, packages)
	if err != nil {
		return err
	}
	for i := range packages {
		p := &packages[i]
		p.Archive = catalog.Place{Repository: a.Repository, Distribution: d, Component: p.Package.Component}
		if a.settings == nil {
			p.Copy, p.Detail = catalog.CopyRefused, "the archive is not declared"
		} else if err := a.settings.Takes(p.Package, d, p.Package.Component); err != nil {
			p.Copy, p.Detail = catalog.CopyRefused, err.Error()
		} else {
			p.Copy, p.Detail = CopyMeets(p.Package, meets[p.id])
			if h := meets[p.id]; h != nil && MovedAway(*h) && h.File.SHA256 == p.Package.File.SHA256 && h.Component == p.Package.Component {
				p.Copy, p.Detail = catalog.ToCopy, "" // it comes back
			}
		}
	}
	return lookUnderWay(ctx, q, packages)
}

// holders returns what the archive has, by the id of the package whose copy meets it.
func (a *archiveOf) holders(ctx context.Context, q querier, d catalog.Distribution, packages []LeavingPackage) (map[int64]*catalog.Package, error) {
	type holder struct {
		id                 int64
		component, variant string
		state              catalog.PackageState
		sha256, reason     string
	}
	where, args := in("s.id", leavingIDs(packages))
	rows, err := collect(ctx, q, func(scan func(...any) error) (h holder, err error) {
		return h, scan(&h.id, &h.component, &h.variant, &h.state, &h.sha256, &h.reason)
	}, `SELECT s.id, k.component, k.variant, k.state, k.sha256, k.yank_reason FROM packages s
		JOIN repositories p ON p.owner = ? AND p.name = ? JOIN distributions d ON d.repository_id = p.id AND d.os = ? AND d.version = ?
		JOIN packages k ON k.distribution_id = d.id AND k.name = s.name AND k.canonical = s.canonical AND k.arch = s.arch WHERE `+where+` ORDER BY s.id, k.component`,
		append([]any{a.Repository.Owner, a.Repository.Name, d.OS, d.Version}, args...)...)
	if err != nil {
		return nil, err
	}
	of := map[int64][]holder{}
	for _, h := range rows {
		of[h.id] = append(of[h.id], h)
	}
	meets := map[int64]*catalog.Package{}
	for _, p := range packages {
		var blocks *catalog.Package // from another component
		free := false
		for _, h := range of[p.id] {
			k := p.Package
			k.Repository, k.Component, k.State, k.File.SHA256 = a.Repository, h.component, h.state, h.sha256
			k.Yank = &catalog.Yank{Reason: h.reason}
			switch {
			case h.component == p.Package.Component && h.variant == withVariant(p.Package, a.settings != nil && a.settings.Mutable).Variant:
				meets[p.id] = &k
			case h.sha256 != p.Package.File.SHA256 && (blocks == nil || blocks.File.SHA256 == p.Package.File.SHA256):
				blocks = &k
			case blocks == nil:
				blocks, free = &k, free || h.state != catalog.Yanked
			default:
				free = free || h.state != catalog.Yanked
			}
		}
		if meets[p.id] == nil && blocks != nil && p.Package.Format == catalog.DEB && (!free || blocks.File.SHA256 != p.Package.File.SHA256) {
			meets[p.id] = blocks // as [blocking]
		}
	}
	return meets, nil
}

// lookUnderWay sets which packages are being moved, and which copies were rejected.
func lookUnderWay(ctx context.Context, q querier, packages []LeavingPackage) error {
	at := map[int64]*LeavingPackage{}
	for i := range packages {
		at[packages[i].id] = &packages[i]
	}
	where, args := in("m.package_id", leavingIDs(packages))
	type promotion struct {
		id             int64
		target, reason string
		move           catalog.MoveState
		state          catalog.UploadState
		why, detail    string
		upload         catalog.Upload
	}
	rows, err := collect(ctx, q, func(scan func(...any) error) (p promotion, err error) {
		u := &p.upload
		return p, scan(&p.id, &p.target, &p.reason, &p.move, &p.state, &p.why, &p.detail, &u.Bucket, &u.Object, &u.Generation, &u.Size)
	}, `SELECT m.package_id, m.target, m.withdraw_reason, m.move, u.state, u.reason, u.detail, u.bucket, u.object, u.generation, u.size
		FROM promotions m JOIN uploads u ON u.id = m.upload_id WHERE `+where+` AND m.move IN (?, ?) ORDER BY m.upload_id`, append(args, catalog.MoveWaiting, catalog.MoveKept)...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p := at[r.id]
		here := r.target == p.Archive.String() && r.reason == catalog.Expired
		switch {
		case r.move == catalog.MoveWaiting:
			p.Copy, p.Detail, p.Upload = catalog.CopyUnderWay, "it is being moved to "+r.target, catalog.Upload{}
			if here {
				p.Detail, p.Upload = "", r.upload
			}
		case p.Copy == catalog.ToCopy && here && r.state == catalog.Rejected:
			p.Copy, p.Detail, p.Upload = catalog.CopyRefused, r.why+": "+r.detail, r.upload
		}
	}
	return nil
}

func leavingIDs(packages []LeavingPackage) []int64 {
	ids := make([]int64, len(packages))
	for i, p := range packages {
		ids[i] = p.id
	}
	return ids
}

// ask asks for the copies of what leaves. fresh are the uploads for them, which another try uses, too.
func (c *Retained) ask(ctx context.Context, tx *transaction, s RetentionState, fresh map[int64]catalog.Upload, now time.Time) error {
	for i := range c.Archiving {
		p := &c.Archiving[i]
		if p.Copy == catalog.CopyUnderWay {
			continue
		}
		w := Wish{Source: p.Package, To: p.Archive, Withdraw: catalog.Expired, rules: rulesDigest(s.Settings, p.Package.Distribution)}
		if _, has := fresh[p.id]; !has {
			fresh[p.id] = uploadFor(w)
		}
		var err error
		if p.Upload, err = promote(ctx, tx, w, fresh[p.id], now); err != nil {
			return err
		}
		c.Asked++
	}
	return nil
}

// rulesDigest identifies the rules of a distribution, be they paused or not.
func rulesDigest(s catalog.Settings, d catalog.Distribution) string {
	sets := slices.Clone(s.RetentionOf(d))
	for i := range sets {
		sets[i].Automatic, sets[i].AllowShrink = false, false
	}
	text, _ := json.Marshal(sets) // plain data
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// judgeRules decides that a package stays which is in the archive by now, if the rules by which it was to leave have changed: their next
// run decides. If it stays because there is no copy, the runs of its distribution have stopped.
func (m *dueMove) judgeRules(ctx context.Context, tx *transaction) error {
	if m.rules == "" {
		return nil
	}
	k := m.source
	if m.end == catalog.MoveKept {
		why := fmt.Sprintf("%s %s %s stays, since it is not in the archive: %s; repomill retain plan %s lists what cannot go there", k.Name, k.Version, k.Arch, m.detail, wholeOf(k.Place()))
		_, err := tx.ExecContext(ctx, `UPDATE retentions SET stopped = ? WHERE distribution_id = ?`, cut(why, maxStopped), m.from)
		return err
	}
	of, err := settings(ctx, tx, k.Repository)
	if err == nil && rulesDigest(of, k.Distribution) != m.rules {
		m.end, m.detail = catalog.MoveKept, "the rules of retention have changed since it was asked for in the archive: their next run decides"
	}
	return err
}
