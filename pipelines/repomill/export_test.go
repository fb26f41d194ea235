package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"repomill/schemas/catalogdb"
	"repomill/serve/api"
)

// RunWithCallers runs a command line of the program as main does, with these callers of the API.
func RunWithCallers(args []string, callers api.Authenticator) int {
	callersOf = func(*catalogdb.DB) api.Authenticator { return callers }
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, stdio{os.Stdout, os.Stderr})
}
