package main

import (
	"context"
	"fmt"

	"repomill/pipelines/command"
	"repomill/schemas/catalogdb"
)

type migrateCmd struct {
	Catalog string `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. ?password-file=PATH names the file with the password."`
}

// Help says when to run it.
func (migrateCmd) Help() string {
	return `The command may be repeated, and may run while workers of the previous version run.

Exit codes: 0 up to date, 2 usage, 4 the catalog cannot be reached.

Examples:
  repomill migrate --catalog 'mysql://mill@db/mill?password-file=/etc/mill/password'
  repomill migrate --catalog sqlite:///srv/repomill/catalog.db`
}

// Run migrates.
func (c *migrateCmd) Run(ctx context.Context, io stdio) error {
	db, err := catalogdb.Open(c.Catalog) // connects to no server
	if err != nil {
		return command.Usage("%w", err)
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return command.Fault(err)
	}
	fmt.Fprintln(io.out, "the catalog's schema is up to date")
	return nil
}
