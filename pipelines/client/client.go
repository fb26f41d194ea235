// Package client has the commands of repomill that push packages and query their state: push, status, ls, hint and check. They run
// no worker, and write to staging only. Helpers that other commands share are exported.
package client

import "io"

// Stdio has the standard output and standard error of a command.
type Stdio struct {
	Out, Err io.Writer
}

// Commands is the part of a command line with these commands. A program embeds it in its grammar.
type Commands struct {
	Push   Push   `cmd:"" help:"Upload packages to staging and, with --wait, wait for their verdicts."`
	Status Status `cmd:"" help:"Show releases, recent uploads, rejections and the backlog; or whether a package is published."`
	Ls     Ls     `cmd:"" help:"List the packages of a distribution."`
	Hint   Hint   `cmd:"" help:"Print the commands that set up a client of a distribution and install a package."`
	Check  Check  `cmd:"" help:"Verify published repositories as a client would, and list all problems."`
	Doctor Doctor `cmd:"" help:"Examine a host that has trouble installing, and say what to do."`
}
