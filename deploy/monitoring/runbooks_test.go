package monitoring_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runbooks returns the names of the files of a folder, without ".md".
func runbooks(t testing.TB, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".md"))
	}
	return names
}

// ofTerraform are alerts on what Prometheus does not measure.
var ofTerraform = []string{"RepomillStatisticsBehind"}

// withoutRunbook returns alerts that have no runbook, and runbooks that are neither of an alert nor of a drill.
func withoutRunbook(f ruleFile, books []string) (problems []string) {
	alerts := map[string]bool{}
	for _, r := range f.alerts() {
		alerts[r.Alert] = true
		if !slices.Contains(books, r.Alert) {
			problems = append(problems, r.Alert+": there is no runbook deploy/runbooks/"+r.Alert+".md")
		}
	}
	for _, b := range books {
		if !alerts[b] && !slices.Contains(ofTerraform, b) && !strings.HasPrefix(b, "drill-") && b != "README" {
			problems = append(problems, "deploy/runbooks/"+b+".md is the runbook of no alert: drills begin with drill-")
		}
	}
	return slices.Compact(problems)
}

// The parts that each runbook of an alert has.
var parts = []string{"## What it means", "## See", "## Do", "## Over"}

func TestRunbooks(t *testing.T) {
	doc := read(t, "../commands.md")
	found := 0
	for _, name := range runbooks(t, "../runbooks") {
		body := read(t, "../runbooks/"+name+".md")
		if strings.HasPrefix(name, "Repomill") {
			found++
			report(t, without(name, body))
		}
		report(t, badCommands(name, body, doc))
	}
	if found < 20 {
		t.Errorf("%d runbooks of alerts", found)
	}
}

func TestAlertsOfTerraformExist(t *testing.T) {
	files, err := filepath.Glob("../terraform/modules/observe/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(read(t, f))
	}
	for _, name := range ofTerraform {
		if !strings.Contains(all.String(), `"${var.runbooks}`+name+`.md"`) {
			t.Errorf("no alert of Terraform has the runbook %s", name)
		}
	}
}

func TestBadRunbooksAreFound(t *testing.T) {
	const doc = "## repomill\n\n### repomill status\n\n      --limit=20   How many\n  -h, --help\n\n### repomill key list\n\n      --catalog=URL\n\n### repomill-resolver\n"
	for _, tt := range []struct{ fact, body, want string }{
		{"good commands", "# RepomillX\n\n## What it means\n## See\n\n    repomill status acme --limit 5\n    repomill key list --catalog=mysql://x | grep y\n\n## Do\n## Over\n", ""},
		{"an unknown flag", "# RepomillX\n## What it means\n## See\n## Do\n## Over\n\n    repomill status --limits 5\n", "--limits"},
		{"an unknown flag in a sentence", "# RepomillX\n## What it means\n## See\n## Do\n## Over\nUse `repomill key list --limit 3`.\n", "--limit"},
		{"an unknown command", "# RepomillX\n## What it means\n## See\n## Do\n## Over\n\n    sudo repomill state\n", `"repomill state"`},
		{"an unknown command of two words", "# RepomillX\n## What it means\n## See\n## Do\n## Over\n\n    repomill key lists\n", `"repomill key lists"`},
		{"a command without its four spaces", "# RepomillX\n## What it means\n## See\n\nrepomill status\n    repomill status\n\n## Do\n## Over\n", "four spaces"},
		{"a missing part", "# RepomillX\n## What it means\n## See\n## Do\n", "## Over"},
		{"another title", "# RepomillY\n## What it means\n## See\n## Do\n## Over\n", "# RepomillX"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			got := strings.Join(slices.Concat(without("RepomillX", tt.body), badCommands("RepomillX", tt.body, doc)), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// without returns the parts that a runbook lacks.
func without(name, body string) (problems []string) {
	for _, part := range append([]string{"# " + name}, parts...) {
		if !strings.Contains("\n"+body, "\n"+part+"\n") {
			problems = append(problems, fmt.Sprintf("deploy/runbooks/%s.md has no %q", name, part))
		}
	}
	return problems
}

var (
	// said are commands of repomill: indented lines, and code in sentences.
	said = regexp.MustCompile("(?m)^ {4,}(?:sudo )?(repomill [^#|>\n]*)|`(?:sudo )?(repomill [^`\n]*)`")
	flag = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// unindented is a command that is not set off from the text.
var unindented = regexp.MustCompile(`\n\n((?:repomill|curl|journalctl|kubectl|gcloud|df|aws) .*[^.:\n])\n`)

// badCommands returns commands and flags that deploy/commands.md does not list. Another test compares it with what the programs print.
func badCommands(name, body, doc string) (problems []string) {
	for _, m := range unindented.FindAllStringSubmatch(body, -1) {
		problems = append(problems, fmt.Sprintf("deploy/runbooks/%s.md: %s: a command begins with four spaces", name, m[1]))
	}
	for _, m := range said.FindAllStringSubmatch(body, -1) {
		line := strings.TrimSpace(m[1] + m[2])
		page, command, ok := pageOf(line, doc)
		if !ok {
			problems = append(problems, fmt.Sprintf("deploy/runbooks/%s.md: %s: there is no command %q", name, line, command))
			continue
		}
		for _, f := range flag.FindAllString(line, -1) {
			if !regexp.MustCompile(regexp.QuoteMeta(f) + `\b[^a-z-]`).MatchString(page) {
				problems = append(problems, fmt.Sprintf("deploy/runbooks/%s.md: %s: %s has no flag %s", name, line, command, f))
			}
		}
	}
	return problems
}

// pageOf returns the page of the command of a line: it has two words, or one.
func pageOf(line, doc string) (page, command string, ok bool) {
	words := append(strings.Fields(line), "", "")
	for _, command = range []string{strings.Join(words[:3], " "), strings.Join(words[:2], " "), strings.Join(words[:2], " ") + " run"} { // reindex is reindex run
		command = strings.TrimSpace(command)
		if _, after, found := strings.Cut(doc, "\n### "+command+"\n"); found {
			page, _, _ = strings.Cut(after, "\n### ")
			return page, command, true
		}
	}
	return "", strings.TrimSpace(strings.Join(words[:min(3, len(words))], " ")), false
}

func read(t testing.TB, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
