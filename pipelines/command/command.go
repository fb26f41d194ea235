// Package command is what the commands of repomill have in common: a command line with the habits that
// people expect of a tool, the exit codes that scripts rely on, the errors that choose one, and the log.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// The exit codes. Each command says which it uses, and for what.
const (
	OK          = 0
	Failed      = 1 // the work was done, and the answer is no; or it cannot be done
	Misused     = 2
	Interrupted = 3 // or out of time
	Unreachable = 4 // a retry may help
)

// An Error ends the program with an exit code.
type Error struct {
	Code int
	Err  error // nothing is printed if its text is empty
}

func (e Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.Err }

// Usage returns an error for a command line that cannot be meant, as [fmt.Errorf] makes it.
func Usage(format string, args ...any) error { return Error{Misused, fmt.Errorf(format, args...)} }

// Interrupt returns an error for work that was stopped, or was not done in time, as [fmt.Errorf] makes it.
func Interrupt(format string, args ...any) error {
	return Error{Interrupted, fmt.Errorf(format, args...)}
}

// Fault returns an error for a resource that cannot be reached, or met a fault. Where the cause says that a retry
// cannot help, by a method Permanent, so does the exit code.
func Fault(err error) error {
	var cause interface{ Permanent() bool }
	if errors.As(err, &cause) && cause.Permanent() {
		return Error{Failed, err}
	}
	return Error{Unreachable, err}
}

// Exit returns an error that ends the program with a code and prints nothing: all is said.
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

// A Line is a command line.
type Line struct {
	Name, Description string
	Out, Err          io.Writer
	Options           []kong.Option
}

// Run parses args into grammar, a pointer to a struct in kong's form, calls run, and returns the exit code. What run
// is given has ctx bound. Besides the grammar's own words every program knows --version, version and help.
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
	if err = negative(parsed); err == nil {
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
			Version kong.VersionFlag `help:"Print which build this is, and end."`
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
	see := l.Name + " version"
	if len(parser.Model.Children) > 0 {
		see = l.Name + " help [COMMAND] and " + see
	}
	parser.Model.Help = fmt.Sprintf("%s A flag with a $VARIABLE in its help can also be set in the environment. See also %s.", l.Description, see)
	return parser
}
