package deploy_test

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// uncovered returns the files that no row of VERIFY.md names.
func uncovered(body string, files []string) (missing []string) {
	var patterns []string
	for line := range strings.Lines(body) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				patterns = append(patterns, m[1])
			}
		}
	}
	for _, file := range files {
		covered := strings.HasSuffix(file, "_test.go")
		for _, p := range patterns {
			folder, whole := strings.CutSuffix(p, "/*")
			if ok, _ := path.Match(p, file); ok || whole && strings.HasPrefix(file, folder+"/") {
				covered = true
			}
		}
		if !covered {
			missing = append(missing, file)
		}
	}
	return missing
}

// TestVerifyCoversAll fails for a file of this folder of which VERIFY.md does not say how it is checked.
func TestVerifyCoversAll(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "git")
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Skipf("this is no clone: %v", err)
	}
	body, err := os.ReadFile("VERIFY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`(Test[A-Za-z]+)(…?)`").FindAllStringSubmatch(string(body), -1) {
		pattern := "^func " + name[1] + map[string]string{"": "\\(", "…": ""}[name[2]]
		if err := exec.Command("git", "grep", "-qE", pattern, "--", ":/*_test.go").Run(); err != nil {
			t.Errorf("VERIFY.md names %s: there is no such test (%v)", name[1], err)
		}
	}
	files := strings.Fields(string(out))
	if missing := uncovered(string(body), files); len(missing) > 0 || len(files) < 100 {
		t.Errorf("of %d files VERIFY.md has no row for %q", len(files), missing)
	}
	if missing := uncovered("| `a.md`, `b/*` | x |", []string{"a.md", "b/c/d", "b_test.go", "bb/c"}); len(missing) != 1 || missing[0] != "bb/c" {
		t.Errorf("of four files with one uncovered: %q", missing)
	}
}
