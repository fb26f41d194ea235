// Command repomill-client has the commands push, status, ls, hint and check of repomill, for CI. It is half the size, and runs no
// worker.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
)

// commands is the command line. The help of a field describes its command.
type commands struct {
	client.Commands
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	slog.SetDefault(slog.New(command.LogHandler(os.Stderr, "text", "warn")))
	line := command.Line{
		Name:        "repomill-client",
		Description: "Pushes packages to repositories of repomill, and shows their state.",
		Out:         os.Stdout, Err: os.Stderr,
	}
	os.Exit(line.Run(ctx, &commands{}, os.Args[1:], func(c *kong.Context) error {
		return c.Run(client.Stdio{Out: os.Stdout, Err: os.Stderr}, client.ReplicaChecker(nil))
	}))
}
