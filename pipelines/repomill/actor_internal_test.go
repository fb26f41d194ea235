package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// A command that changes the catalog says who does it: only servers, and what looks or pushes, do not.
func TestCommandsThatChangeHaveAnActor(t *testing.T) {
	without := []string{"up", "worker", "api", "migrate", "push", "ls", "status", "hint", "verify", "check", "doctor", "diff", "log", "repo list", "snapshot list", "token list", "trust list",
		"retain list", "key list", "key status", "key plan", "key package", "reindex list",
		"stats run", "audit", "train list", "train show", "train plan"} // stats show sums up --by something else
	for _, name := range leaves(t) {
		var out, said bytes.Buffer
		run(t.Context(), append(strings.Fields(name), "--help"), stdio{&out, &said})
		if has := strings.Contains(out.String(), " --by"); has == slices.Contains(without, name) {
			t.Errorf("%s: it has --by: %v", name, has)
		}
	}
}

func TestJobOfGitHub(t *testing.T) {
	t.Setenv("GITHUB_SERVER_URL", "https://github.example")
	t.Setenv("GITHUB_REPOSITORY", "acme/tools")
	t.Setenv("GITHUB_RUN_ID", "")
	if got := githubJob(); got != "" {
		t.Errorf("without a run: %q", got)
	}
	t.Setenv("GITHUB_RUN_ID", "42")
	if got, want := githubJob(), "https://github.example/acme/tools/actions/runs/42"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
