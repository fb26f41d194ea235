package main_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// One search finds all that a log has about an upload: of the API that took it, of the worker, and its faults.
func TestLogLinesNameTheUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t, "--log-level", "debug", "--log-format", "json")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(s.does(t, 0, "", "token", "create", "acme", "ci", "--scope", "push,manage").Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	s.does(t, 0, "", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	block := filepath.Join(s.data, "bucket/acme/tools/ubuntu/pool")
	if err := os.WriteFile(block, nil, 0o644); err != nil { // a file where the program needs a folder: a fault
		t.Fatal(err)
	}
	hello := newDEB(t, debtest.Spec{Arch: "amd64"})
	repomill(t, "push", "--server", s.url, "--token-file", token, "acme/tools/ubuntu/jammy", hello.path)
	const fault = "fault; will be tried again"
	proctest.Eventually(t, "the upload meets a fault", func() bool { return strings.Contains(s.Stderr.String(), fault) })
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "the upload is published", func() bool { return strings.Contains(s.Stderr.String(), `"upload published"`) })
	said, names := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(s.Stderr.String()) {
		var l struct{ Msg, Upload string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if strings.Contains(line, "acme/tools/ubuntu/jammy/") {
			said[l.Msg], names[l.Upload] = true, true
		}
	}
	for _, want := range []string{"upload accepted", "upload received", "upload stored", "upload published", fault} {
		if !said[want] {
			t.Errorf("no line %q names the file: %q", want, slices.Sorted(maps.Keys(said)))
		}
	}
	if len(names) != 1 || names[""] {
		t.Errorf("the lines name the upload as %q, want one name", slices.Sorted(maps.Keys(names)))
	}
}
