package terraform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

func TestCheckov(t *testing.T) {
	deploytest.Slow(t)
	checkov := deploytest.Tool(t, "checkov")
	configuration, err := filepath.Abs("checkov.yaml")
	if err != nil {
		t.Fatal(err)
	}
	deploytest.Record(t, deploytest.Row{
		Files: "terraform/environments/ops with its modules", Check: "checkov, with a list of rules that are broken on purpose", Tool: "checkov " + checkovVersion(t), CannotShow: "faults that no rule knows",
	})
	w := copied(t, ".", "")
	check := func(folder string) (string, error) {
		cmd := exec.CommandContext(t.Context(), checkov, "--config-file", configuration, "--directory", folder)
		cmd.Dir = w.root
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := check("environments/ops"); err != nil {
		t.Errorf("checkov: %v\n%s", err, out)
	}
	w.edit("modules/ingest/main.tf", `"enforced"`, `"inherited"`)
	if out, err := check("modules/ingest"); err == nil || !strings.Contains(out, "CKV_GCP_114") {
		t.Errorf("a bucket that can be public: %v\n%s", err, out)
	}
}

// checkovVersion is the one that install-tools installs.
func checkovVersion(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("install-tools")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^checkov=(\S+)$`).FindSubmatch(script)
	if m == nil {
		t.Fatal("install-tools names no version of checkov")
	}
	return string(m[1])
}

// Each rule that is skipped has its reason.
func TestSkippedRulesHaveReasons(t *testing.T) {
	body, err := os.ReadFile("checkov.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(body), "skip-check:\n")
	n := 0
	for line := range strings.Lines(list) {
		n++
		if !regexp.MustCompile(`^  - CKV2?_[A-Z]+_\d+ # .{20,}\n$`).MatchString(line) {
			t.Errorf("want   - RULE # reason, got %q", line)
		}
	}
	if n < 10 {
		t.Errorf("%d rules", n)
	}
}
