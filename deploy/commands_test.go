package deploy_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite commands.md")

// generatedBelow ends the part of commands.md that is written by hand.
const generatedBelow = "<!-- generated below this line: go test ./deploy -run CommandsDocument -update -->\n"

// The pages of commands.md are what the programs print.
func TestCommandsDocument(t *testing.T) {
	t.Parallel()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	const file = "commands.md"
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	byHand, _, found := strings.Cut(string(written), generatedBelow)
	if !found {
		t.Fatalf("%s has no line %q", file, generatedBelow)
	}
	var doc bytes.Buffer
	doc.WriteString(byHand + generatedBelow)
	for _, program := range []string{"repomill", "repomill-client", "repomill-resolver", "repomill-beam"} {
		overview := help(t, bin, program)
		fmt.Fprintf(&doc, "\n## %s\n\n```\n%s```\n", program, overview)
		if program == "repomill-client" {
			doc.WriteString("\nThe pages of these commands are those of repomill, with the name of this program in the examples.\n")
			continue
		}
		for _, name := range commandsOf(overview) {
			fmt.Fprintf(&doc, "\n### %s %s\n\n```\n%s```\n", program, name, help(t, bin, program, strings.Fields(name)...))
		}
	}
	if *update {
		if err := os.WriteFile(file, doc.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(doc.String(), string(written)); diff != "" {
		t.Errorf("%s is not what the programs say; write it with -update (-programs +file):\n%s", file, diff)
	}
}

// help returns a page of help, 80 columns wide.
func help(t *testing.T, bin, program string, command ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, program), append(command, "--help")...)
	cmd.Env = append(os.Environ(), "COLUMNS=80")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v --help: %v\n%s", program, command, err, out)
	}
	return string(out)
}

// commandLine is a line of an overview that names a command, not one that goes on with its description.
var commandLine = regexp.MustCompile(`^  ([a-z]+(?: [a-z]+)*)(?:  .*)?$`)

// commandsOf returns the commands that a program's help lists.
func commandsOf(overview string) (names []string) {
	_, list, _ := strings.Cut(overview, "\nCommands:\n")
	for line := range strings.Lines(list) {
		if m := commandLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}

// A dry run that finds something to do ends with 5: what is behind it and "&&" never runs.
func TestNoExampleChainsToADryRun(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	chained := regexp.MustCompile(`(--dry-run|--plan [^-\s]\S*|retain plan|train plan)[^\n|;]* && `)
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range chained.FindAllString(string(text), -1) {
			t.Errorf("%s: %q: what follows does not run", file, line)
		}
	}
}
