package main

import (
	"context"

	"repomill/pipelines"
)

// dryRun translates a job without uploads. It opens no resource.
func dryRun(ctx context.Context, e *engine, workers pipelines.Config) error {
	return e.Run(ctx, "repomill-dry-run", storeJob(workers, "repomill-dry-run", []pipelines.Batch{{Run: "repomill-dry-run", Tasks: []pipelines.Task{}}}), false)
}
