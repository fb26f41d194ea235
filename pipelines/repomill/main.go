// Command repomill turns packages that CI pushes into signed DEB and RPM repositories.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
)

// commands is the command line; the help of each field is its manual.
type commands struct {
	Up upCmd `cmd:"" help:"Run everything in one process, on files below one folder."`
	client.Commands

	Yank   yankCmd   `cmd:"" help:"Withdraw a package from its releases."`
	Unyank unyankCmd `cmd:"" help:"Take a withdrawal back."`
	Repo   repoCmd   `cmd:"" help:"Declare repositories, change them, list them."`
	Key    keyCmd    `cmd:"" help:"Replace the keys that sign releases, and watch over them."`
	Token  tokenCmd  `cmd:"" help:"Make, list and revoke tokens: those that open private repositories, and those of the API."`
	Log    logCmd    `cmd:"" help:"Print who changed what, and why."`
	Trust  trustCmd  `cmd:"" help:"Let CI jobs push with the ID tokens of their CI system."`

	Worker  workerCmd  `cmd:"" help:"Carry what CI stages to clients, on the resources of a company."`
	API     apiCmd     `cmd:"" name:"api" help:"Take uploads over HTTP, on the resources of a company."`
	Reindex reindexCmd `cmd:"" help:"Regenerate whole indexes, list and cancel such runs."`
	Migrate migrateCmd `cmd:"" help:"Bring the catalog's schema up to date."`
}

// stdio is where a command reads and writes.
type stdio struct {
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdout, os.Stderr}))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, io stdio) int {
	// Of packages that log: a command which goes on installs a log of its own.
	slog.SetDefault(slog.New(command.LogHandler(io.err, "text", "warn")))
	line := command.Line{
		Name: "repomill", Description: "Signed DEB and RPM repositories from packages that CI pushes.",
		Out: io.out, Err: io.err, Options: []kong.Option{kong.Vars(vars)},
	}
	return line.Run(ctx, &commands{}, args, func(c *kong.Context) error {
		c.BindTo(withActor(ctx, c), (*context.Context)(nil))
		return c.Run(io, client.Stdio{Out: io.out, Err: io.err})
	})
}
