package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"repomill/pipelines/command"
)

// hopeless is a cause that says whether a retry helps.
type hopeless bool

func (h hopeless) Error() string   { return "distrusted" }
func (h hopeless) Permanent() bool { return bool(h) }

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		err  error // of the command
		code int
		said string // on the standard error
	}{
		{"all is well", nil, nil, 0, ""},
		{"a failure", nil, errors.New("no"), 1, "mill: no\n"},
		{"a wrong use", nil, command.Usage("--n %d: use %d", 0, 1), 2, "mill: --n 0: use 1\n"},
		{"an interruption", nil, command.Interrupt("interrupted"), 3, "mill: interrupted\n"},
		{"a fault", nil, fmt.Errorf("--bucket: %w", command.Fault(errors.New("refused"))), 4, "mill: --bucket: refused\n"},
		{"a fault that may go away", nil, command.Fault(hopeless(false)), 4, "mill: distrusted\n"},
		{"a fault that stays", nil, command.Fault(fmt.Errorf("key: %w", hopeless(true))), 1, "mill: key: distrusted\n"},
		{"several failures", nil, errors.Join(errors.New("a"), errors.New("b")), 1, "mill: a; b\n"},
		{"a name with a control character", nil, errors.New("there is no \x1b[2J\u009b\u202e"), 1, "mill: there is no ?[2J??\n"},
		{"what is said already", nil, command.Exit(5), 5, ""},
		{"an unknown flag", []string{"--what"}, nil, 2, "mill: unknown flag --what; see mill --help\n"},
		{"help", []string{"--help"}, errors.New("not run"), 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, said bytes.Buffer
			line := command.Line{Name: "mill", Description: "Mills.", Out: &out, Err: &said}
			code := line.Run(t.Context(), &struct{ N int }{}, tt.args, func(*kong.Context) error { return tt.err })
			if code != tt.code || said.String() != tt.said {
				t.Errorf("got %d, %q; want %d, %q", code, said.String(), tt.code, tt.said)
			}
		})
	}
}

func TestEnvironmentSetsFlags(t *testing.T) {
	t.Setenv("REPOMILL_PUBLIC_URL", "https://packages.example.org")
	var flags struct {
		PublicURL string `name:"public-url"`
	}
	line := command.Line{Name: "mill", Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}
	code := line.Run(t.Context(), &flags, nil, func(c *kong.Context) error {
		_, err := c.Call(func(ctx context.Context) error { return ctx.Err() })
		return err
	})
	if code != command.OK || flags.PublicURL != "https://packages.example.org" {
		t.Errorf("got %d, %+v", code, flags)
	}
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://localhost:8080", "https://packages.example.org", "https://example.org/packages"} {
		if err := command.CheckURL("--public-url", good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "packages.example.org", "ftp://example.org", "https://", "https://u:secret@example.org", "https://example.org?x", "https://example.org/#x", "https://example.org/$x", "https://example.org/&x", "https://example.org/(x)", "https://example.org/x|y", "https://example.org/*", "https://example.org/\nx", "https://exämple.org"} {
		if err := command.CheckURL("--public-url", bad); command.CodeOf(err) != command.Misused || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// helped is a command that names its program.
type helped struct{}

func (helped) Help() string { return "Example:\n  ${program} do" }
func (helped) Run() error   { return nil }

// Help names the program that prints it, also in groups of commands.
func TestHelpNamesTheProgram(t *testing.T) {
	for _, args := range [][]string{{"do", "--help"}, {"group", "do", "--help"}} {
		var out bytes.Buffer
		grammar := &struct {
			Do    helped `cmd:""`
			Group struct {
				Do helped `cmd:""`
			} `cmd:""`
		}{}
		code := command.Line{Name: "mill", Out: &out, Err: &out}.Run(t.Context(), grammar, args, func(*kong.Context) error { return nil })
		if text := out.String(); code != 0 || !strings.Contains(text, "mill do\n") || strings.Contains(text, "${") {
			t.Errorf("%v: got exit code %d\n%s", args, code, text)
		}
	}
}
