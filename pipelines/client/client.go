// Package client has the commands that ask and push, for every program that offers them: they run no worker, and change nothing but
// staging. What other commands share with them is exported.
package client

import "io"

// Stdio is where a command writes.
type Stdio struct {
	Out, Err io.Writer
}

// Commands is how the commands appear on a command line.
type Commands struct {
	Push   Push   `cmd:"" help:"Put packages into staging and, with --wait, say what became of them."`
	Status Status `cmd:"" help:"Show releases, recent uploads, rejections and the backlog; or whether a package is out."`
	Ls     Ls     `cmd:"" help:"List the packages of a distribution."`
	Hint   Hint   `cmd:"" help:"Print the commands that set up a client of a distribution and install a package."`
	Check  Check  `cmd:"" help:"Read a published tree as a client would, and list all that is wrong."`
	Doctor Doctor `cmd:"" help:"Examine a host that has trouble installing, and say what to do."`
}
