package client

import (
	"context"
	"errors"
	"fmt"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"strings"
)

// ParseRepository parses owner/name. Errors are usage errors.
func ParseRepository(s string) (catalog.Repository, error) {
	owner, name, ok := strings.Cut(strings.Trim(s, "/"), "/")
	r := catalog.Repository{Owner: owner, Name: name}
	if !ok {
		return r, command.Usage("repository %q: use owner/name, such as acme/tools", s)
	}
	if rej := layout.CheckRepository(r); rej != nil {
		return r, command.Usage("repository %q: %s", s, rej.Detail)
	}
	return r, nil
}

// NotDeclared turns [catalogdb.ErrNotFound] for a repository into an error that names a similar one. Other errors become faults
// of the catalog.
func NotDeclared(ctx context.Context, db *catalogdb.DB, r catalog.Repository, err error) error {
	if errors.Is(err, catalogdb.ErrDeleted) {
		return err
	}
	if !errors.Is(err, catalogdb.ErrNotFound) {
		return command.Fault(err)
	}
	all, listed := db.Repositories(ctx)
	if listed != nil {
		return command.Fault(listed)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Repository.String())
	}
	if near := layout.Nearest(r.String(), names); near != "" {
		return fmt.Errorf("repository %s is not declared; did you mean %s?", r, near)
	}
	return fmt.Errorf("repository %s is not declared; declare it with repomill repo create", r)
}
