package ingest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// checkConflict returns owner, which has the identity of upload u, if file f of u has the same bytes and owner was
// not withdrawn, and does not wait for another release train than u is for. Otherwise it returns a rejection that names owner, or a fault of the catalog.
func (g *Ingester) checkConflict(ctx context.Context, u catalog.Upload, k, owner catalog.Package, f catalog.File) (catalog.Package, error) {
	name := fmt.Sprintf("%s %s %s", owner.Name, owner.Version, owner.Arch)
	at := fmt.Sprintf("%s %s", k.Repository, k.Distribution)
	if owner.Component != k.Component {
		at += fmt.Sprintf(", component %s,", owner.Component)
	}
	since, sums := owner.Uploaded.Format("2006-01-02 15:04:05 UTC"), fmt.Sprintf("sha256 %s there, %s here", owner.File.SHA256, f.SHA256)
	switch {
	case owner.State == catalog.Dropped:
		return k, fmt.Errorf("%s in %s: %w", name, at, catalogdb.ErrBeingRemoved)
	case owner.State == catalog.Reserved:
		return g.checkReservation(ctx, u, k, owner, f)
	case owner.Replaced() && owner.File.SHA256 == f.SHA256:
		if layout.TrainOf(u.Object) != "" {
			return k, input.Reject(catalog.YankedIdentity, "%s was published in %s with these bytes before, and replaced; push it without --train", name, strings.TrimSuffix(at, ","))
		}
		return owner, nil
	case owner.Embargo != "" && (owner.File.SHA256 != f.SHA256 || !embargoed(u)): // nothing is said of its bytes
		return k, catalogdb.ReservedBy(owner)
	case owner.State == catalog.Claimed && owner.Embargo == "" && embargoed(u):
		return k, input.Reject(catalog.Conflict, "%s in %s is claimed since %s by an upload without an embargo, which did not finish: its file may be seen already; push that again, or raise the version", name, at, since)
	case owner.State == catalog.Yanked:
		if owner.File.SHA256 != f.SHA256 {
			u = catalog.Upload{}
		}
		back, err := g.Catalog.CanUnyank(ctx, owner, u)
		if err != nil {
			return k, err
		}
		if owner.Variant != "" {
			return k, input.Reject(catalog.YankedIdentity, "%s with these bytes was withdrawn from %s%s: they come back by repomill unyank or rollback alone; push other bytes, or raise the version",
				name, strings.TrimSuffix(at, ","), yankPhrase(owner.Yank))
		}
		advice := "; no other file takes its name: raise the version, or take the withdrawal back with repomill unyank"
		if !back {
			advice = ", and its file was removed for good; no other file takes its name: raise the version"
		}
		return k, input.Reject(catalog.YankedIdentity, "%s was withdrawn from %s%s%s", name, strings.TrimSuffix(at, ","), yankPhrase(owner.Yank), advice)
	case owner.File.SHA256 == f.SHA256:
		return owner, nil
	case owner.State == catalog.Claimed:
		working, err := g.Catalog.ClaimLeased(ctx, owner, g.Now())
		if err != nil {
			return k, err
		}
		if working {
			return k, input.Reject(catalog.Conflict, "another file of the name %s is being published in %s right now, since %s%s: %s; raise the version of one of them",
				name, strings.TrimSuffix(at, ","), since, pusherPhrase(owner.Pusher), sums)
		}
		return k, input.Reject(catalog.Conflict, "%s in %s is claimed since %s by an upload of another file%s that did not finish: %s; push that file again, or raise the version",
			name, at, since, pusherPhrase(owner.Pusher), sums)
	default:
		return k, input.Reject(catalog.Conflict, "%s is in %s since %s with other bytes%s: %s; raise the version", name, at, since, pusherPhrase(owner.Pusher), sums)
	}
}

// checkReservation returns owner, which waits for a release train, if u is pushed for the same one with the same bytes. Else the
// rejection says nothing of the bytes.
func (g *Ingester) checkReservation(ctx context.Context, u catalog.Upload, k, owner catalog.Package, f catalog.File) (catalog.Package, error) {
	train, held, err := g.Catalog.HeldFor(ctx, owner)
	if err != nil {
		return k, err
	}
	ours := catalog.TrainName{Owner: k.Repository.Owner, Name: layout.TrainOf(u.Object)}
	if held && train == ours && owner.File.SHA256 == f.SHA256 {
		return owner, nil
	}
	return k, catalogdb.ReservedBy(owner)
}

// pusherPhrase describes who pushed a package, as its upload claimed it, for the end of a sentence. It is "" if the
// upload did not say it.
func pusherPhrase(by catalog.Pusher) string {
	switch {
	case by.User != "" && by.Job != "":
		return fmt.Sprintf(" (pushed by %.100q in job %.300q)", by.User, by.Job)
	case by.User != "":
		return fmt.Sprintf(" (pushed by %.100q)", by.User)
	case by.Job != "":
		return fmt.Sprintf(" (pushed in job %.300q)", by.Job)
	}
	return ""
}

// yankPhrase describes when a package was withdrawn, by whom and why, for the end of a sentence.
func yankPhrase(y *catalog.Yank) string {
	if y == nil {
		return ""
	}
	s := " on " + y.At.Format(time.DateOnly)
	if y.By != "" {
		s += fmt.Sprintf(" by %.100q", y.By)
	}
	return s + fmt.Sprintf(" (%.200q)", y.Reason)
}

// suggestion names a declared repository with a similar name, for the end of a sentence, or is "".
func (g *Ingester) suggestion(ctx context.Context, r catalog.Repository) string {
	all, err := g.Catalog.Repositories(ctx)
	if err != nil {
		return "" // the rejection is complete without it
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Repository.String()
	}
	if near := layout.Nearest(r.String(), names); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}
