package command_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"repomill/pipelines/command"
)

// pushes is a command that needs arguments.
type pushes struct {
	Target string   `arg:""`
	Files  []string `arg:""`
	Now    bool
	Data   string
	User   string `env:"MILL_USER"`
	Train  string `filled:""`
	Newest int    `filled:""`
	Limit  int
	Age    time.Duration
	Form   string `enum:"text,json," default:""`
}

func (pushes) Run() error { return nil }

type mills struct {
	Push pushes   `cmd:"" help:"Push packages."`
	Repo struct { // a group of commands
		List   struct{} `cmd:""`
		Cancel struct {
			Run int64  `arg:""`
			By  string `required:""`
		} `cmd:""`
	} `cmd:""`
}

func runMill(ctx context.Context, args ...string) (code int, out, said string) {
	var o, e bytes.Buffer
	line := command.Line{Name: "mill", Description: "Mills.", Out: &o, Err: &e}
	code = line.Run(ctx, &mills{}, args, func(c *kong.Context) error { return c.Run() })
	return code, o.String(), e.String()
}

func TestHabits(t *testing.T) {
	for _, tt := range []struct {
		name      string
		args      []string
		code      int
		out, said string
	}{
		{"a flag asks for the version", []string{"--version"}, 0, "mill " + command.Version() + "\n", ""},
		{"so does a word", []string{"version"}, 0, "mill " + command.Version() + "\n", ""},
		{"a command is missing", nil, 2, "", "mill: name a command: push, repo; see mill --help\n"},
		{"a command of a group is missing", []string{"repo"}, 2, "", "mill: name a command: list, cancel; see mill repo --help\n"},
		{"arguments are missing", []string{"push", "a"}, 2, "", "mill: missing: <files> ...; see mill push --help\n"},
		{"all arguments are missing", []string{"push"}, 2, "", "mill: missing: <target> <files> ...; see mill push --help\n"},
		{"a flag is unknown to a command", []string{"push", "--what", "a", "b"}, 2, "", "mill: unknown flag --what; see mill push --help\n"},
		{"a command is unknown", []string{"pull"}, 2, "", "mill: unexpected argument pull, did you mean \"push\"?; see mill --help\n"},
		{"help for an unknown command", []string{"help", "pull"}, 2, "", "mill: unexpected argument pull, did you mean \"push\"?; see mill --help\n"},
		{"a number is none", []string{"push", "--limit", "x", "a", "b"}, 2, "", "mill: --limit \"x\": use a whole number; see mill push --help\n"},
		{"a number looks like a flag", []string{"push", "--limit", "-1", "a", "b"}, 2, "", "mill: --limit \"-1\": use a value that is not negative; see mill push --help\n"},
		{"a number is too great", []string{"push", "--limit", "99999999999999999999", "a", "b"}, 2, "", "mill: --limit \"99999999999999999999\": use a smaller number; see mill push --help\n"},
		{"a flag that must have a value has none", []string{"push", "--train", "", "a", "b"}, 2, "", "mill: --train has no value: give it one, or leave it out\n"},
		{"a flag that must have a number has 0", []string{"push", "--newest=0", "a", "b"}, 2, "", "mill: --newest 0: use 1 or more, or leave it out\n"},
		{"a flag that must have a number has less", []string{"push", "--newest=-1", "a", "b"}, 2, "", "mill: --newest -1: use 1 or more, or leave it out\n"},
		{"other flags may be empty", []string{"push", "--data", "", "--limit", "0", "a", "b"}, 0, "", ""},
		{"an argument is not a number", []string{"repo", "cancel", "x"}, 2, "", "mill: run \"x\": use a whole number; see mill repo cancel --help\n"},
		{"a duration is none", []string{"push", "--age", "5", "a", "b"}, 2, "", "mill: --age \"5\": use a duration such as 30s, 5m or 2h; see mill push --help\n"},
		{"a duration is negative", []string{"push", "--age=-5s", "a", "b"}, 2, "", "mill: --age -5s: use 0s or more\n"},
		{"a choice is none", []string{"push", "--form", "xml", "a", "b"}, 2, "", "mill: --form \"xml\": use text or json; see mill push --help\n"},
		{"a flag is missing", []string{"repo", "cancel", "7"}, 2, "", "mill: missing: --by=BY; see mill repo cancel --help\n"},
		{"the version has no more to it", []string{"version", "push"}, 0, "mill " + command.Version() + "\n", ""},
		{"a file may be called version", []string{"push", "a", "version"}, 0, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, out, said := runMill(t.Context(), tt.args...); code != tt.code || out != tt.out || said != tt.said {
				t.Errorf("got %d, %q, %q; want %d, %q, %q", code, out, said, tt.code, tt.out, tt.said)
			}
		})
	}
}

// A program without commands has no help for one.
func TestHelpNamesCommands(t *testing.T) {
	var one bytes.Buffer
	line := command.Line{Name: "mill", Description: "Mills.", Out: &one, Err: &one}
	code := line.Run(t.Context(), &struct{ N int }{}, []string{"--help"}, func(*kong.Context) error { return nil })
	_, many, _ := runMill(t.Context(), "--help")
	help, other := strings.Join(strings.Fields(one.String()), " "), strings.Join(strings.Fields(many), " ")
	if code != 0 || !strings.Contains(help, "See also mill version.") || strings.Contains(help, "COMMAND") {
		t.Errorf("without commands: %d, %s", code, &one)
	}
	if !strings.Contains(other, "See also mill help [COMMAND] and mill version.") {
		t.Errorf("with commands: %s", many)
	}
}

func TestHelpAsCommand(t *testing.T) {
	for _, args := range [][]string{{}, {"push"}, {"repo", "list"}} {
		_, want, _ := runMill(t.Context(), append(args, "--help")...)
		code, got, said := runMill(t.Context(), append([]string{"help"}, args...)...)
		if code != 0 || got != want || said != "" || !strings.HasPrefix(got, strings.TrimSpace("Usage: mill "+strings.Join(args, " "))) {
			t.Errorf("help %q: got %d, %q, %q; want %q", args, code, got, said, want)
		}
	}
}

func TestEnvironmentSetsConfigurationOnly(t *testing.T) {
	line := command.Line{Name: "mill", Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}
	got := line.Environment(&mills{})
	for flag, want := range map[string]string{"data": "REPOMILL_DATA", "now": "", "user": "MILL_USER", "version": "", "help": ""} {
		if vars, ok := got[flag]; !ok || strings.Join(vars, " ") != want {
			t.Errorf("--%s has %q, want %q", flag, vars, want)
		}
	}
	t.Setenv("REPOMILL_DATA", "/srv/mill")
	t.Setenv("REPOMILL_NOW", "1")
	var m mills
	code := line.Run(t.Context(), &m, []string{"push", "a", "b"}, func(*kong.Context) error { return nil })
	if code != 0 || m.Push.Data != "/srv/mill" || m.Push.Now {
		t.Errorf("got %d, %+v", code, m.Push)
	}
}

func TestLogHandler(t *testing.T) {
	for _, tt := range []struct{ form, level, want string }{
		{"text", "warn", "level=WARN msg=w\n"},
		{"text", "info", "level=INFO msg=i\nlevel=WARN msg=w\n"},
		{"json", "error", ""},
		{"json", "debug", `{"level":"DEBUG","msg":"d"}` + "\n" + `{"level":"INFO","msg":"i"}` + "\n" + `{"level":"WARN","msg":"w"}` + "\n"},
	} {
		var b bytes.Buffer
		log := slog.New(command.LogHandler(&b, tt.form, tt.level))
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		var got strings.Builder
		for line := range strings.Lines(b.String()) { // without its time
			if tt.form == "json" {
				_, rest, _ := strings.Cut(line, ",")
				got.WriteString("{" + rest)
			} else {
				_, rest, _ := strings.Cut(line, " ")
				got.WriteString(rest)
			}
		}
		if got.String() != tt.want {
			t.Errorf("%s from %s: got %q, want %q", tt.form, tt.level, got.String(), tt.want)
		}
	}
}
