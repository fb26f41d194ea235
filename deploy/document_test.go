package deploy_test

import (
	"os"
	"strings"
	"testing"
)

// section returns the commands of a section of a document: lines with four more blanks than the text around them. A line that ends in a
// backslash or a pipe goes on.
func section(t testing.TB, file, heading string) (commands []string) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut("\n"+string(body), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", file, heading)
	}
	after, _, _ = strings.Cut(after, "\n#")
	goesOn, indent := false, ""
	for line := range strings.Lines(after) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "- ") {
			indent = "  "
		} else if line != "" && !strings.HasPrefix(line, " ") {
			indent = ""
		}
		command, ok := strings.CutPrefix(line, indent+"    ")
		switch {
		case !ok:
			continue
		case goesOn:
			commands[len(commands)-1] += "\n" + command
		default:
			commands = append(commands, command)
		}
		goesOn = strings.HasSuffix(command, "\\") || strings.HasSuffix(command, "|")
	}
	if len(commands) == 0 {
		t.Fatalf("%s has no commands in section %q", file, heading)
	}
	return commands
}

// headings returns the sections of a document that have commands.
func headings(t testing.TB, file string) (all []string) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(body), "\n## ")[1:] {
		heading, text, _ := strings.Cut(part, "\n")
		if strings.Contains(text, "\n    ") {
			all = append(all, "## "+heading)
		}
	}
	return all
}
