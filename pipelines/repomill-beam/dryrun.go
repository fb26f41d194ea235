package main

import (
	"context"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalogdb"
)

// dryRun translates a job without uploads. It uses no resource, but returns a usage error for an invalid URL of the catalog, or
// one with a password.
func dryRun(ctx context.Context, e *engine, workers pipelines.Config) error {
	db, err := catalogdb.Open(workers.Catalog)
	if err != nil {
		return command.Usage("%w", err)
	}
	if err := db.Close(); err != nil {
		return err
	}
	const name = "repomill-dry-run"
	return e.storer(workers, name)(ctx, name, []pipelines.Batch{{Tasks: []pipelines.Task{}}}, false)
}
