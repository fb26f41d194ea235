package main

import (
	"context"
	"fmt"

	"repomill/pipelines/command"
	"repomill/schemas/catalogdb"
)

type migrateCmd struct {
	Catalog string `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. A password is named by ?password-file=PATH."`
}

// Help says when to run it.
func (migrateCmd) Help() string {
	return `It may be repeated, and it may run while workers of the previous release run.

Exit codes: 0 up to date, 2 usage, 4 the catalog cannot be reached.

Examples:
  repomill migrate --catalog 'mysql://mill@db/mill?password-file=/etc/mill/password'
  repomill migrate --catalog sqlite:///srv/repomill/catalog.db`
}

// Run migrates.
func (c *migrateCmd) Run(ctx context.Context, io stdio) error {
	db, err := catalogdb.Open(c.Catalog) // which asks no server
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
