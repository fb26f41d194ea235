// Command repomill turns packages that CI pushes into signed DEB and RPM repositories.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"repomill/pipelines/awsidentity"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
)

// commands is the command line. The help of a field describes its command.
type commands struct {
	Up upCmd `cmd:"" help:"Run everything in one process, on files below one folder."`
	client.Commands

	Yank     yankCmd     `cmd:"" help:"Withdraw packages from their releases."`
	Unyank   unyankCmd   `cmd:"" help:"Restore withdrawn packages."`
	Diff     diffCmd     `cmd:"" help:"Compare what clients see in two places, or at two times."`
	Rollback rollbackCmd `cmd:"" help:"Give clients the packages of an earlier time."`
	Snapshot snapshotCmd `cmd:"" help:"Create, list and delete snapshots: states of a repository that are kept."`
	Phase    phaseCmd    `cmd:"" help:"Let a part of the hosts upgrade to a package, and then more."`
	Promote  promoteCmd  `cmd:"" help:"Copy published packages to another component, distribution or repository."`
	Retain   retainCmd   `cmd:"" help:"Rules by which packages stay; withdraw those that no rule keeps."`
	Apply    applyCmd    `cmd:"" help:"Do what a plan says that --dry-run --plan has written."`
	Train    trainCmd    `cmd:"" help:"Publish packages that were pushed for a release train, all at once."`
	Repo     repoCmd     `cmd:"" help:"Create, change and list repositories."`
	Key      keyCmd      `cmd:"" help:"Manage the keys that sign releases."`
	Token    tokenCmd    `cmd:"" help:"Create, list and revoke tokens: those that open private repositories, and those of the API."`
	Trust    trustCmd    `cmd:"" help:"Let CI jobs push with the ID tokens of their CI system."`
	Stats    statsCmd    `cmd:"" help:"Print how often packages were downloaded; count downloads in logs."`
	Log      logCmd      `cmd:"" help:"Print who changed what, when and why."`

	Worker  workerCmd  `cmd:"" help:"Process uploads and publish repositories (production mode)."`
	API     apiCmd     `cmd:"" name:"api" help:"Receive uploads over HTTP (production mode)."`
	Reindex reindexCmd `cmd:"" help:"Render the indexes of releases in whole; list and cancel reindexes."`
	Audit   auditCmd   `cmd:"" help:"Look at published repositories from outside, through the resolver and the CDN."`
	Migrate migrateCmd `cmd:"" help:"Bring the catalog's schema up to date."`

	awsidentity.Flags
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

// hideIdentity leaves the flags of all commands that say who this is to AWS out of the help of each: that of worker has them.
func hideIdentity(k *kong.Kong) error {
	for _, f := range k.Model.Flags {
		f.Hidden = f.Hidden || strings.HasPrefix(f.Name, "aws-")
	}
	return nil
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, io stdio) int {
	// The default logger, for packages that log. Commands that keep running replace it.
	slog.SetDefault(slog.New(command.LogHandler(io.err, "text", "warn")))
	line := command.Line{
		Name: "repomill", Description: "Signed DEB and RPM repositories from packages that CI pushes.",
		Out: io.out, Err: io.err, Options: []kong.Option{kong.Vars(vars), kong.PostBuild(hideIdentity)},
	}
	grammar := &commands{}
	return line.Run(ctx, grammar, args, func(c *kong.Context) error {
		c.BindTo(grammar.Use(withActor(ctx, c)), (*context.Context)(nil))
		return c.Run(io, client.Stdio{Out: io.out, Err: io.err}, client.ReplicaChecker(client.CheckReplica))
	})
}
