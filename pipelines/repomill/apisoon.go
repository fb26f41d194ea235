package main

import (
	"context"
	"time"

	"repomill/pipelines/command"
	"repomill/serve/api"
)

// soonSeen waits until look finds nothing missing of what a call has recorded, for at most wait, and reports whether that is so. A
// change that was undone since is an [api.Conflict]. Other errors of look are tried again: the change is recorded.
func soonSeen(ctx context.Context, wait time.Duration, look func(context.Context) (missing string, err error)) (seen bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		missing, err := look(ctx)
		switch {
		case err == nil && missing == "":
			return true, nil
		case err != nil && command.CodeOf(err) == command.Interrupted:
			return false, api.Conflict(err.Error())
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(changePeriod):
		}
	}
}
