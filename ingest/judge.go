package ingest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// judge says whether file f of an upload may be what holder is.
func (g *Ingester) judge(ctx context.Context, u catalog.Upload, k, holder catalog.Package, f catalog.File) (catalog.Package, error) {
	name := fmt.Sprintf("%s %s %s", holder.Name, holder.Version, holder.Arch)
	at := fmt.Sprintf("%s %s", k.Repository, k.Distribution)
	if holder.Component != k.Component {
		at += fmt.Sprintf(", component %s,", holder.Component)
	}
	since, sums := holder.Uploaded.Format("2006-01-02 15:04:05 UTC"), fmt.Sprintf("sha256 %s there, %s here", holder.File.SHA256, f.SHA256)
	switch {
	case holder.State == catalog.Yanked:
		if holder.File.SHA256 != f.SHA256 {
			u = catalog.Upload{}
		}
		back, err := g.Catalog.CanUnyank(ctx, holder, u)
		if err != nil {
			return k, err
		}
		advice := "; no other file takes its name: raise the version, or take the withdrawal back with repomill unyank"
		if !back {
			advice = ", and its file was removed for good; no other file takes its name: raise the version"
		}
		return k, input.Reject(catalog.YankedIdentity, "%s was withdrawn from %s%s%s", name, strings.TrimSuffix(at, ","), withdrawn(holder.Yank), advice)
	case holder.File.SHA256 == f.SHA256:
		return holder, nil
	case holder.State == catalog.Claimed:
		working, err := g.Catalog.ClaimLeased(ctx, holder, g.Now())
		if err != nil {
			return k, err
		}
		if working {
			return k, input.Reject(catalog.Conflict, "another file of the name %s is being published in %s right now, since %s%s: %s; raise the version of one of them",
				name, strings.TrimSuffix(at, ","), since, pushed(holder.Pusher), sums)
		}
		return k, input.Reject(catalog.Conflict, "%s in %s is claimed since %s by an upload of another file%s that did not finish: %s; push that file again, or raise the version",
			name, at, since, pushed(holder.Pusher), sums)
	default:
		return k, input.Reject(catalog.Conflict, "%s is in %s since %s with other bytes%s: %s; raise the version", name, at, since, pushed(holder.Pusher), sums)
	}
}

// pushed says who pushed a package, as far as its upload claimed it.
func pushed(by catalog.Pusher) string {
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

// withdrawn says when a package was withdrawn, by whom and why.
func withdrawn(y *catalog.Yank) string {
	if y == nil {
		return ""
	}
	s := " on " + y.At.Format(time.DateOnly)
	if y.By != "" {
		s += fmt.Sprintf(" by %.100q", y.By)
	}
	return s + fmt.Sprintf(" (%.200q)", y.Reason)
}

// nearest names the declared repository that was perhaps meant, if there is one.
func (g *Ingester) nearest(ctx context.Context, r catalog.Repository) string {
	all, err := g.Catalog.Repositories(ctx)
	if err != nil {
		return "" // the rejection stands without
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
