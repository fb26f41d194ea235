package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// CheckTarget returns a usage error for a target, owner[/name[/os[/version[/more]]]], with a name that no repository or
// distribution can have.
func CheckTarget(target string) error {
	part := strings.Split(strings.Trim(target, "/"), "/")
	var rej *catalog.Rejection
	switch {
	case len(part) == 1: // an owner
		rej = layout.CheckRepository(catalog.Repository{Owner: part[0], Name: "name"})
	case len(part) < 4:
		rej = layout.CheckRepository(catalog.Repository{Owner: part[0], Name: part[1]})
	default:
		_, rej = layout.ParseStaging(strings.Join(part[:4], "/") + "/file")
	}
	if rej != nil {
		return command.Usage("target %q: %s", target, rej.Detail)
	}
	return nil
}

// WhyNothing returns an error that explains why a target does not exist: its repository has no distributions, or has this one
// under another name. It returns nil if neither explains it, also if the repository is not declared. Faults of the catalog have
// the exit code [command.Unreachable].
func WhyNothing(ctx context.Context, db *catalogdb.DB, target string) error {
	part := strings.Split(strings.Trim(target, "/"), "/")
	if len(part) < 2 {
		return nil
	}
	s, err := db.Settings(ctx, catalog.Repository{Owner: part[0], Name: part[1]})
	switch {
	case errors.Is(err, catalogdb.ErrNotFound):
		return nil
	case err != nil:
		return command.Fault(err)
	case len(s.Distributions) == 0:
		return errors.New(noDistributions(s.Repository))
	case len(part) < 4:
		return nil
	}
	d := catalog.Distribution{OS: part[2], Version: part[3]}
	if _, has := s.Find(d); has {
		return nil
	}
	use, other := layout.DefaultTable().Other(d)
	if !other {
		return nil
	}
	var has []string
	for _, ds := range s.Distributions {
		if ds.Distribution.String() == use {
			return fmt.Errorf("there is no %s: %s goes by another name here; use %s/%s", target, d, s.Repository, use)
		}
		has = append(has, ds.Distribution.String())
	}
	return fmt.Errorf("there is no %s: %s goes by the name %s here, which %s does not have; it has %s", target, d, use, s.Repository, strings.Join(has, ", "))
}

// noDistributions returns the sentence for a repository without distributions.
func noDistributions(r catalog.Repository) string {
	return fmt.Sprintf("%s has no distributions yet: declare one with repomill repo set %s --distribution OS/VERSION, such as ubuntu/jammy or el/9; with repomill up, the first push declares it", r, r)
}
