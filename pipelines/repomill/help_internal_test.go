package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// leaves returns the words of each command that does something.
func leaves(t *testing.T) (all []string) {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("repomill"), kong.Vars(vars), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range parser.Model.Leaves(true) {
		all = append(all, strings.TrimPrefix(n.FullPath(), "repomill "))
	}
	return all
}

var sentenceEnd = regexp.MustCompile(`[.:]\s+`)

// The help of every command says each thing once, shows what a flag's value is, and has an example and the exit codes.
func TestHelpOfEveryCommand(t *testing.T) {
	commands := leaves(t)
	if len(commands) < 18 {
		t.Fatalf("got the commands %q", commands)
	}
	for _, name := range commands {
		var out, said bytes.Buffer
		if code := run(t.Context(), append(strings.Fields(name), "--help"), stdio{&out, &said}); code != 0 || said.Len() > 0 {
			t.Fatalf("%s: got %d, %q", name, code, said.String())
		}
		about, flags, _ := strings.Cut(out.String(), "\nFlags:\n")
		_, about, _ = strings.Cut(about, "\n") // the usage
		for _, parts := range [][]string{sentenceEnd.Split(strings.Join(strings.Fields(about), " "), -1), strings.Split(about, "\n")} {
			seen := map[string]bool{}
			for _, part := range parts {
				if part = strings.TrimSpace(part); seen[part] && strings.Contains(part, " ") {
					t.Errorf("%s: its help says twice: %s", name, part)
				}
				seen[part] = true
			}
		}
		for _, odd := range []string{`=""`, "=STRING"} {
			if strings.Contains(flags, odd) {
				t.Errorf("%s: %s in its help:\n%s", name, odd, flags)
			}
		}
		if !strings.Contains(about, "Exit codes:") {
			t.Errorf("%s: no exit codes in its help:\n%s", name, about)
		}
		if as := strings.Replace(name, "reindex run", "reindex", 1); !strings.Contains(about, "\n    repomill "+as) {
			t.Errorf("%s: no example in its help:\n%s", name, about)
		}
	}
}
