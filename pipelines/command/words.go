package command

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// asFlags reads "help [COMMAND]" and "version", which people try first, as the flags that they are.
func asFlags(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "version":
		return []string{"--version"}
	}
	return args
}

// misread returns the command that an error of the parser is about.
func misread(parser *kong.Kong, err error) *kong.Node {
	e, ok := errors.AsType[*kong.ParseError](err)
	if !ok || e.Context == nil || e.Context.Selected() == nil {
		return parser.Model.Node
	}
	return e.Context.Selected()
}

// sentence says what a parser's error means: kong writes: expected "<files> ...".
func sentence(err error) string {
	e, ok := errors.AsType[*kong.ParseError](err)
	what, expected := strings.CutPrefix(err.Error(), "expected ")
	if !ok || !expected || e.Context == nil {
		return err.Error()
	}
	if missing, unquoted := strconv.Unquote(what); unquoted == nil && strings.HasPrefix(missing, "<") {
		return "missing: " + missing
	}
	if !strings.HasPrefix(what, "one of ") && !strings.HasPrefix(what, `"`) {
		return err.Error() // a flag's value
	}
	node := e.Context.Selected()
	if node == nil {
		node = e.Context.Model.Node
	}
	var names []string
	for _, child := range node.Children {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return "name a command: " + strings.Join(names, ", ")
}
