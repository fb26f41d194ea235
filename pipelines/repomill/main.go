// Command repomill turns packages that CI pushes into signed DEB and RPM repositories.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes that scripts rely on. Each command says which it uses, and for what.
const (
	exitOK          = 0
	exitRejected    = 1 // the work was done, and the answer is no
	exitUsage       = 2
	exitTimeout     = 3
	exitUnreachable = 4 // a retry may help
)

// A coded error ends the program with an exit code.
type coded struct {
	code int
	error
}

func (c coded) Unwrap() error { return c.error }

func usage(format string, args ...any) error { return coded{exitUsage, fmt.Errorf(format, args...)} }

func unreachable(err error) error { return coded{exitUnreachable, err} }

// commands is the command line; the help of each field is its manual.
type commands struct {
	Up     upCmd     `cmd:"" help:"Run everything in one process, on files below one folder."`
	Push   pushCmd   `cmd:"" help:"Put packages into staging and, with --wait, say what became of them."`
	Status statusCmd `cmd:"" help:"Show releases, recent uploads, rejections and the backlog; or whether a package is out."`
	Ls     lsCmd     `cmd:"" help:"List the packages of a distribution."`
	Check  checkCmd  `cmd:"" help:"Read a published tree as a client would, and list all that is wrong."`

	Yank   yankCmd   `cmd:"" help:"Withdraw a package from its releases."`
	Unyank unyankCmd `cmd:"" help:"Take a withdrawal back."`
	Repo   repoCmd   `cmd:"" help:"Declare repositories, change them, list them."`
	Token  tokenCmd  `cmd:"" help:"Make, list and revoke the tokens that open private repositories."`

	Worker  workerCmd  `cmd:"" help:"Carry what CI stages to clients, on the resources of a company."`
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
func run(ctx context.Context, args []string, io stdio) (code int) {
	var cli commands
	exited := false
	parser, err := kong.New(&cli,
		kong.Name("repomill"),
		kong.Description("Signed DEB and RPM repositories from packages that CI pushes. Every flag can also be set in the environment, as REPOMILL_ and its name in capitals."),
		kong.DefaultEnvars("REPOMILL"),
		kong.Vars(vars),
		kong.Writers(io.out, io.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(c int) { code, exited = c, true }),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	parsed, err := parser.Parse(args)
	if exited { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(io.err, "repomill: %v; see repomill --help\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(io)
	if err == nil {
		return exitOK
	}
	if err.Error() != "" {
		fmt.Fprintf(io.err, "repomill: %v\n", err)
	}
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	return exitRejected
}
