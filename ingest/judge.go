package ingest

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// judge says whether file f may be what holder is.
func judge(k, holder catalog.Package, f catalog.File) (catalog.Package, error) {
	name := fmt.Sprintf("%s %s %s", holder.Name, holder.Version, holder.Arch)
	switch {
	case holder.State == catalog.Yanked:
		return k, reject(catalog.YankedIdentity, "%s was withdrawn from %s %s%s; no other file takes its name: raise the version, or take the withdrawal back with repomill unyank", name, k.Repository, k.Distribution, withdrawn(holder.Yank))
	case holder.File.SHA256 != f.SHA256 && holder.State == catalog.Claimed:
		return k, reject(catalog.Conflict, "%s in %s %s is claimed since %s by an upload with other bytes%s that did not finish: sha256 %s there, %s here; push that file again, or raise the version",
			name, k.Repository, k.Distribution, holder.Uploaded.Format("2006-01-02 15:04:05 UTC"), pushed(holder.Pusher), holder.File.SHA256, f.SHA256)
	case holder.File.SHA256 != f.SHA256:
		return k, reject(catalog.Conflict, "%s is in %s %s since %s with other bytes%s: sha256 %s there, %s here; raise the version",
			name, k.Repository, k.Distribution, holder.Uploaded.Format("2006-01-02 15:04:05 UTC"), pushed(holder.Pusher), holder.File.SHA256, f.SHA256)
	case holder.Component != k.Component:
		return k, reject(catalog.OtherComponent, "%s is in component %q of %s %s already; a package is in one component only", name, holder.Component, k.Repository, k.Distribution)
	}
	return holder, nil
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
