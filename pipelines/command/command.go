// Package command has the common parts of the commands of repomill: the command line, exit codes and the errors that
// choose one, the log, and the version.
package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// The exit codes. The help of each command says which it uses.
const (
	OK          = 0
	Failed      = 1 // a check found problems, or an error that a retry does not help
	Misused     = 2 // a wrong command line
	Interrupted = 3 // by a signal or a timeout
	Unreachable = 4 // a resource did not answer; a retry may help
	Held        = 6 // what was pushed waits for its release train
)

// An Error ends the program with an exit code.
type Error struct {
	Code int
	Err  error // nothing is printed if its text is empty
}

func (e Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.Err }

// Usage returns an error for a wrong command line, with the exit code Misused. Its arguments are those of [fmt.Errorf].
func Usage(format string, args ...any) error { return Error{Misused, fmt.Errorf(format, args...)} }

// Interrupt returns an error for work that was stopped or not done in time, with the exit code Interrupted. Its
// arguments are those of [fmt.Errorf].
func Interrupt(format string, args ...any) error {
	return Error{Interrupted, fmt.Errorf(format, args...)}
}

// Fault returns an error for a fault of a resource, with the exit code Unreachable; or Failed if the cause has a method
// Permanent that returns true, because then a retry does not help.
func Fault(err error) error {
	var cause interface{ Permanent() bool }
	if errors.As(err, &cause) && cause.Permanent() {
		return Error{Failed, err}
	}
	return Error{Unreachable, err}
}

// Exit returns an error that ends the program with a code and prints nothing.
func Exit(code int) error { return Error{code, errors.New("")} }

// CodeOf returns the exit code of an error, which may be nil.
func CodeOf(err error) int {
	if err == nil {
		return OK
	}
	if e, ok := errors.AsType[Error](err); ok {
		return e.Code
	}
	return Failed
}

// A Line is the command line of a program.
type Line struct {
	Name, Description string
	Out, Err          io.Writer
	Options           []kong.Option
}

// Run parses args into grammar, a pointer to a struct with kong's tags, calls run, prints its error, and returns the exit
// code. Commands that kong runs can take ctx as an argument. Every program has --version, version and help besides its
// grammar. Help methods write ${program} for the name of the program, so that several programs can share a command.
func (l Line) Run(ctx context.Context, grammar any, args []string, run func(*kong.Context) error) (code int) {
	exited := false
	parser := l.parser(grammar, kong.Exit(func(c int) { code, exited = c, true }))
	parsed, err := parser.Parse(asFlags(args))
	if exited { // --help or --version
		return code
	}
	if err != nil {
		fmt.Fprintf(l.Err, "%s: %s; see %s --help\n", l.Name, Printable(sentence(err)), misread(parser, err).FullPath())
		return Misused
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err = cmp.Or(negative(parsed), unfilled(parsed)); err == nil {
		err = run(parsed)
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(l.Err, "%s: %s\n", l.Name, Printable(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	return CodeOf(err)
}

func (l Line) parser(grammar any, more ...kong.Option) *kong.Kong {
	options := append([]kong.Option{
		kong.Name(l.Name),
		kong.Embed(&struct {
			Version kong.VersionFlag `help:"Print the version, and exit."`
		}{}),
		kong.Vars{"version": l.Name + " " + Version()},
		kong.Writers(l.Out, l.Err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		environment(),
		placeholders(),
	}, l.Options...)
	parser, err := kong.New(grammar, append(options, more...)...)
	if err != nil {
		panic(err) // the grammar is wrong
	}
	nameProgram(parser.Model.Node, l.Name)
	see := l.Name + " version"
	if len(parser.Model.Children) > 0 {
		see = l.Name + " help [COMMAND] and " + see
	}
	parser.Model.Help = fmt.Sprintf("%s A flag with a $VARIABLE in its help can also be set in the environment. See also %s.", l.Description, see)
	return parser
}

// nameProgram replaces ${program} in the texts of Help methods, which kong does not interpolate.
func nameProgram(n *kong.Node, name string) {
	n.Detail = strings.ReplaceAll(n.Detail, "${program}", name)
	for _, child := range n.Children {
		nameProgram(child, name)
	}
}
