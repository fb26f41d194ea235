package terraform_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// gcloudCommands returns the commands of gcloud in the indented blocks of a document, with values for its variables.
func gcloudCommands(text string) []string {
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	var commands []string
	for line := range strings.Lines(text) {
		command := strings.TrimSpace(line)
		if !strings.HasPrefix(line, "    ") || !strings.HasPrefix(command, "gcloud ") {
			continue
		}
		command, _, _ = strings.Cut(command, " #")
		command = regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(command, "2026-11-29T10:00:00Z") // of date
		commands = append(commands, strings.NewReplacer("$P", "acme-packages-pre", "$R", "europe-west3", "…", "x").Replace(command))
	}
	return commands
}

// lintGcloud returns what gcloud says of a command's words and flags. It runs nothing.
func lintGcloud(t *testing.T, gcloud, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gcloud, "meta", "lint-gcloud-commands", "--command-string="+command)
	cmd.Env = append(os.Environ(), "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CONFIG="+t.TempDir())
	out, err := cmd.Output()
	var results []struct {
		Success bool    `json:"success"`
		Message *string `json:"error_message"`
	}
	if jsonErr := json.Unmarshal(out, &results); jsonErr != nil || len(results) != 1 {
		t.Fatalf("gcloud meta lint-gcloud-commands: %v, %v\n%.500s", err, jsonErr, out)
	}
	if results[0].Success {
		return ""
	}
	if results[0].Message == nil {
		return "it is not a command"
	}
	return *results[0].Message
}

func TestGcloudCommandsOfTheDocuments(t *testing.T) {
	deploytest.Slow(t)
	gcloud := deploytest.Tool(t, "gcloud")
	deploytest.Record(t, deploytest.Row{
		Files: "deploy/*.md, deploy/*/*.md", Check: "gcloud meta lint-gcloud-commands on each command of gcloud", Tool: "gcloud", CannotShow: "what Google makes of the values",
	})
	documents, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range append(documents, more...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range gcloudCommands(string(text)) {
			n++
			if fault := lintGcloud(t, gcloud, command); fault != "" {
				t.Errorf("%s: %s: %s", path, command, fault)
			}
		}
	}
	if n < 10 {
		t.Errorf("the documents have %d commands", n)
	}
	if fault := lintGcloud(t, gcloud, "gcloud storage buckets create gs://b --uniform-bucket-acess"); !strings.Contains(fault, "--uniform-bucket-acess") {
		t.Errorf("a typo in a flag: %q", fault)
	}
}
