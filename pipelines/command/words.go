package command

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// asFlags replaces the commands "help [COMMAND]" and "version" with the flags --help and --version.
func asFlags(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) > 0 && args[0] == "version":
		return []string{"--version"}
	}
	return args
}

// misread returns the command in which the parser met an error.
func misread(parser *kong.Kong, err error) *kong.Node {
	e, ok := errors.AsType[*kong.ParseError](err)
	if !ok || e.Context == nil || e.Context.Selected() == nil {
		return parser.Model.Node
	}
	return e.Context.Selected()
}

// sentence returns a parser's error in words for users. kong writes, for example: expected "<files> ...".
func sentence(err error) string {
	e, ok := errors.AsType[*kong.ParseError](err)
	what, expected := strings.CutPrefix(err.Error(), "expected ")
	if !ok || !expected || e.Context == nil {
		return valueSentence(err.Error())
	}
	if missing, unquoted := strconv.Unquote(what); unquoted == nil && strings.HasPrefix(missing, "<") {
		return "missing: " + missing
	}
	if !strings.HasPrefix(what, "one of ") && !strings.HasPrefix(what, `"`) {
		return valueSentence(err.Error())
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

var (
	badNumber   = regexp.MustCompile(`^\[?<?(--)?([^:>]+)>?\]?: expected (?:a valid 64 bit \w+|\w+ value) but got "(.*?)"`)
	badDuration = regexp.MustCompile(`^(--[^:]+): expected duration but got "(.*?)"`)
	badChoice   = regexp.MustCompile(`^(--\S+) must be one of (\S+) but got "(.*)"$`)
)

// valueSentence returns kong's error about a value in words for users.
func valueSentence(s string) string {
	if flag, _, missing := strings.Cut(s, ": expected "); missing && strings.Contains(s, `got "EOL" (<EOL>)`) {
		return flag + " needs a value"
	}
	if m := badNumber.FindStringSubmatch(s); m != nil {
		return fmt.Sprintf("%s%s %q: use %s", m[1], m[2], m[3], numberLike(m[3]))
	}
	if m := badDuration.FindStringSubmatch(s); m != nil {
		return fmt.Sprintf("%s %q: use a duration such as 30s, 5m or 2h", m[1], m[2])
	}
	if m := badChoice.FindStringSubmatch(s); m != nil {
		choices := slices.DeleteFunc(strings.Split(strings.ReplaceAll(m[2], `"`, ""), ","), func(c string) bool { return c == "" })
		return fmt.Sprintf("%s %q: use %s", m[1], m[3], strings.Join(choices, " or "))
	}
	if missing, ok := strings.CutPrefix(s, "missing flags: "); ok {
		return "missing: " + missing
	}
	return s
}

// numberLike says what to use in the place of a value that is read as no number.
func numberLike(value string) string {
	switch digits := strings.TrimPrefix(value, "-"); {
	case digits != value && digits != "" && digits[0] >= '0' && digits[0] <= '9': // also a duration
		return "a value that is not negative"
	case digits != "" && strings.Trim(digits, "0123456789") == "":
		return "a smaller number"
	}
	return "a whole number"
}

// negative returns a usage error if a flag has a negative duration.
func negative(parsed *kong.Context) error {
	for _, f := range parsed.Flags() {
		if d, ok := f.Target.Interface().(time.Duration); ok && d < 0 {
			return Usage("--%s %s: use 0s or more", f.Name, d)
		}
	}
	return nil
}

// unfilled returns a usage error if a flag with the tag filled was given without a value, as by a variable of CI that is not set, or with 0 or less.
// Such a flag decides what the command does: without it, another thing is done.
func unfilled(parsed *kong.Context) error {
	for _, p := range parsed.Path {
		if p.Flag == nil || p.Resolved || !p.Flag.Tag.Has("filled") {
			continue
		}
		switch v := p.Flag.Target; {
		case v.Kind() == reflect.String && v.String() == "":
			return Usage("--%s has no value: give it one, or leave it out", p.Flag.Name)
		case v.CanInt() && v.Int() < 1:
			return Usage("--%s %d: use 1 or more, or leave it out", p.Flag.Name, v.Int())
		}
	}
	return nil
}
